// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Shared by the conversions to linalg.
#ifndef HONE_PASSES_LINALG_UTILS_H
#define HONE_PASSES_LINALG_UTILS_H

#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace hone {

/// One uninitialised tensor for each result of `op`.
inline mlir::FailureOr<llvm::SmallVector<mlir::Value>>
emptyResults(mlir::OpBuilder &builder, mlir::Operation *op) {
  mlir::ReifiedRankedShapedTypeDims shapes;
  if (mlir::failed(mlir::reifyResultShapes(builder, op, shapes)))
    return mlir::failure();
  llvm::SmallVector<mlir::Value> empties;
  for (auto [result, shape] : llvm::zip_equal(op->getResults(), shapes)) {
    auto type = llvm::cast<mlir::RankedTensorType>(result.getType());
    // Static sizes of the type take precedence, so that the new type equals the
    // old one.
    llvm::SmallVector<mlir::Value> dynamic;
    for (auto [size, dim] : llvm::zip_equal(type.getShape(), shape))
      if (mlir::ShapedType::isDynamic(size))
        dynamic.push_back(
            mlir::getValueOrCreateConstantIndexOp(builder, op->getLoc(), dim));
    empties.push_back(
        mlir::tensor::EmptyOp::create(builder, op->getLoc(), type, dynamic));
  }
  return empties;
}

/// Copies the node that errors are reported for to the checks inside `op`.
inline void inheritNode(mlir::Operation *from, mlir::Operation *op) {
  if (mlir::Attribute node = from->getAttr("hone.node"))
    op->walk([&](mlir::Operation *inner) {
      if (llvm::isa<graph::CheckedIndexOp, graph::CheckedDivisorOp>(inner))
        inner->setAttr("hone.node", node);
    });
}

} // namespace hone

#endif // HONE_PASSES_LINALG_UTILS_H
