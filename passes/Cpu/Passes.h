// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Passes that lower a bufferized kernel to LLVM.
#ifndef HONE_PASSES_CPU_PASSES_H
#define HONE_PASSES_CPU_PASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"

namespace hone {

#define GEN_PASS_DECL
#include "passes/Cpu/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "passes/Cpu/Passes.h.inc"

} // namespace hone

#endif // HONE_PASSES_CPU_PASSES_H
