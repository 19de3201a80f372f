// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A matrix product over buffers: what is common to the emitters of all targets.
#include "passes/Emit/Contraction.h"
#include "mlir/IR/TypeUtilities.h"
#include "passes/Emit/Epilogue.h"
#include "passes/Machine/Estimate.h"
#include "passes/Machine/Tuning.h"

using namespace mlir;
using namespace hone;
using hone::graph::KernelConvOp;
using hone::graph::KernelMatmulOp;

/// Position in an operand of output dimension `dim`, if it is not broadcast.
static std::optional<int64_t> positionOf(ShapedType type, int64_t outRank,
                                         int64_t dim) {
  int64_t position = dim - (outRank - type.getRank());
  if (position < 0 || type.getDimSize(position) == 1)
    return std::nullopt;
  return position;
}

/// Whether the whole left-hand side is one matrix multiplied by the same
/// right-hand side, also for the epilogue.
static bool mergesBatches(KernelMatmulOp op, ShapedType lhs, ShapedType rhs,
                          ShapedType out) {
  int64_t rank = out.getRank();
  for (int64_t dim = 0; dim < rank - 2; ++dim) {
    if (!op.getPacked() && positionOf(rhs, rank, dim))
      return false;
    if (!positionOf(lhs, rank, dim) && out.getDimSize(dim) != 1)
      return false;
  }
  return Epilogue::canMerge(op, 0, rank - 2);
}

FlatBuffer hone::leftOperand(Emitter &e, Value memref, Type accumulator) {
  FlatBuffer buffer = FlatBuffer::get(e, memref);
  buffer.isUnsigned = graph::isByteProduct(buffer.elementType(), accumulator);
  return buffer;
}

/// Whether a convolution is the product of its pixels with the filter.
static bool isProduct(KernelConvOp op) {
  auto isOne = [](int64_t value) { return value == 1; };
  auto isZero = [](int64_t value) { return value == 0; };
  int64_t rank = cast<ShapedType>(op.getInput().getType()).getRank();
  return op.getPacked() && op.getGroup() == 1 &&
         llvm::all_of(op.getKernel(), isOne) &&
         llvm::all_of(op.getPads(), isZero) &&
         Epilogue::canMerge(op, 0, rank - 2);
}

/// Whether the input rows that a row of results depends on are of known and
/// moderate size, or the convolution is a product.
static bool canConvertInput(KernelConvOp op) {
  if (isProduct(op))
    return true;
  auto input = cast<ShapedType>(op.getInput().getType());
  ArrayRef<int64_t> row = input.getShape().take_back(2);
  return !ShapedType::isDynamicShape(row) &&
         estimateProduct(estimateProduct(row),
                         estimateProduct(op.getKernel().drop_back())) <=
             tuning::kMaxConvertedElements;
}

ProductTypes ProductTypes::of(graph::ScheduledOpInterface op) {
  auto [lhs, rhs] = op.getFactors();
  graph::PackedAttr packed = op.getPackedAttr();
  Type accumulator = cast<graph::KernelOpInterface>(*op).getAccumulatorType();
  auto matmul = dyn_cast<KernelMatmulOp>(*op);
  if (matmul && matmul.getQuantized() && matmul.getQuantized()->getBytes()) {
    Builder b(op->getContext());
    return {getElementTypeOrSelf(lhs),
            b.getI8Type(),
            b.getI32Type(),
            /*kr=*/4,
            /*isConvertible=*/true,
            /*isOrdered=*/false,
            graph::QuantizedAttr::codeBits(packed)};
  }
  if (matmul && matmul.getQuantized())
    return {getElementTypeOrSelf(lhs), accumulator, accumulator, /*kr=*/1,
            /*isConvertible=*/true};
  auto conv = dyn_cast<KernelConvOp>(*op);
  // Bytes that are not packed yet are multiplied like those that are.
  Type left = getElementTypeOrSelf(lhs);
  int64_t kr = matmul && graph::isByteProduct(left, accumulator) ? 4 : 1;
  return {left,
          getElementTypeOrSelf(rhs),
          accumulator,
          packed ? packed.getKr() : kr,
          conv ? canConvertInput(conv) : isa<KernelMatmulOp>(*op),
          packed && packed.isOrdered()};
}

