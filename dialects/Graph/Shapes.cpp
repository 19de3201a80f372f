// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Result dimensions of the operations, computed from their operands.
#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace hone::graph;

static OpFoldResult sizeFrom(OpBuilder &builder, Location loc,
                             const SizeSource &source) {
  if (!source.tensor)
    return builder.getIndexAttr(source.added);
  Value size = tensor::DimOp::create(builder, loc, source.tensor, source.dim);
  if (source.added == 0)
    return size;
  Value added = arith::ConstantIndexOp::create(builder, loc, source.added);
  return arith::AddIOp::create(builder, loc, size, added).getResult();
}

LogicalResult
hone::graph::reifyResultSizes(Operation *op, OpBuilder &builder,
                              ReifiedRankedShapedTypeDims &shapes) {
  auto given = dyn_cast<GivenSizesOpInterface>(op);
  for (Value result : op->getResults()) {
    auto type = cast<ShapedType>(result.getType());
    if (given) {
      shapes.push_back(
          getMixedValues(type.getShape(), given.getDims(), builder));
      continue;
    }
    auto derived = cast<DerivedSizesOpInterface>(op);
    shapes.emplace_back();
    for (auto [i, size] : llvm::enumerate(type.getShape()))
      shapes.back().push_back(
          ShapedType::isDynamic(size)
              ? sizeFrom(builder, op->getLoc(), derived.getSizeSource(i))
              : OpFoldResult(builder.getIndexAttr(size)));
  }
  return success();
}

//===-- Sizes that are given ----------------------------------------------===//

SmallVector<int64_t> MapOp::getKnownSizes() {
  int64_t rank = cast<ShapedType>(getResult(0).getType()).getRank();
  SmallVector<int64_t> sizes(rank, ShapedType::kDynamic);
  for (Value input : getInputs()) {
    auto type = cast<ShapedType>(input.getType());
    int64_t offset = rank - type.getRank();
    for (int64_t i = 0; i < type.getRank(); ++i)
      if (!type.isDynamicDim(i) && type.getDimSize(i) != 1)
        sizes[offset + i] = type.getDimSize(i);
  }
  return sizes;
}

SmallVector<int64_t> MatmulOp::getKnownSizes() {
  int64_t rank = getType().getRank();
  SmallVector<int64_t> sizes(rank, ShapedType::kDynamic);
  sizes[rank - 2] = getLhs().getType().getShape().take_back(2).front();
  return sizes;
}

//===-- Sizes that follow from operands -----------------------------------===//

/// Of a reduction, which drops the dimensions in `axes` or has 1 there.
static SizeSource reducedSize(Value input, ArrayRef<int64_t> axes,
                              bool keepdims, int64_t dim) {
  if (keepdims)
    return llvm::is_contained(axes, dim) ? SizeSource{Value(), 0, 1}
                                         : SizeSource{input, dim};
  for (int64_t axis : axes)
    if (axis <= dim)
      ++dim;
  return {input, dim};
}

SizeSource ReduceOp::getSizeSource(int64_t dim) {
  return reducedSize(getInput(), getAxes(), getKeepdims(), dim);
}

SizeSource DequantizeOp::getSizeSource(int64_t dim) {
  return {Value(), 0, getType().getDimSize(dim)};
}

SizeSource ArgReduceOp::getSizeSource(int64_t dim) {
  return reducedSize(getInput(), {static_cast<int64_t>(getAxis())},
                     getKeepdims(), dim);
}

SizeSource CumulateOp::getSizeSource(int64_t dim) { return {getInput(), dim}; }

SizeSource ScatterOp::getSizeSource(int64_t dim) { return {getInput(), dim}; }

SizeSource TransposeOp::getSizeSource(int64_t dim) {
  return {getInput(), getPermutation()[dim]};
}

SizeSource PadOp::getSizeSource(int64_t dim) {
  int64_t added;
  if (llvm::AddOverflow(getLow()[dim], getHigh()[dim], added))
    added = std::numeric_limits<int64_t>::max();
  return {getInput(), dim, added};
}

SizeSource GatherOp::getSizeSource(int64_t dim) {
  int64_t axis = getAxis(), rank = getIndices().getType().getRank();
  if (dim < axis)
    return {getInput(), dim};
  if (dim < axis + rank)
    return {getIndices(), dim - axis};
  return {getInput(), dim - rank + 1};
}
