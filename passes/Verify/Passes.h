// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Checks of the form in which each phase leaves the IR.
#ifndef HONE_PASSES_VERIFY_PASSES_H
#define HONE_PASSES_VERIFY_PASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace hone {

#define GEN_PASS_DECL
#include "passes/Verify/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "passes/Verify/Passes.h.inc"

} // namespace hone

#endif // HONE_PASSES_VERIFY_PASSES_H
