// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Math functions as arithmetic, so that they work on vectors; what has no
// accurate expansion is left to libm, element by element.
#include "passes/Cpu/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace hone {
#define GEN_PASS_DEF_EXPANDMATHPASS
#include "passes/Cpu/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;

namespace {
/// A maximum or minimum that propagates NaN, by comparisons.
template <typename OpTy, arith::CmpFPredicate predicate>
struct ExpandExtremum : OpRewritePattern<OpTy> {
  using OpRewritePattern<OpTy>::OpRewritePattern;

  LogicalResult matchAndRewrite(OpTy op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value a = op.getLhs(), b = op.getRhs();
    // `a` where it wins or is NaN, else `b`, which may be NaN.
    Value aWins = arith::CmpFOp::create(rewriter, loc, predicate, a, b);
    Value best = arith::SelectOp::create(rewriter, loc, aWins, a, b);
    Value bIsNan = arith::CmpFOp::create(rewriter, loc,
                                         arith::CmpFPredicate::UNO, b, b);
    rewriter.replaceOpWithNewOp<arith::SelectOp>(op, bIsNan, b, best);
    return success();
  }
};

bool isExpanded(StringRef name) {
  return llvm::is_contained({math::ExpOp::getOperationName(),
                             math::ExpM1Op::getOperationName(),
                             math::LogOp::getOperationName(),
                             math::Log1pOp::getOperationName(),
                             math::TanhOp::getOperationName(),
                             math::ErfOp::getOperationName()},
                            name);
}

struct ExpandMathPass : hone::impl::ExpandMathPassBase<ExpandMathPass> {
  using Base::Base;
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<
        ExpandExtremum<arith::MaximumFOp, arith::CmpFPredicate::UGT>,
        ExpandExtremum<arith::MinimumFOp, arith::CmpFPredicate::ULT>>(
        &getContext());
    populateMathAlgebraicSimplificationPatterns(patterns);
    populateMathF32ExpansionPatterns(patterns, [](StringRef) { return true; });
    populateMathPolynomialApproximationPatterns(patterns, isExpanded);
    arith::populateExpandBFloat16Patterns(patterns);
    arith::populateCeilFloorDivExpandOpsPatterns(patterns);
    math::populateExpansionPatterns(patterns, {"round", "ipowi"});
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns)))) {
      getOperation()->emitError("math functions could not be expanded");
      return signalPassFailure();
    }
    getOperation()->walk([](arith::ArithFastMathInterface op) {
      if (isa<arith::AddFOp, arith::SubFOp, arith::MulFOp>(op))
        op->setAttr(op.getFastMathAttrName(),
                    arith::FastMathFlagsAttr::get(
                        op->getContext(), arith::FastMathFlags::contract));
    });
  }
};
} // namespace
