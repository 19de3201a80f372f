// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Passes that turn the host plan into code.
#ifndef HONE_PASSES_RT_PASSES_H
#define HONE_PASSES_RT_PASSES_H

#include "mlir/Pass/Pass.h"

namespace hone {

#define GEN_PASS_DECL
#include "passes/Rt/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "passes/Rt/Passes.h.inc"

/// The hone_type of abi.h for elements of an IR type; 0 for types it does not
/// have.
int32_t typeCode(mlir::Type type);

} // namespace hone

#endif // HONE_PASSES_RT_PASSES_H
