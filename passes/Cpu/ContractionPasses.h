// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Passes that turn contractions and windows into register kernels.
#ifndef HONE_PASSES_CPU_CONTRACTIONPASSES_H
#define HONE_PASSES_CPU_CONTRACTIONPASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"

namespace hone {

/// On kernels: what they compute with, as text.
inline constexpr llvm::StringLiteral kArithmeticAttr = "hone.arithmetic";
/// On kernels: the schedules of their operations.
inline constexpr llvm::StringLiteral kSchedulesAttr = "hone.schedules";

#define GEN_PASS_DECL
#include "passes/Cpu/ContractionPasses.h.inc"

#define GEN_PASS_REGISTRATION
#include "passes/Cpu/ContractionPasses.h.inc"

} // namespace hone

#endif // HONE_PASSES_CPU_CONTRACTIONPASSES_H
