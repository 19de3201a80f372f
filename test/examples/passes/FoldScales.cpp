// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A pass out of tree on Hone's graph dialect: the input of a convolution that
// was multiplied by a number is left as it was, and the filter is multiplied
// instead, which costs nothing at run time.
#include "FoldScales.h"
#include "dialects/Graph/Graph.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;
using namespace hone::graph;

namespace {

/// Whether a map multiplies its only input by a constant.
bool isScale(MapOp map) {
  if (!map || map.getInputs().size() != 1 || map.getNumResults() != 1)
    return false;
  Block &body = map.getBody().front();
  auto yield = cast<YieldOp>(body.getTerminator());
  auto product = yield.getValues().front().getDefiningOp<arith::MulFOp>();
  return product && product.getLhs() == body.getArgument(0) &&
         matchPattern(product.getRhs(), m_Constant());
}

struct FoldScale : OpRewritePattern<ConvOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ConvOp conv,
                                PatternRewriter &rewriter) const override {
    auto scale = conv.getInput().getDefiningOp<MapOp>();
    if (!isScale(scale))
      return rewriter.notifyMatchFailure(conv, "the input is not scaled");
    if (getElementTypeOrSelf(conv.getFilter().getType()) !=
        getElementTypeOrSelf(scale.getResult(0).getType()))
      return rewriter.notifyMatchFailure(conv, "it has more than one type");
    if (!conv.getFilter().getDefiningOp<ConstantOp>())
      return rewriter.notifyMatchFailure(conv, "the filter is not constant");
    // Hone's graph phase evaluates the map of a constant.
    auto filter =
        MapOp::create(rewriter, conv.getLoc(), conv.getFilter().getType(),
                      ValueRange(conv.getFilter()), ValueRange(),
                      [&](OpBuilder &builder, Location, ValueRange elements) {
                        IRMapping values;
                        values.map(scale.getBody().getArguments(), elements);
                        for (Operation &op : scale.getBody().front())
                          builder.clone(op, values);
                      });
    rewriter.modifyOpInPlace(conv, [&] {
      conv.getInputMutable().assign(scale.getInputs().front());
      conv.getFilterMutable().assign(filter.getResult(0));
    });
    return success();
  }
};

struct FoldScales : PassWrapper<FoldScales, OperationPass<func::FuncOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(FoldScales)

  StringRef getArgument() const override { return "fold-scales"; }
  StringRef getDescription() const override {
    return "multiply the filters of convolutions instead of their inputs";
  }

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<FoldScale>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace

void registerFoldScales() { PassRegistration<FoldScales>(); }
