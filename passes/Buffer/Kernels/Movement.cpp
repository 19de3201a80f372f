// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Views, copies, slices, concatenation and padding on buffers.
#include "passes/Buffer/Kernels/KernelEmission.h"
#include "passes/Buffer/Kernels/KernelLoops.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace hone;
using namespace hone::buffer;

static Value valueOf(OpBuilder &builder, Location loc, OpFoldResult size) {
  return getValueOrCreateConstantIndexOp(builder, loc, size);
}

OpFoldResult hone::buffer::product(OpBuilder &builder, Location loc,
                                   ArrayRef<OpFoldResult> factors) {
  int64_t known = 1;
  Value result;
  for (OpFoldResult factor : factors) {
    if (std::optional<int64_t> constant = getConstantIntValue(factor)) {
      known *= *constant;
      continue;
    }
    Value value = cast<Value>(factor);
    result =
        result ? arith::MulIOp::create(builder, loc, result, value) : value;
  }
  if (!result || known == 0)
    return builder.getIndexAttr(known);
  if (known == 1)
    return result;
  Value constant = arith::ConstantIndexOp::create(builder, loc, known);
  return arith::MulIOp::create(builder, loc, result, constant).getResult();
}

OpFoldResult hone::buffer::sum(OpBuilder &builder, Location loc, OpFoldResult a,
                               OpFoldResult b) {
  std::optional<int64_t> x = getConstantIntValue(a);
  std::optional<int64_t> y = getConstantIntValue(b);
  if (x && y)
    return builder.getIndexAttr(*x + *y);
  if (x == 0)
    return b;
  if (y == 0)
    return a;
  return arith::AddIOp::create(builder, loc, valueOf(builder, loc, a),
                               valueOf(builder, loc, b))
      .getResult();
}

static int64_t staticSize(OpFoldResult size) {
  // Values stay dynamic even if they turn out constant, since the type they
  // must match was formed before.
  auto attr = dyn_cast<Attribute>(size);
  return attr ? cast<IntegerAttr>(attr).getInt() : ShapedType::kDynamic;
}

/// A strided view; static sizes, strides and offset appear in the type.
static Value stridedView(OpBuilder &builder, Location loc, Value source,
                         OpFoldResult offset, ArrayRef<OpFoldResult> sizes,
                         ArrayRef<OpFoldResult> strides) {
  SmallVector<int64_t> shape, staticStrides;
  for (auto [size, stride] : llvm::zip_equal(sizes, strides)) {
    shape.push_back(staticSize(size));
    staticStrides.push_back(staticSize(stride));
  }
  auto layout = StridedLayoutAttr::get(builder.getContext(), staticSize(offset),
                                       staticStrides);
  auto type = MemRefType::get(
      shape, cast<MemRefType>(source.getType()).getElementType(), layout);
  // Other operations compare with the plain layout.
  auto plain = MemRefType::get(shape, type.getElementType());
  SmallVector<int64_t> plainStrides;
  int64_t plainOffset;
  if (succeeded(plain.getStridesAndOffset(plainStrides, plainOffset)) &&
      staticSize(offset) == 0 && plainStrides == staticStrides &&
      !llvm::is_contained(staticStrides, ShapedType::kDynamic))
    type = plain;
  return memref::ReinterpretCastOp::create(builder, loc, type, source, offset,
                                           sizes, strides);
}