/// The sizes of the product whose output dimensions are divided into `groups`.
static void setSizes(ProductShape &shape, ArrayRef<int64_t> out) {
  for (int64_t group : shape.groups) {
    ArrayRef<int64_t> sizes = out.take_front(group);
    out = out.drop_front(group);
    shape.batch.push_back(ShapedType::isDynamicShape(sizes)
                              ? ShapedType::kDynamic
                              : estimateProduct(sizes));
  }
  shape.n = shape.batch.pop_back_val();
  shape.m = shape.batch.pop_back_val();
}

int64_t ProductShape::paddedK() const {
  return endsWithinStep() && !ShapedType::isDynamic(k)
             ? llvm::alignTo(k, types.kr)
             : k;
}

bool ProductShape::endsWithinStep() const {
  bool isPacked = layout == RhsLayout::Packed || layout == RhsLayout::Quantized;
  return !isPacked && types.kr > 1 &&
         (ShapedType::isDynamic(k) || k % types.kr != 0);
}

ProductShape ProductShape::of(KernelMatmulOp op) {
  auto lhs = cast<ShapedType>(op.getLhs().getType()),
       rhs = cast<ShapedType>(op.getRhs().getType()),
       out = cast<ShapedType>(op.getOuts().front().getType());
  ProductShape shape;
  shape.types = ProductTypes::of(op);
  shape.layout = op.getQuantized()      ? RhsLayout::Quantized
                 : op.getPacked()       ? RhsLayout::Packed
                 : op.getTransposeRhs() ? RhsLayout::Transposed
                                        : RhsLayout::RowMajor;
  shape.packed = op.getPackedAttr();
  shape.quantized = op.getQuantizedAttr();
  shape.k = shape.lhsPitch = lhs.getShape().back();
  if (mergesBatches(op, lhs, rhs, out))
    shape.groups = {out.getRank() - 1, 1};
  else
    shape.groups.assign(out.getRank(), 1);
  setSizes(shape, out.getShape());
  return shape;
}

std::optional<ProductShape> ProductShape::of(KernelConvOp op) {
  auto input = cast<ShapedType>(op.getInput().getType()),
       out = cast<ShapedType>(op.getOuts().front().getType());
  if (!isProduct(op))
    return std::nullopt;
  int64_t rank = out.getRank();
  ProductShape shape;
  shape.types = ProductTypes::of(op);
  shape.layout = RhsLayout::Packed;
  shape.packed = op.getPackedAttr();
  shape.k = shape.lhsPitch = input.getShape().back();
  if (!ShapedType::isDynamic(shape.k))
    shape.lhsPitch = estimateProduct(shape.k, op.getStrides().back());
  // If only the number of images is free, each is a separate product.
  ArrayRef<int64_t> space = out.getShape().drop_front().drop_back();
  bool imagesAlone = out.isDynamicDim(0) && !ShapedType::isDynamicShape(space);
  bool perImage = imagesAlone && estimateProduct(space) >= tuning::kMinPixels;
  shape.fewRows = imagesAlone && !perImage;
  if (perImage)
    shape.groups = {1, rank - 2, 1};
  else
    shape.groups = {rank - 1, 1};
  setSizes(shape, out.getShape());
  return shape;
}

Contraction Contraction::get(Emitter &e, KernelMatmulOp op) {
  auto lhs = cast<MemRefType>(op.getLhs().getType());
  auto rhs = cast<MemRefType>(op.getRhs().getType());
  Contraction problem;
  problem.shape = ProductShape::of(op);
  problem.a = leftOperand(e, op.getLhs(), op.getAccumulatorType());
  problem.b = FlatBuffer::get(e, op.getRhs());
  problem.k = problem.a.sizes.back();
  int64_t batchRank = problem.shape.batch.size(), rank = batchRank + 2;
  auto strideOf = [&](const FlatBuffer &buffer, ShapedType type, int64_t dim) {
    std::optional<int64_t> position = positionOf(type, rank, dim);
    return position ? buffer.strides[*position] : e.cst(0);
  };
  for (int64_t dim = 0; dim < batchRank; ++dim) {
    problem.aBatchStrides.push_back(strideOf(problem.a, lhs, dim));
    problem.bBatchStrides.push_back(
        op.getPacked() ? e.cst(0) : strideOf(problem.b, rhs, dim));
  }
  return problem;
}
