// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Data movement that computes each element of its result independently:
// hone.transpose is a permuted read, hone.gather a read at a checked index.
#include "passes/Linalg/Passes.h"
#include "passes/Linalg/Utils.h"

#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace hone;
using namespace hone::graph;

namespace {
struct ConvertTranspose : OpRewritePattern<TransposeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(TransposeOp op,
                                PatternRewriter &rewriter) const override {
    FailureOr<SmallVector<Value>> inits = emptyResults(rewriter, op);
    if (failed(inits))
      return rewriter.notifyMatchFailure(op, "result shape not known");
    int64_t rank = op.getResult().getType().getRank();
    SmallVector<AffineExpr> exprs(rank);
    for (auto [to, from] : llvm::enumerate(op.getPermutation()))
      exprs[from] = rewriter.getAffineDimExpr(to);
    AffineMap maps[] = {AffineMap::get(rank, 0, exprs, getContext()),
                        rewriter.getMultiDimIdentityMap(rank)};
    SmallVector<utils::IteratorType> iterators(rank,
                                               utils::IteratorType::parallel);
    rewriter.replaceOpWithNewOp<linalg::GenericOp>(
        op, op.getResult().getType(), op.getInput(), *inits, maps, iterators,
        [](OpBuilder &builder, Location loc, ValueRange args) {
          linalg::YieldOp::create(builder, loc, args[0]);
        });
    return success();
  }
};

struct ConvertGather : OpRewritePattern<GatherOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(GatherOp op,
                                PatternRewriter &rewriter) const override {
    FailureOr<SmallVector<Value>> inits = emptyResults(rewriter, op);
    if (failed(inits))
      return rewriter.notifyMatchFailure(op, "result shape not known");
    Location loc = op.getLoc();
    Value input = op.getInput();
    int64_t inputRank = op.getInput().getType().getRank();
    int64_t indexRank = op.getIndices().getType().getRank();
    int64_t rank = op.getResult().getType().getRank();
    int64_t axis = op.getAxis();
    Value size = tensor::DimOp::create(rewriter, loc, input, axis);
    SmallVector<AffineExpr> exprs;
    for (int64_t i = 0; i < indexRank; ++i)
      exprs.push_back(rewriter.getAffineDimExpr(axis + i));
    AffineMap maps[] = {AffineMap::get(rank, 0, exprs, getContext()),
                        rewriter.getMultiDimIdentityMap(rank)};
    SmallVector<utils::IteratorType> iterators(rank,
                                               utils::IteratorType::parallel);
    auto generic = linalg::GenericOp::create(
        rewriter, loc, op.getResult().getType(), op.getIndices(), *inits, maps,
        iterators, [&](OpBuilder &builder, Location loc, ValueRange args) {
          Value index = arith::IndexCastOp::create(
              builder, loc, builder.getIndexType(), args[0]);
          Value checked = CheckedIndexOp::create(builder, loc, index, size,
                                                 builder.getUnitAttr());
          SmallVector<Value> position;
          for (int64_t i = 0; i < inputRank; ++i) {
            if (i == axis)
              position.push_back(checked);
            else
              position.push_back(linalg::IndexOp::create(
                  builder, loc, i < axis ? i : i + indexRank - 1));
          }
          Value element =
              tensor::ExtractOp::create(builder, loc, input, position);
          linalg::YieldOp::create(builder, loc, element);
        });
    inheritNode(op, generic);
    rewriter.replaceOp(op, generic);
    return success();
  }
};
} // namespace

void hone::populateMovementToLinalgPatterns(RewritePatternSet &patterns) {
  patterns.add<ConvertTranspose, ConvertGather>(patterns.getContext());
}