Value hone::buffer::viewAs(OpBuilder &builder, Location loc, Value source,
                           ArrayRef<OpFoldResult> sizes, OpFoldResult offset) {
  SmallVector<OpFoldResult> strides(sizes.size());
  OpFoldResult stride = builder.getIndexAttr(1);
  for (int64_t i = sizes.size() - 1; i >= 0; --i) {
    strides[i] = stride;
    OpFoldResult factors[] = {stride, sizes[i]};
    stride = product(builder, loc, factors);
  }
  if (offset)
    return stridedView(builder, loc, source, offset, sizes, strides);
  SmallVector<int64_t> shape;
  for (OpFoldResult size : sizes)
    shape.push_back(staticSize(size));
  // Strides that are known although a size to their right is not (of 0) must
  // not contradict the type.
  for (auto [i, size] : llvm::enumerate(sizes))
    if (i > 0 && staticSize(size) == ShapedType::kDynamic)
      for (size_t k = 0; k < i; ++k)
        strides[k] = valueOf(builder, loc, strides[k]);
  auto type = MemRefType::get(
      shape, cast<MemRefType>(source.getType()).getElementType());
  return memref::ReinterpretCastOp::create(
      builder, loc, type, source, builder.getIndexAttr(0), sizes, strides);
}

/// An elementwise operation on buffers of the same shape.
static void
emitElementwise(OpBuilder &builder, Location loc, ValueRange inputs,
                Value target,
                function_ref<void(OpBuilder &, Location, ValueRange)> body) {
  int64_t rank = cast<MemRefType>(target.getType()).getRank();
  SmallVector<AffineMap> maps(inputs.size() + 1,
                              builder.getMultiDimIdentityMap(rank));
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::parallel);
  linalg::GenericOp::create(builder, loc, TypeRange{}, inputs, target, maps,
                            iterators, body);
}

void hone::buffer::copyBuffer(OpBuilder &builder, Location loc, Value source,
                              Value target) {
  emitElementwise(builder, loc, source, target,
                  [](OpBuilder &builder, Location loc, ValueRange args) {
                    linalg::YieldOp::create(builder, loc, args[0]);
                  });
}

void hone::buffer::fillBuffer(OpBuilder &builder, Location loc, Value scalar,
                              Value target) {
  emitElementwise(builder, loc, {}, target,
                  [&](OpBuilder &builder, Location loc, ValueRange args) {
                    linalg::YieldOp::create(builder, loc, scalar);
                  });
}

Value hone::buffer::sliceBuffer(OpBuilder &builder, graph::SliceOp op,
                                Value source, ArrayRef<OpFoldResult> sizes) {
  Location loc = op.getLoc();
  auto metadata =
      memref::ExtractStridedMetadataOp::create(builder, loc, source);
  SmallVector<int64_t> knownStrides;
  int64_t knownOffset;
  auto sourceType = cast<MemRefType>(source.getType());
  if (failed(sourceType.getStridesAndOffset(knownStrides, knownOffset)))
    knownStrides.assign(sourceType.getRank(), ShapedType::kDynamic);
  OpFoldResult offset = knownOffset == ShapedType::kDynamic
                            ? OpFoldResult(metadata.getOffset())
                            : builder.getIndexAttr(knownOffset);
  SmallVector<OpFoldResult> starts = getMixedValues(
      op.getStaticOffsets(), op.getOffsets(), builder.getContext());
  SmallVector<OpFoldResult> strides;
  for (int64_t i = 0, rank = sourceType.getRank(); i < rank; ++i) {
    OpFoldResult stride = knownStrides[i] == ShapedType::kDynamic
                              ? OpFoldResult(metadata.getStrides()[i])
                              : builder.getIndexAttr(knownStrides[i]);
    OpFoldResult start[] = {starts[i], stride};
    offset = sum(builder, loc, offset, product(builder, loc, start));
    OpFoldResult step[] = {stride, builder.getIndexAttr(op.getSteps()[i])};
    strides.push_back(product(builder, loc, step));
  }
  // Only an empty slice begins before its source, and no view does.
  if (std::optional<int64_t> known = getConstantIntValue(offset);
      known && *known < 0)
    offset = builder.getIndexAttr(0);
  return stridedView(builder, loc, metadata.getBaseBuffer(), offset, sizes,
                     strides);
}

