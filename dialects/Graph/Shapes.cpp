// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Result dimensions of the operations, from their operands.
#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace hone::graph;

/// The dimensions of `type`, the dynamic ones taken from `dims` in order.
static SmallVector<OpFoldResult> mixedDims(OpBuilder &builder, ShapedType type,
                                           ValueRange dims) {
  SmallVector<OpFoldResult> result;
  for (int64_t size : type.getShape()) {
    if (!ShapedType::isDynamic(size)) {
      result.push_back(builder.getIndexAttr(size));
      continue;
    }
    result.push_back(dims.front());
    dims = dims.drop_front();
  }
  return result;
}

/// Size of dimension `i` of `value`.
static OpFoldResult dimOf(OpBuilder &builder, Location loc, Value value,
                          int64_t i) {
  int64_t size = cast<ShapedType>(value.getType()).getDimSize(i);
  if (!ShapedType::isDynamic(size))
    return builder.getIndexAttr(size);
  return tensor::DimOp::create(builder, loc, value, i).getResult();
}

/// For operations with a `dims` operand: every result has the same dynamic
/// dimensions.
template <typename OpTy>
static LogicalResult reifyFromDims(OpTy op, OpBuilder &builder,
                                   ReifiedRankedShapedTypeDims &shapes) {
  for (Value result : op->getResults())
    shapes.push_back(
        mixedDims(builder, cast<ShapedType>(result.getType()), op.getDims()));
  return success();
}

/// For operations whose result has the shape of an operand.
static LogicalResult reifyLike(Operation *op, Value like, OpBuilder &builder,
                               ReifiedRankedShapedTypeDims &shapes) {
  SmallVector<OpFoldResult> dims;
  for (int64_t i = 0, rank = cast<ShapedType>(like.getType()).getRank();
       i < rank; ++i)
    dims.push_back(dimOf(builder, op->getLoc(), like, i));
  shapes.push_back(std::move(dims));
  return success();
}

/// For reductions: the dimensions of the input without those in `axes`, or with
/// 1 there.
static LogicalResult reifyReduced(Operation *op, Value input,
                                  ArrayRef<int64_t> axes, bool keepdims,
                                  OpBuilder &builder,
                                  ReifiedRankedShapedTypeDims &shapes) {
  SmallVector<OpFoldResult> dims;
  for (int64_t i = 0, rank = cast<ShapedType>(input.getType()).getRank();
       i < rank; ++i) {
    if (!llvm::is_contained(axes, i))
      dims.push_back(dimOf(builder, op->getLoc(), input, i));
    else if (keepdims)
      dims.push_back(builder.getIndexAttr(1));
  }
  shapes.push_back(std::move(dims));
  return success();
}

#define HONE_REIFY_FROM_DIMS(OpTy)                                             \
  LogicalResult OpTy::reifyResultShapes(OpBuilder &builder,                    \
                                        ReifiedRankedShapedTypeDims &shapes) { \
    return reifyFromDims(*this, builder, shapes);                              \
  }
HONE_REIFY_FROM_DIMS(MapOp)
HONE_REIFY_FROM_DIMS(TopKOp)
HONE_REIFY_FROM_DIMS(MatmulOp)
HONE_REIFY_FROM_DIMS(AttentionOp)
HONE_REIFY_FROM_DIMS(ConvOp)
HONE_REIFY_FROM_DIMS(ConvTransposeOp)
HONE_REIFY_FROM_DIMS(PoolOp)
HONE_REIFY_FROM_DIMS(ReshapeOp)
HONE_REIFY_FROM_DIMS(SliceOp)
HONE_REIFY_FROM_DIMS(ConcatOp)
#undef HONE_REIFY_FROM_DIMS

LogicalResult ReduceOp::reifyResultShapes(OpBuilder &builder,
                                          ReifiedRankedShapedTypeDims &shapes) {
  return reifyReduced(*this, getInput(), getAxes(), getKeepdims(), builder,
                      shapes);
}

LogicalResult
ArgReduceOp::reifyResultShapes(OpBuilder &builder,
                               ReifiedRankedShapedTypeDims &shapes) {
  return reifyReduced(*this, getInput(), {static_cast<int64_t>(getAxis())},
                      getKeepdims(), builder, shapes);
}

LogicalResult
CumulateOp::reifyResultShapes(OpBuilder &builder,
                              ReifiedRankedShapedTypeDims &shapes) {
  return reifyLike(*this, getInput(), builder, shapes);
}

LogicalResult
ScatterOp::reifyResultShapes(OpBuilder &builder,
                             ReifiedRankedShapedTypeDims &shapes) {
  return reifyLike(*this, getInput(), builder, shapes);
}

LogicalResult
TransposeOp::reifyResultShapes(OpBuilder &builder,
                               ReifiedRankedShapedTypeDims &shapes) {
  SmallVector<OpFoldResult> dims;
  for (int64_t i : getPermutation())
    dims.push_back(dimOf(builder, getLoc(), getInput(), i));
  shapes.push_back(std::move(dims));
  return success();
}

LogicalResult PadOp::reifyResultShapes(OpBuilder &builder,
                                       ReifiedRankedShapedTypeDims &shapes) {
  SmallVector<OpFoldResult> dims;
  for (auto [i, size] : llvm::enumerate(getResult().getType().getShape())) {
    if (!ShapedType::isDynamic(size)) {
      dims.push_back(builder.getIndexAttr(size));
      continue;
    }
    Value inner = tensor::DimOp::create(builder, getLoc(), getInput(), i);
    Value added = arith::ConstantIndexOp::create(builder, getLoc(),
                                                 getLow()[i] + getHigh()[i]);
    dims.push_back(
        arith::AddIOp::create(builder, getLoc(), inner, added).getResult());
  }
  shapes.push_back(std::move(dims));
  return success();
}

LogicalResult GatherOp::reifyResultShapes(OpBuilder &builder,
                                          ReifiedRankedShapedTypeDims &shapes) {
  SmallVector<OpFoldResult> dims;
  int64_t axis = getAxis();
  for (int64_t i = 0, rank = cast<ShapedType>(getInput().getType()).getRank();
       i < rank; ++i) {
    if (i != axis) {
      dims.push_back(dimOf(builder, getLoc(), getInput(), i));
      continue;
    }
    for (int64_t k = 0, n = cast<ShapedType>(getIndices().getType()).getRank();
         k < n; ++k)
      dims.push_back(dimOf(builder, getLoc(), getIndices(), k));
  }
  shapes.push_back(std::move(dims));
  return success();
}
