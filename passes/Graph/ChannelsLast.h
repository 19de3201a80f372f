// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What it means for an operation to work with channels last, and the rewrite
// that makes chosen operations do so.
#ifndef HONE_PASSES_GRAPH_CHANNELSLAST_H
#define HONE_PASSES_GRAPH_CHANNELSLAST_H

#include "dialects/Graph/Constants.h"
#include "dialects/Graph/DimBuilder.h"
#include "dialects/Graph/Graph.h"
#include "llvm/ADT/DenseSet.h"

namespace hone {

enum class LayoutRole {
  Fixed,              ///< works in the order of the model only
  Any,                ///< works in either order
  BetterChannelsLast, ///< the same, somewhat faster with channels last
  ChannelsLast,       ///< works fast with channels last only
};

LayoutRole layoutRole(mlir::Operation *op, graph::DimBuilder &dims);
/// Whether `result` comes in the order in which `op` works, rather than always
/// in the order of the model.
bool resultFollowsLayout(mlir::Operation *op, mlir::Value result);
/// The same for a tensor that `op`, or the region of the map `op`, reads.
bool operandFollowsLayout(mlir::Operation *op, mlir::OpOperand &use);

/// Tensors of this rank have channels in dimension 1 and can have them last.
inline bool hasChannelsLastOrder(int64_t rank) {
  return rank >= 3 && rank <= 5;
}
/// The permutation from channels first to channels last: [0, 2, .., 1].
llvm::SmallVector<int64_t> channelsLastOrder(int64_t rank);
/// The permutation back: [0, rank - 1, 1, ..].
llvm::SmallVector<int64_t> channelsFirstOrder(int64_t rank);
bool isToChannelsLast(graph::TransposeOp op);
bool isToChannelsFirst(graph::TransposeOp op);
/// True where a transpose changes no address: only dimensions of size 1 change
/// their place among the others.
bool movesOnlyUnits(llvm::ArrayRef<int64_t> shape,
                    llvm::ArrayRef<int64_t> order);

/// Makes the operations in `chosen` work with channels last, with transposes
/// where they meet others.
void applyChannelsLast(mlir::func::FuncOp function,
                       const llvm::DenseSet<mlir::Operation *> &chosen);

} // namespace hone

#endif // HONE_PASSES_GRAPH_CHANNELSLAST_H
