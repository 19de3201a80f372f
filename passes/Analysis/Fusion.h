// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What is fused into what, and why not: decided here alone. Passes look for
// candidates, ask, and rewrite.
#ifndef HONE_PASSES_ANALYSIS_FUSION_H
#define HONE_PASSES_ANALYSIS_FUSION_H

#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace hone {
namespace graph {
class DimBuilder;
}

/// How a consumer takes in what a producer computes.
enum class FusionKind {
  None,
  Move,   ///< The producer has no other user.
  Repeat, ///< Others keep the producer, or do the same.
  Export, ///< Others get the producer's results from the consumer.
};

/// What to do with a producer and a consumer, or why nothing.
struct Fusion {
  FusionKind kind = FusionKind::None;
  const char *reason = "";

  static Fusion no(const char *reason) { return {FusionKind::None, reason}; }
  explicit operator bool() const { return kind != FusionKind::None; }
};

/// Reports a missed remark of `pass` (its name without "hone-") on `consumer`,
/// which names the producer too.
void remarkApart(mlir::Operation *producer, mlir::Operation *consumer,
                 llvm::StringLiteral pass, Fusion fusion);

//===-- Bodies ------------------------------------------------------------===//

/// Whether the map is only arithmetic on the elements of its inputs, which
/// vectorizes lane by lane.
bool isElementwise(graph::MapOp map);
bool isElementwise(mlir::Operation &op);

/// Rough cost of an operation in a body, in additions of vectors of eight
/// elements.
int64_t costOf(mlir::Operation *op);
/// Of one element.
int64_t costOf(mlir::Block &body);

//===-- Maps into maps ----------------------------------------------------===//

/// `consumer` reads results of `producer` as inputs.
Fusion planMaps(graph::MapOp producer, graph::MapOp consumer);

//===-- Maps into the epilogues of contractions and windows ---------------===//

/// Whether an operation has an epilogue for maps of its result.
bool hasEpilogue(mlir::Operation *op);

/// The map that reads `value` first of all, if that is a map.
graph::MapOp firstMapOn(mlir::Value value);

/// Whether `map` joins the epilogue in which `value`, one of its inputs, is
/// computed.
Fusion planEpilogue(mlir::Value value, graph::MapOp map);

/// Whether a convolution stores its result as `transpose` has it; `value`, what
/// that reads, is the convolution's result or that of the last map behind it.
Fusion planTransposedResult(graph::ConvOp conv, mlir::Value value,
                            graph::TransposeOp transpose);

/// Whether `map` runs on the parts of `value`, a convolution's result to be,
/// before they are put side by side along all dimensions but `channelDim`.
Fusion planPartialEpilogue(mlir::Value value, graph::MapOp map,
                           int64_t channelDim);

/// Whether a map of `value` would run in the kernel that produces it, once
/// moved there past transposes and reshapes.
bool wouldJoinProducer(mlir::Value value);

//===-- Reductions with maps and other reductions -------------------------===//

/// Rows: the leading `count` dimensions of `tensor`.
struct Rows {
  mlir::Value tensor;
  int64_t count;
};

/// The rows that `reduce` works on one by one, or why there are none.
std::optional<Rows> rowsOf(graph::ReduceOp reduce);

/// Whether `op` runs row by row with operations that do; `isInside` tells which
/// values these compute.
Fusion planRow(mlir::Operation *op, const Rows &rows, graph::DimBuilder &dims,
               llvm::function_ref<bool(mlir::Value)> isInside);

/// Whether reductions without rows consume each element of `map`, their input,
/// where it is computed; `isInside` tells which operations are in their kernel.
Fusion planFormula(graph::MapOp map,
                   llvm::function_ref<bool(mlir::Operation *)> isInside);

/// Whether a sweep over the input of two reductions computes both.
Fusion planSiblings(graph::ReduceOp reduce, graph::ReduceOp sibling);

/// Whether slices that `op` reads can be views in its kernel, unless that is
/// the kernel of a contraction.
bool viewsSlices(mlir::Operation *op);

//===-- Convolutions one band of rows after the other ---------------------===//

/// Operations of which each is the only one to read the one before.
struct RowChain {
  llvm::SmallVector<mlir::Operation *> operations;
  int64_t bandRows = 0;    ///< Of the result; 0: all at once.
  const char *reason = ""; ///< Why, if bands would pay.
};

/// The convolution with its pointwise neighbours and the maps behind them, and
/// the height of the bands to compute them in.
RowChain planRowChain(graph::ConvOp depthwise);

//===-- Loops of a kernel -------------------------------------------------===//

/// Of `producer` into the loop that has the operand, a result of it.
Fusion planLoops(mlir::linalg::GenericOp producer, mlir::OpOperand *operand);

/// Of two loops that reduce the same input, the first into the second.
Fusion planSiblings(mlir::linalg::GenericOp first,
                    mlir::linalg::GenericOp second);

} // namespace hone

#endif // HONE_PASSES_ANALYSIS_FUSION_H
