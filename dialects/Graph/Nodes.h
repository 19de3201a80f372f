// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The nodes of the model that operations come from, as their locations tell: a
// NameLoc of the node's name around one of its operator.
#ifndef HONE_DIALECTS_GRAPH_NODES_H
#define HONE_DIALECTS_GRAPH_NODES_H

#include "mlir/IR/Location.h"
#include "mlir/IR/Operation.h"
#include "llvm/ADT/SetVector.h"

namespace hone::graph {

/// How many nodes a location keeps: enough for what becomes one kernel, and
/// locations stay small however much is merged.
constexpr size_t maxNodes = 32;

/// The distinct nodes of a location, in order; at most `maxNodes`.
using NodeList = llvm::SmallSetVector<mlir::NameLoc, 4>;
void addNodes(mlir::Location loc, NodeList &nodes);
/// Those of an operation: its own first, then those of what is fused into its
/// regions.
void addNodes(mlir::Operation *op, NodeList &nodes);

/// A location of all these nodes; unknown if there is none.
mlir::Location locationOf(mlir::MLIRContext *context, const NodeList &nodes);

/// Records that `op` also does the work of `other`.
void takeNodes(mlir::Operation *op, mlir::Location other);

} // namespace hone::graph

#endif // HONE_DIALECTS_GRAPH_NODES_H
