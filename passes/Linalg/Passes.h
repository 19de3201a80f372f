// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Passes of the linalg phase.
#ifndef HONE_PASSES_LINALG_PASSES_H
#define HONE_PASSES_LINALG_PASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"

namespace mlir {
class RewritePatternSet;
} // namespace mlir

namespace hone {

#define GEN_PASS_DECL
#include "passes/Linalg/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "passes/Linalg/Passes.h.inc"

void populateMapToLinalgPatterns(mlir::RewritePatternSet &patterns);
void populateReduceToLinalgPatterns(mlir::RewritePatternSet &patterns);
void populateMovementToLinalgPatterns(mlir::RewritePatternSet &patterns);

} // namespace hone

#endif // HONE_PASSES_LINALG_PASSES_H
