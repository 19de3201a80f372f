// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Rare functions of f32, by series in f64: with so much spare precision only
// ranges and special values need care. Frequent ones are expanded in f32
// earlier, by hone-expand-math; DoubleMath has the functions of f64.
#include "passes/Gpu/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "passes/Emit/Emit.h"
#include "passes/Emit/WideFunctions.h"
#include "passes/Gpu/Math/DoubleMath.h"

namespace hone {
#define GEN_PASS_DEF_EXPANDGPUMATHPASS
#include "passes/Gpu/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;

namespace {
/// Element by element if the vector has more than one.
LogicalResult splitVector(Operation *op, VectorType vector,
                          PatternRewriter &rewriter) {
  if (vector.getRank() != 1)
    return rewriter.notifyMatchFailure(op, "a vector of several dimensions");
  rewriter.replaceOp(op, computeByElement(rewriter, op));
  return success();
}

/// Expands a function of f64.
template <typename OpTy, auto function>
struct ExpandDouble : OpRewritePattern<OpTy> {
  using OpRewritePattern<OpTy>::OpRewritePattern;

  LogicalResult matchAndRewrite(OpTy op,
                                PatternRewriter &rewriter) const override {
    if (!getElementTypeOrSelf(op.getType()).isF64())
      return rewriter.notifyMatchFailure(op, "not f64");
    if (auto vector = dyn_cast<VectorType>(op.getType()))
      return splitVector(op, vector, rewriter);
    DoubleMath math(rewriter, op.getLoc());
    if constexpr (OpTy::template hasTrait<OpTrait::OneOperand>())
      rewriter.replaceOp(op, (math.*function)(op.getOperand()));
    else
      rewriter.replaceOp(
          op, (math.*function)(op->getOperand(0), op->getOperand(1)));
    return success();
  }
};

struct ExpandRsqrt : OpRewritePattern<math::RsqrtOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::RsqrtOp op,
                                PatternRewriter &rewriter) const override {
    WideFunctions functions(rewriter, op.getLoc(), op.getType());
    Value x = functions.widen(op.getOperand());
    Value result = functions.div(functions.constant(1), functions.sqrt(x));
    rewriter.replaceOp(op, functions.narrow(result));
    return success();
  }
};

/// Tests for infinity or NaN by comparing the absolute value with infinity.
template <typename OpTy, arith::CmpFPredicate predicate>
struct ExpandClass : OpRewritePattern<OpTy> {
  using OpRewritePattern<OpTy>::OpRewritePattern;

  LogicalResult matchAndRewrite(OpTy op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Type type = op.getOperand().getType();
    auto element = cast<FloatType>(getElementTypeOrSelf(type));
    Value limit =
        splat(rewriter, loc, type,
              rewriter.getFloatAttr(
                  element, APFloat::getInf(element.getFloatSemantics())));
    Value size = math::AbsFOp::create(rewriter, loc, op.getOperand());
    rewriter.replaceOpWithNewOp<arith::CmpFOp>(op, predicate, size, limit);
    return success();
  }
};

/// The remainder of a division, which is exact.
struct ExpandRemainder : OpRewritePattern<arith::RemFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::RemFOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Type type = op.getType();
    if (auto vector = dyn_cast<VectorType>(type))
      return splitVector(op, vector, rewriter);
    WideFunctions functions(rewriter, loc, type);
    rewriter.replaceOp(
        op, functions.narrow(functions.remainder(
                functions.widen(op.getLhs()), functions.widen(op.getRhs()))));
    return success();
  }
};

struct ExpandGpuMathPass
    : hone::impl::ExpandGpuMathPassBase<ExpandGpuMathPass> {
  using Base::Base;
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    using F = WideFunctions;
    populateWideFunctionPatterns(patterns, /*branches=*/false);
    patterns.add<ExpandByWide<math::CbrtOp, &F::cbrt>,
                 ExpandByWide<math::Exp2Op, &F::exp2>,
                 ExpandByWide<math::Log10Op, &F::log10>,
                 ExpandByWide<math::Log2Op, &F::log2>>(&getContext(),
                                                       /*branches=*/false);
    patterns.add<ExpandBinaryByWide<math::Atan2Op, &F::atan2>,
                 ExpandClass<math::IsFiniteOp, arith::CmpFPredicate::OLT>,
                 ExpandClass<math::IsInfOp, arith::CmpFPredicate::OEQ>,
                 ExpandClass<math::IsNaNOp, arith::CmpFPredicate::UNO>,
                 ExpandRsqrt, ExpandRemainder>(&getContext());
    using D = DoubleMath;
    patterns.add<
        ExpandDouble<math::AcosOp, &D::acos>,
        ExpandDouble<math::AcoshOp, &D::acosh>,
        ExpandDouble<math::AsinOp, &D::asin>,
        ExpandDouble<math::AsinhOp, &D::asinh>,
        ExpandDouble<math::AtanOp, &D::atan>,
        ExpandDouble<math::AtanhOp, &D::atanh>,
        ExpandDouble<math::Atan2Op, &D::atan2>,
        ExpandDouble<math::CbrtOp, &D::cbrt>,
        ExpandDouble<math::CosOp, &D::cos>,
        ExpandDouble<math::CoshOp, &D::cosh>,
        ExpandDouble<math::ErfOp, &D::erf>, ExpandDouble<math::ExpOp, &D::exp>,
        ExpandDouble<math::Exp2Op, &D::exp2>,
        ExpandDouble<math::ExpM1Op, &D::expm1>,
        ExpandDouble<math::LogOp, &D::log>,
        ExpandDouble<math::Log10Op, &D::log10>,
        ExpandDouble<math::Log1pOp, &D::log1p>,
        ExpandDouble<math::Log2Op, &D::log2>,
        ExpandDouble<math::PowFOp, &D::pow>, ExpandDouble<math::SinOp, &D::sin>,
        ExpandDouble<math::SinhOp, &D::sinh>,
        ExpandDouble<math::TanOp, &D::tan>,
        ExpandDouble<math::TanhOp, &D::tanh>>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns)))) {
      getOperation()->emitError("math functions could not be expanded");
      signalPassFailure();
    }
  }
};
} // namespace
