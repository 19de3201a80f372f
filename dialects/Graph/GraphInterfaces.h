// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Properties of operations that passes query by interface. Included by Graph.h.
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

/// The source of a size: dimension `dim` of `tensor`, plus `added`; just
/// `added` if there is no tensor.
struct SizeSource {
  mlir::Value tensor;
  int64_t dim;
  int64_t added = 0;
};

/// The sizes of the results of an operation with given or derived sizes.
llvm::LogicalResult reifyResultSizes(mlir::Operation *op,
                                     mlir::OpBuilder &builder,
                                     mlir::ReifiedRankedShapedTypeDims &shapes);

/// Elements of an operation's tensor operands and results, all static.
int64_t elementsTouched(mlir::Operation *op);

/// The operation may end the run with an error that names a node.
template <typename ConcreteOp>
class ReportsErrors
    : public mlir::OpTrait::TraitBase<ConcreteOp, ReportsErrors> {};

/// Inside kernels the operation is kept until bufferization, where it
/// determines how memory is addressed.
template <typename ConcreteOp>
class InMemory : public mlir::OpTrait::TraitBase<ConcreteOp, InMemory> {};

} // namespace hone::graph

#include "dialects/Graph/GraphInterfaces.h.inc"

#endif // HONE_DIALECTS_GRAPH_GRAPHINTERFACES_H
