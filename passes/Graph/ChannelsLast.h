// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The rewrite that makes chosen operations work with channels last, and which
// transposes of the model are such a change of order.
#ifndef HONE_PASSES_GRAPH_CHANNELSLAST_H
#define HONE_PASSES_GRAPH_CHANNELSLAST_H

#include "dialects/Graph/Constants.h"
#include "dialects/Graph/DimBuilder.h"
#include "dialects/Graph/Graph.h"
#include "llvm/ADT/DenseSet.h"

namespace hone {

bool isToChannelsLast(graph::TransposeOp op);
bool isToChannelsFirst(graph::TransposeOp op);
/// True if a transpose changes no address: it only moves dimensions of size 1.
bool movesOnlyUnits(llvm::ArrayRef<int64_t> shape,
                    llvm::ArrayRef<int64_t> order);

/// Makes the operations in `chosen` work with channels last, with transposes at
/// the boundary to others.
void applyChannelsLast(mlir::func::FuncOp function,
                       const llvm::DenseSet<mlir::Operation *> &chosen);

} // namespace hone

#endif // HONE_PASSES_GRAPH_CHANNELSLAST_H
