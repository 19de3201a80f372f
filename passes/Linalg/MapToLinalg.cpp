// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// hone.map -> linalg.generic: a broadcast dimension becomes a constant 0 in the
// indexing map.
#include "passes/Linalg/Passes.h"
#include "passes/Linalg/Utils.h"

#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace hone;
using namespace hone::graph;

namespace {
/// How an operand of `shape` is indexed by coordinates of a result of
/// `resultShape`.
AffineMap broadcastMap(MLIRContext *context, ArrayRef<int64_t> shape,
                       ArrayRef<int64_t> resultShape) {
  int64_t rank = resultShape.size();
  SmallVector<AffineExpr> exprs;
  for (auto [i, size] : llvm::enumerate(shape)) {
    int64_t dim = rank - shape.size() + i;
    if (size == 1 && resultShape[dim] != 1)
      exprs.push_back(getAffineConstantExpr(0, context));
    else
      exprs.push_back(getAffineDimExpr(dim, context));
  }
  return AffineMap::get(rank, 0, exprs, context);
}

struct ConvertMap : OpRewritePattern<MapOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(MapOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getNumResults() == 0)
      return rewriter.notifyMatchFailure(op, "no results");
    FailureOr<SmallVector<Value>> inits = emptyResults(rewriter, op);
    if (failed(inits))
      return rewriter.notifyMatchFailure(op, "result shapes not known");
    auto type = cast<RankedTensorType>(op.getResult(0).getType());
    int64_t rank = type.getRank();
    SmallVector<AffineMap> maps;
    for (Value input : op.getInputs())
      maps.push_back(broadcastMap(
          getContext(), cast<RankedTensorType>(input.getType()).getShape(),
          type.getShape()));
    maps.append(op.getNumResults(), rewriter.getMultiDimIdentityMap(rank));
    SmallVector<utils::IteratorType> iterators(rank,
                                               utils::IteratorType::parallel);
    auto generic =
        linalg::GenericOp::create(rewriter, op.getLoc(), op.getResultTypes(),
                                  op.getInputs(), *inits, maps, iterators);

    Region &region = generic.getRegion();
    rewriter.inlineRegionBefore(op.getBody(), region, region.end());
    Block &body = region.front();
    for (Value init : *inits)
      body.addArgument(cast<ShapedType>(init.getType()).getElementType(),
                       op.getLoc());
    region.walk([&](IndexOp index) {
      rewriter.setInsertionPoint(index);
      rewriter.replaceOpWithNewOp<linalg::IndexOp>(index, index.getAxis());
    });
    Operation *yield = body.getTerminator();
    rewriter.setInsertionPoint(yield);
    rewriter.replaceOpWithNewOp<linalg::YieldOp>(yield, yield->getOperands());
    inheritNode(op, generic);
    rewriter.replaceOp(op, generic);
    return success();
  }
};
} // namespace

void hone::populateMapToLinalgPatterns(RewritePatternSet &patterns) {
  patterns.add<ConvertMap>(patterns.getContext());
}
