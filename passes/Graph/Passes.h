// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Passes of the graph phase.
#ifndef HONE_PASSES_GRAPH_PASSES_H
#define HONE_PASSES_GRAPH_PASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"

namespace mlir {
class RewritePatternSet;
} // namespace mlir

namespace hone {

/// On functions: the types that `hone-lower-precision` rounded weights to.
inline constexpr llvm::StringLiteral kRoundedWeightsAttr =
    "hone.rounded_weights";

#define GEN_PASS_DECL
#include "passes/Graph/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "passes/Graph/Passes.h.inc"

} // namespace hone

#endif // HONE_PASSES_GRAPH_PASSES_H
