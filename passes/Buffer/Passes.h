// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Passes that allocate the host function's memory.
#ifndef HONE_PASSES_BUFFER_PASSES_H
#define HONE_PASSES_BUFFER_PASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"

namespace hone {

#define GEN_PASS_DECL
#include "passes/Buffer/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "passes/Buffer/Passes.h.inc"

} // namespace hone

#endif // HONE_PASSES_BUFFER_PASSES_H
