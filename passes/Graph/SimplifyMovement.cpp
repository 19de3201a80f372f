// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Simplification of operations that only move data.
#include "dialects/Graph/Evaluate.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include "passes/Graph/ChannelsLast.h"
#include "passes/Graph/Simplify.h"

using namespace mlir;
using namespace hone;
using namespace hone::graph;

Value hone::reshapeTo(OpBuilder &builder, Location loc, Value value,
                      ArrayRef<int64_t> shape) {
  RankedTensorType type = tensorType(value);
  if (type.getShape() == shape)
    return value;
  return ReshapeOp::create(builder, loc, type.clone(shape), value,
                           ValueRange());
}

Value hone::reshapeTo(OpBuilder &builder, Location loc, DimBuilder &dims,
                      Value value, ArrayRef<OpFoldResult> sizes) {
  SmallVector<int64_t> shape;
  SmallVector<Value> dynamic;
  dims.split(builder, loc, sizes, shape, dynamic);
  RankedTensorType type = tensorType(value).clone(shape);
  if (type == value.getType()) {
    SmallVector<OpFoldResult> own = dims.dims(builder, loc, value);
    if (llvm::all_of_zip(own, sizes, [&](OpFoldResult a, OpFoldResult b) {
          return dims.equal(a, b);
        }))
      return value;
  }
  return ReshapeOp::create(builder, loc, type, value, dynamic);
}

SmallVector<Value> hone::dynamicSizes(OpBuilder &builder, Location loc,
                                      DimBuilder &dims, Value value) {
  SmallVector<Value> result;
  for (int64_t i = 0; i < tensorType(value).getRank(); ++i)
    if (tensorType(value).isDynamicDim(i))
      result.push_back(
          dims.materialize(builder, loc, dims.dim(builder, loc, value, i)));
  return result;
}

SmallVector<Value> hone::dynamicSizes(OpBuilder &builder, Operation *op,
                                      Value value) {
  if (tensorType(value).hasStaticShape())
    return {};
  DimBuilder dims = dimsOf(op);
  return dynamicSizes(builder, op->getLoc(), dims, value);
}

namespace {

/// A transpose that moves only dimensions of size 1 changes no address.
struct TransposeUnits : OpRewritePattern<TransposeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(TransposeOp op,
                                PatternRewriter &rewriter) const override {
    ArrayRef<int64_t> shape = tensorType(op.getInput()).getShape();
    if (!movesOnlyUnits(shape, op.getPermutation()))
      return rewriter.notifyMatchFailure(op, "moves more than ones");
    DimBuilder dims = dimsOf(op);
    SmallVector<Value> dynamic;
    for (int64_t from : op.getPermutation())
      if (ShapedType::isDynamic(shape[from]))
        dynamic.push_back(dims.materialize(
            rewriter, op.getLoc(),
            dims.dim(rewriter, op.getLoc(), op.getInput(), from)));
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, op.getType(), op.getInput(),
                                           dynamic);
    return success();
  }
};

struct DropEqualReshape : OpRewritePattern<ReshapeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ReshapeOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getType() != op.getInput().getType())
      return rewriter.notifyMatchFailure(op, "changes the shape");
    DimBuilder dims = dimsOf(op);
    if (!dims.sameShape(op.getInput(), op.getResult()))
      return rewriter.notifyMatchFailure(op, "sizes may differ");
    rewriter.replaceOp(op, op.getInput());
    return success();
  }
};

struct DropWholeSlice : OpRewritePattern<SliceOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SliceOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getType() != op.getInput().getType() || !op.getOffsets().empty() ||
        llvm::any_of(op.getStaticOffsets(), [](int64_t at) { return at; }) ||
        llvm::any_of(op.getSteps(), [](int64_t step) { return step != 1; }))
      return rewriter.notifyMatchFailure(op, "leaves elements out");
    DimBuilder dims = dimsOf(op);
    if (!dims.sameShape(op.getInput(), op.getResult()))
      return rewriter.notifyMatchFailure(op, "may leave elements out");
    rewriter.replaceOp(op, op.getInput());
    return success();
  }
};

