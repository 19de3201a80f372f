// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Builders, folders and canonicalization patterns.
#include "dialects/Graph/Graph.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace hone::graph;

void MapOp::build(OpBuilder &builder, OperationState &state, TypeRange results,
                  ValueRange inputs, ValueRange dims,
                  function_ref<void(OpBuilder &, Location, ValueRange)> body) {
  state.addTypes(results);
  state.addOperands(inputs);
  state.addOperands(dims);
  state.getOrAddProperties<Properties>().operandSegmentSizes = {
      static_cast<int32_t>(inputs.size()), static_cast<int32_t>(dims.size())};
  Region *region = state.addRegion();
  SmallVector<Type> types;
  for (Value input : inputs)
    types.push_back(cast<RankedTensorType>(input.getType()).getElementType());
  SmallVector<Location> locations(types.size(), state.location);
  OpBuilder::InsertionGuard guard(builder);
  Block *block = builder.createBlock(region, {}, types, locations);
  body(builder, state.location, block->getArguments());
}

OpFoldResult ConstantOp::fold(FoldAdaptor) { return getValue(); }

OpFoldResult ReshapeOp::fold(FoldAdaptor) {
  if (getInput().getType() == getResult().getType() &&
      getResult().getType().hasStaticShape())
    return getInput();
  return {};
}

OpFoldResult TransposeOp::fold(FoldAdaptor) {
  for (auto [i, from] : llvm::enumerate(getPermutation()))
    if (static_cast<int64_t>(i) != from)
      return {};
  return getInput();
}

OpFoldResult SliceOp::fold(FoldAdaptor) {
  if (getInput().getType() != getResult().getType() ||
      !getResult().getType().hasStaticShape() || !getOffsets().empty())
    return {};
  auto isZero = [](int64_t offset) { return offset == 0; };
  auto isOne = [](int64_t step) { return step == 1; };
  return llvm::all_of(getStaticOffsets(), isZero) &&
                 llvm::all_of(getSteps(), isOne)
             ? getInput()
             : OpFoldResult();
}

OpFoldResult ConcatOp::fold(FoldAdaptor) {
  return getInputs().size() == 1 &&
                 getInputs().front().getType() == getResult().getType()
             ? getInputs().front()
             : OpFoldResult();
}

namespace {
/// reshape(reshape(x)) -> reshape(x).
struct MergeReshapes : OpRewritePattern<ReshapeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ReshapeOp op,
                                PatternRewriter &rewriter) const override {
    auto inner = op.getInput().getDefiningOp<ReshapeOp>();
    if (!inner)
      return rewriter.notifyMatchFailure(op, "input is not a reshape");
    rewriter.modifyOpInPlace(
        op, [&] { op.getInputMutable().assign(inner.getInput()); });
    return success();
  }
};

/// transpose(transpose(x)) -> transpose(x).
struct MergeTransposes : OpRewritePattern<TransposeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(TransposeOp op,
                                PatternRewriter &rewriter) const override {
    auto inner = op.getInput().getDefiningOp<TransposeOp>();
    if (!inner)
      return rewriter.notifyMatchFailure(op, "input is not a transpose");
    SmallVector<int64_t> permutation;
    for (int64_t i : op.getPermutation())
      permutation.push_back(inner.getPermutation()[i]);
    rewriter.replaceOpWithNewOp<TransposeOp>(op, op.getType(), inner.getInput(),
                                             permutation);
    return success();
  }
};
} // namespace

void ReshapeOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                            MLIRContext *context) {
  patterns.add<MergeReshapes>(context);
}

void TransposeOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                              MLIRContext *context) {
  patterns.add<MergeTransposes>(context);
}