void hone::buffer::emitConcat(OpBuilder &builder, graph::ConcatOp op,
                              ValueRange inputs, Value target) {
  Location loc = op.getLoc();
  int64_t axis = op.getAxis();
  SmallVector<OpFoldResult> sizes = memref::getMixedSizes(builder, loc, target);
  ArrayRef<OpFoldResult> all(sizes);
  OpFoldResult rows = product(builder, loc, all.take_front(axis));
  OpFoldResult rowSize = product(builder, loc, all.drop_front(axis));
  OpFoldResult inner = product(builder, loc, all.drop_front(axis + 1));
  OpFoldResult offset = builder.getIndexAttr(0);
  // Each input is a column of a matrix whose rows are the leading dimensions.
  for (Value input : inputs) {
    OpFoldResult factors[] = {memref::getMixedSize(builder, loc, input, axis),
                              inner};
    OpFoldResult width = product(builder, loc, factors);
    OpFoldResult shape[] = {rows, width};
    OpFoldResult strides[] = {rowSize, builder.getIndexAttr(1)};
    Value column = stridedView(builder, loc, target, offset, shape, strides);
    copyBuffer(builder, loc, viewAs(builder, loc, input, shape), column);
    offset = sum(builder, loc, offset, width);
  }
}

namespace {
/// Dimensions of a pad, with adjacent unpadded ones merged.
struct PadDim {
  OpFoldResult source, target;
  OpFoldResult low; // may be negative
};
} // namespace

static SmallVector<PadDim> padDims(OpBuilder &builder, graph::PadOp op,
                                   Value source, Value target) {
  Location loc = op.getLoc();
  SmallVector<OpFoldResult> sourceSizes =
      memref::getMixedSizes(builder, loc, source);
  SmallVector<OpFoldResult> targetSizes =
      memref::getMixedSizes(builder, loc, target);
  SmallVector<PadDim> dims;
  bool innerIsPlain = false; // the last of `dims` has no padding
  int64_t rank = sourceSizes.size();
  for (int64_t i = rank - 1; i >= 0; --i) {
    int64_t low = op.getLow()[i];
    bool plain = low == 0 && op.getHigh()[i] == 0;
    PadDim dim{sourceSizes[i], targetSizes[i], builder.getIndexAttr(low)};
    if (!dims.empty() && innerIsPlain) {
      PadDim &inner = dims.back();
      OpFoldResult width = inner.target;
      auto scaled = [&](OpFoldResult size) {
        OpFoldResult factors[] = {size, width};
        return product(builder, loc, factors);
      };
      inner = {scaled(dim.source), scaled(dim.target), scaled(dim.low)};
    } else {
      dims.push_back(dim);
    }
    innerIsPlain = plain;
  }
  if (dims.empty())
    dims.push_back({builder.getIndexAttr(1), builder.getIndexAttr(1),
                    builder.getIndexAttr(0)});
  std::reverse(dims.begin(), dims.end());
  return dims;
}

void hone::buffer::emitElementPad(OpBuilder &builder, graph::PadOp op,
                                  Value source, Value target) {
  Emitter e(builder, op.getLoc());
  SmallVector<PadDim> dims = padDims(builder, op, source, target);
  SmallVector<OpFoldResult> sizes, sourceSizes;
  for (PadDim &dim : dims) {
    sizes.push_back(dim.target);
    sourceSizes.push_back(dim.source);
  }
  Value from = viewAs(builder, e.loc, source, sourceSizes);
  Value to = viewAs(builder, e.loc, target, sizes);
  emitForall(e, sizes, [&](ValueRange ivs) {
    SmallVector<Value> place;
    Value inside;
    for (auto [dim, iv] : llvm::zip_equal(dims, ivs)) {
      place.push_back(e.sub(iv, valueOf(builder, e.loc, dim.low)));
      Value fits = e.cmp(arith::CmpIPredicate::ult, place.back(),
                         valueOf(builder, e.loc, dim.source));
      inside = inside ? builder.createOrFold<arith::AndIOp>(e.loc, inside, fits)
                      : fits;
    }
    Type type = cast<MemRefType>(source.getType()).getElementType();
    Value element =
        e.select(
             inside, type,
             [&] { return SmallVector<Value>{load(e, from, place)}; },
             [&] { return SmallVector<Value>{op.getValue()}; })
            .front();
    store(e, element, to, ivs);
  });
}