/// slice(slice(x)) -> slice(x), if all offsets are static.
struct MergeSlices : OpRewritePattern<SliceOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SliceOp op,
                                PatternRewriter &rewriter) const override {
    auto inner = op.getInput().getDefiningOp<SliceOp>();
    if (!inner || !inner.getOffsets().empty() || !op.getOffsets().empty())
      return rewriter.notifyMatchFailure(op, "no static slice of another");
    SmallVector<int64_t> offsets, steps;
    for (size_t i = 0; i < op.getSteps().size(); ++i) {
      offsets.push_back(inner.getStaticOffsets()[i] +
                        op.getStaticOffsets()[i] * inner.getSteps()[i]);
      steps.push_back(op.getSteps()[i] * inner.getSteps()[i]);
    }
    rewriter.replaceOpWithNewOp<SliceOp>(op, op.getType(), inner.getInput(),
                                         ValueRange(), op.getDims(), offsets,
                                         steps);
    return success();
  }
};

/// Concatenations are merged and searched up to this number of operands, so
/// that work stays linear in it.
static constexpr size_t maxConcatInputs = 64;

/// A slice of a concatenation within one operand is a slice of that.
struct SliceOneOperand : OpRewritePattern<SliceOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SliceOp op,
                                PatternRewriter &rewriter) const override {
    auto concat = op.getInput().getDefiningOp<ConcatOp>();
    if (!concat || concat.getInputs().size() > maxConcatInputs)
      return rewriter.notifyMatchFailure(op, "not of a short concatenation");
    int64_t axis = concat.getAxis(), first = op.getStaticOffsets()[axis];
    int64_t size = op.getType().getDimSize(axis);
    if (ShapedType::isDynamic(first) || ShapedType::isDynamic(size) ||
        size == 0)
      return rewriter.notifyMatchFailure(op, "place along the axis not known");
    int64_t last = first + (size - 1) * op.getSteps()[axis], start = 0;
    for (Value input : concat.getInputs()) {
      int64_t length = tensorType(input).getDimSize(axis);
      if (ShapedType::isDynamic(length))
        break;
      if (std::min(first, last) >= start &&
          std::max(first, last) < start + length) {
        SmallVector<int64_t> offsets(op.getStaticOffsets());
        offsets[axis] -= start;
        rewriter.replaceOpWithNewOp<SliceOp>(op, op.getType(), input,
                                             op.getOffsets(), op.getDims(),
                                             offsets, op.getSteps());
        return success();
      }
      start += length;
    }
    return rewriter.notifyMatchFailure(op, "spans several operands");
  }
};

/// Operands without elements, and operands that are concatenations themselves.
struct FlattenConcat : OpRewritePattern<ConcatOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ConcatOp op,
                                PatternRewriter &rewriter) const override {
    SmallVector<Value> inputs;
    size_t count = op.getInputs().size();
    for (Value input : op.getInputs()) {
      if (tensorType(input).getDimSize(op.getAxis()) == 0)
        continue;
      auto inner = input.getDefiningOp<ConcatOp>();
      if (inner && inner.getAxis() == op.getAxis() && inner->hasOneUse() &&
          count + inner.getInputs().size() <= maxConcatInputs) {
        llvm::append_range(inputs, inner.getInputs());
        count += inner.getInputs().size();
      } else {
        inputs.push_back(input);
      }
    }
    if (inputs.empty() || llvm::equal(inputs, op.getInputs()))
      return rewriter.notifyMatchFailure(op, "nothing to flatten");
    rewriter.modifyOpInPlace(op, [&] { op.getInputsMutable().assign(inputs); });
    return success();
  }
};

struct DropZeroPad : OpRewritePattern<PadOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(PadOp op,
                                PatternRewriter &rewriter) const override {
    auto isZero = [](int64_t size) { return size == 0; };
    if (!llvm::all_of(op.getLow(), isZero) ||
        !llvm::all_of(op.getHigh(), isZero) ||
        op.getType() != op.getInput().getType())
      return rewriter.notifyMatchFailure(op, "adds elements");
    rewriter.replaceOp(op, op.getInput());
    return success();
  }
};

