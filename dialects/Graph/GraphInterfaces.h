// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What passes ask of operations, whichever they are. Comes with Graph.h.
#ifndef HONE_DIALECTS_GRAPH_GRAPHINTERFACES_H
#define HONE_DIALECTS_GRAPH_GRAPHINTERFACES_H

#include "dialects/Graph/Layout.h"
#include "dialects/Graph/SizeExpr.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributeInterfaces.h"
#include "mlir/IR/BuiltinTypeInterfaces.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "llvm/Support/Error.h"
#include <optional>

namespace hone::graph {

class DimBuilder;

/// Where a size comes from: it is that of dimension `dim` of `tensor`, plus
/// `added`; just `added` where there is no tensor.
struct SizeSource {
  mlir::Value tensor;
  int64_t dim;
  int64_t added = 0;
};

/// The sizes of the results of an operation with given or derived sizes.
llvm::LogicalResult reifyResultSizes(mlir::Operation *op,
                                     mlir::OpBuilder &builder,
                                     mlir::ReifiedRankedShapedTypeDims &shapes);

/// Elements of the tensors that an operation takes and gives, all static.
int64_t elementsTouched(mlir::Operation *op);

/// The operation may end the run with an error, in the name of a node.
template <typename ConcreteOp>
class ReportsErrors
    : public mlir::OpTrait::TraitBase<ConcreteOp, ReportsErrors> {};

/// Inside kernels the operation stays as it is until there are buffers, where
/// it says what lies where.
template <typename ConcreteOp>
class InMemory : public mlir::OpTrait::TraitBase<ConcreteOp, InMemory> {};

} // namespace hone::graph

#include "dialects/Graph/GraphInterfaces.h.inc"

#endif // HONE_DIALECTS_GRAPH_GRAPHINTERFACES_H