void hone::buffer::emitPad(OpBuilder &builder, graph::PadOp op, Value source,
                           Value target) {
  Location loc = op.getLoc();
  SmallVector<PadDim> dims = padDims(builder, op, source, target);
  auto constant = [&](int64_t value) {
    return arith::ConstantIndexOp::create(builder, loc, value);
  };
  PadDim row = dims.pop_back_val();
  SmallVector<OpFoldResult> outer;
  for (PadDim &dim : dims)
    outer.push_back(dim.target);
  if (outer.empty())
    outer.push_back(builder.getIndexAttr(1));
  auto forall =
      scf::ForallOp::create(builder, loc, outer, ValueRange{}, std::nullopt);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(forall.getBody());

  Value inside = arith::ConstantIntOp::create(builder, loc, 1, 1);
  Value sourceRow = constant(0), targetRow = constant(0);
  for (auto [dim, iv] : llvm::zip(dims, forall.getInductionVars())) {
    Value low = valueOf(builder, loc, dim.low);
    Value size = valueOf(builder, loc, dim.source);
    Value at = arith::SubIOp::create(builder, loc, iv, low);
    Value fits = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ult,
                                       at, size);
    inside = arith::AndIOp::create(builder, loc, inside, fits);
    sourceRow = arith::AddIOp::create(
        builder, loc, arith::MulIOp::create(builder, loc, sourceRow, size), at);
    Value targetSize = valueOf(builder, loc, dim.target);
    targetRow = arith::AddIOp::create(
        builder, loc,
        arith::MulIOp::create(builder, loc, targetRow, targetSize), iv);
  }
  Value sourceSize = valueOf(builder, loc, row.source);
  Value targetSize = valueOf(builder, loc, row.target);
  Value low = valueOf(builder, loc, row.low);
  Value sourceBase = arith::MulIOp::create(builder, loc, sourceRow, sourceSize);
  Value targetBase = arith::MulIOp::create(builder, loc, targetRow, targetSize);
  // The part [from, to) of the row comes from the source.
  Value from = arith::MaxSIOp::create(builder, loc, low, constant(0));
  from = arith::MinSIOp::create(builder, loc, from, targetSize);
  Value to = arith::AddIOp::create(builder, loc, low, sourceSize);
  to = arith::MinSIOp::create(builder, loc, to, targetSize);
  to = arith::MaxSIOp::create(builder, loc, to, from);
  auto part = [&](Value buffer, Value base, Value begin, Value size) {
    Value offset = arith::AddIOp::create(builder, loc, base, begin);
    return viewAs(builder, loc, buffer, OpFoldResult(size), offset);
  };
  auto branch = scf::IfOp::create(builder, loc, inside, /*withElse=*/true);
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(branch.thenBlock());
    Value middle = arith::SubIOp::create(builder, loc, to, from);
    Value right = arith::SubIOp::create(builder, loc, targetSize, to);
    Value begin = arith::SubIOp::create(builder, loc, from, low);
    fillBuffer(builder, loc, op.getValue(),
               part(target, targetBase, constant(0), from));
    copyBuffer(builder, loc, part(source, sourceBase, begin, middle),
               part(target, targetBase, from, middle));
    fillBuffer(builder, loc, op.getValue(),
               part(target, targetBase, to, right));
    builder.setInsertionPointToStart(branch.elseBlock());
    fillBuffer(builder, loc, op.getValue(),
               part(target, targetBase, constant(0), targetSize));
  }
}