/// Constant indices at equal distances are a slice.
struct GatherSlice : OpRewritePattern<GatherOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(GatherOp op,
                                PatternRewriter &rewriter) const override {
    RankedTensorType type = tensorType(op.getInput());
    RankedTensorType indexType = tensorType(op.getIndices());
    int64_t axis = op.getAxis(), size = type.getDimSize(axis);
    std::optional<ConstantBytes> bytes = constantBytes(op.getIndices());
    if (!bytes || ShapedType::isDynamic(size) || isConstant(op.getInput()))
      return rewriter.notifyMatchFailure(op, "indices or size not known");
    int64_t count = indexType.getNumElements();
    auto indexAt = [&](int64_t i) {
      int64_t at =
          loadScalar(indexType.getElementType(), bytes->element(i)).integer;
      return at < 0 ? at + size : at;
    };
    if (count == 0)
      return rewriter.notifyMatchFailure(op, "picks nothing");
    int64_t step = count > 1 ? indexAt(1) - indexAt(0) : 1;
    if (step == 0)
      return rewriter.notifyMatchFailure(op, "indices repeat");
    for (int64_t i = 0; i < count; ++i)
      if (indexAt(i) < 0 || indexAt(i) >= size ||
          indexAt(i) != indexAt(0) + i * step)
        return rewriter.notifyMatchFailure(op, "indices are not a range");

    SmallVector<int64_t> expected(type.getShape().take_front(axis));
    llvm::append_range(expected, indexType.getShape());
    llvm::append_range(expected, type.getShape().drop_front(axis + 1));
    if (op.getType().getShape() != ArrayRef(expected))
      return rewriter.notifyMatchFailure(op, "the type is less precise");
    DimBuilder dims = dimsOf(op);
    SmallVector<OpFoldResult> sizes =
        dims.dims(rewriter, op.getLoc(), op.getInput());
    sizes[axis] = rewriter.getIndexAttr(count);
    SmallVector<int64_t> shape, offsets(type.getRank(), 0);
    SmallVector<int64_t> steps(type.getRank(), 1);
    SmallVector<Value> dynamic;
    dims.split(rewriter, op.getLoc(), sizes, shape, dynamic);
    offsets[axis] = indexAt(0);
    steps[axis] = step;
    Value slice =
        SliceOp::create(rewriter, op.getLoc(), type.clone(shape), op.getInput(),
                        ValueRange(), dynamic, offsets, steps);
    SmallVector<OpFoldResult> result(sizes.begin(), sizes.begin() + axis);
    for (int64_t i : indexType.getShape())
      result.push_back(rewriter.getIndexAttr(i));
    result.append(sizes.begin() + axis + 1, sizes.end());
    Value reshaped = reshapeTo(rewriter, op.getLoc(), dims, slice, result);
    rewriter.replaceOp(op, reshaped);
    return success();
  }
};

/// Reducing dimensions of size 1 changes nothing but the shape.
struct ReduceUnits : OpRewritePattern<ReduceOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ReduceOp op,
                                PatternRewriter &rewriter) const override {
    RankedTensorType type = op.getInput().getType();
    for (int64_t axis : op.getAxes())
      if (type.getDimSize(axis) != 1)
        return rewriter.notifyMatchFailure(op, "combines elements");
    rewriter.replaceOpWithNewOp<ReshapeOp>(
        op, op.getType(), op.getInput(),
        dynamicSizes(rewriter, op, op.getInput()));
    return success();
  }
};

/// A reduction whose dropped dimensions come back as ones keeps them.
struct KeepReducedDims : OpRewritePattern<ReshapeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ReshapeOp op,
                                PatternRewriter &rewriter) const override {
    auto reduce = op.getInput().getDefiningOp<ReduceOp>();
    if (!reduce || reduce.getKeepdims() || !reduce->hasOneUse())
      return rewriter.notifyMatchFailure(op, "no reduction of its own");
    SmallVector<int64_t> shape(reduce.getInput().getType().getShape());
    for (int64_t axis : reduce.getAxes())
      shape[axis] = 1;
    if (op.getType().getShape() != ArrayRef(shape))
      return rewriter.notifyMatchFailure(op, "another shape");
    DimBuilder dims = dimsOf(op);
    for (auto [i, size] : llvm::enumerate(shape))
      if (size != 1 && !dims.sameSize(reduce.getInput(), i, op.getResult(), i))
        return rewriter.notifyMatchFailure(op, "sizes may differ");
    rewriter.replaceOpWithNewOp<ReduceOp>(op, op.getType(), reduce.getInput(),
                                          reduce.getKind(), reduce.getAxes(),
                                          /*keepdims=*/true);
    return success();
  }
};

} // namespace

void hone::populateSimplifyMovementPatterns(RewritePatternSet &patterns) {
  patterns.add<TransposeUnits, DropEqualReshape, DropWholeSlice, MergeSlices,
               SliceOneOperand, FlattenConcat, DropZeroPad, GatherSlice,
               ReduceUnits, KeepReducedDims>(patterns.getContext());
}
