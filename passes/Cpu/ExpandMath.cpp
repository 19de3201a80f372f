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
/// Arithmetic on a scalar or vector of f32.
class Arithmetic {
public:
  Arithmetic(PatternRewriter &rewriter, Location loc, Type type)
      : rewriter(rewriter), loc(loc), type(type) {}

  Value constant(float value) {
    Builder builder(type.getContext());
    return splat(type, builder.getF32FloatAttr(value));
  }
  Value integer(int32_t value) {
    Builder builder(type.getContext());
    return splat(integerType(), builder.getI32IntegerAttr(value));
  }
  Type integerType() {
    Type i32 = IntegerType::get(type.getContext(), 32);
    if (auto vector = dyn_cast<VectorType>(type))
      return vector.clone(i32);
    return i32;
  }

  Value sub(Value a, Value b) {
    return arith::SubFOp::create(rewriter, loc, a, b);
  }
  Value mul(Value a, Value b) {
    return arith::MulFOp::create(rewriter, loc, a, b);
  }
  Value fma(Value a, Value b, Value c) {
    return math::FmaOp::create(rewriter, loc, a, b, c);
  }
  Value less(Value a, Value b) {
    return arith::CmpFOp::create(rewriter, loc, arith::CmpFPredicate::OLT, a,
                                 b);
  }
  Value select(Value condition, Value a, Value b) {
    return arith::SelectOp::create(rewriter, loc, condition, a, b);
  }
  Value bits(Value a) {
    return arith::BitcastOp::create(rewriter, loc, integerType(), a);
  }
  Value fromBits(Value a) {
    return arith::BitcastOp::create(rewriter, loc, type, a);
  }
  Value shiftLeft(Value a, int32_t by) {
    return arith::ShLIOp::create(rewriter, loc, a, integer(by));
  }
  /// Coefficients from the highest power down.
  Value polynomial(Value x, ArrayRef<float> coefficients) {
    Value sum = constant(coefficients.front());
    for (float coefficient : coefficients.drop_front())
      sum = fma(sum, x, constant(coefficient));
    return sum;
  }

  /// exp(x) within 1 ulp; results below 2^-125.5 become 0.
  Value exp(Value x) {
    // At the lower limit the exponent becomes 0, which makes the result 0; at
    // the upper one it is infinite. NaN goes through.
    Value low = constant(-87.33654f), high = constant(89.0f);
    x = select(less(x, low), low, x);
    x = select(less(high, x), high, x);
    return expInRange(x, {2 * 0x1.6a243ap-10f, 2 * 0x1.1239ep-7f,
                          2 * 0x1.5558f2p-5f, 2 * 0x1.555492p-3f,
                          2 * 0x1.fffffcp-2f, 2.0f, 2.0f});
  }

  /// erf(x) within 1.2 ulp.
  Value erf(Value x) {
    Value sign =
        arith::AndIOp::create(rewriter, loc, bits(x), integer(INT32_MIN));
    Value t = fromBits(arith::XOrIOp::create(rewriter, loc, bits(x), sign));
    Value s = mul(x, x);
    Value small =
        polynomial(s, {-5.96761703e-4f, 4.99119423e-3f, -2.67681349e-2f,
                       1.12819925e-1f, -3.76125336e-1f, 1.28379166e-1f});
    small = fma(small, x, x);
    // 1 - exp(p(|x|)); beyond 4 the result is 1.
    Value four = constant(4.0f);
    Value u = select(less(four, t), four, t);
    Value p = polynomial(u, {-1.72853470e-5f, 3.83197126e-4f, -3.88396438e-3f,
                             2.42546219e-2f, -1.06777877e-1f, -6.34846687e-1f,
                             -1.12871751f});
    p = expInRange(mul(p, u),
                   {2 * 0x1.0F9F9Cp-7f, 2 * 0x1.573A1Ap-5f, 2 * 0x1.555A80p-3f,
                    2 * 0x1.FFFDC6p-2f, 2 * 0x1.FFFFF6p-1f, 2.0f});
    Value large = sub(constant(1.0f), p);
    large = fromBits(arith::OrIOp::create(rewriter, loc, bits(large), sign));
    return select(less(constant(0.921875f), t), large, small);
  }

private:
  /// exp(x) for results between 2^-125 and infinity; the coefficients are those
  /// of 2 exp(r).
  Value expInRange(Value x, ArrayRef<float> coefficients) {
    // x = n ln 2 + r. n + 127 - 1 is put into the low bits of a float by adding
    // a large number, and from there into an exponent: 2^(n - 1), so that the
    // largest results do not need an exponent too large.
    Value magic = constant(12582912.0f + 126.0f);
    Value t = fma(x, constant(1.44269504f), magic);
    Value n = sub(t, magic);
    Value r = fma(n, constant(-0.693359375f), x);
    r = fma(n, constant(2.12194440e-4f), r);
    return mul(polynomial(r, coefficients), fromBits(shiftLeft(bits(t), 23)));
  }

  Value splat(Type of, TypedAttr value) {
    TypedAttr attr = value;
    if (auto vector = dyn_cast<VectorType>(of))
      attr = DenseElementsAttr::get(vector, Attribute(value));
    return arith::ConstantOp::create(rewriter, loc, attr);
  }

  PatternRewriter &rewriter;
  Location loc;
  Type type;
};

template <typename OpTy, Value (Arithmetic::*expansion)(Value)>
struct ExpandF32 : OpRewritePattern<OpTy> {
  using OpRewritePattern<OpTy>::OpRewritePattern;

  LogicalResult matchAndRewrite(OpTy op,
                                PatternRewriter &rewriter) const override {
    if (!getElementTypeOrSelf(op.getType()).isF32())
      return rewriter.notifyMatchFailure(op, "not f32");
    Arithmetic arithmetic(rewriter, op.getLoc(), op.getType());
    rewriter.replaceOp(op, (arithmetic.*expansion)(op.getOperand()));
    return success();
  }
};

/// Without an instruction for it a fused multiply-add would be a call.
struct SplitFma : OpRewritePattern<math::FmaOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::FmaOp op,
                                PatternRewriter &rewriter) const override {
    Value product =
        arith::MulFOp::create(rewriter, op.getLoc(), op.getA(), op.getB());
    rewriter.replaceOpWithNewOp<arith::AddFOp>(op, product, op.getC());
    return success();
  }
};

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
    Value bIsNan =
        arith::CmpFOp::create(rewriter, loc, arith::CmpFPredicate::UNO, b, b);
    rewriter.replaceOpWithNewOp<arith::SelectOp>(op, bIsNan, b, best);
    return success();
  }
};

bool isExpanded(StringRef name) {
  return llvm::is_contained(
      {math::ExpM1Op::getOperationName(), math::LogOp::getOperationName(),
       math::Log1pOp::getOperationName(), math::TanhOp::getOperationName()},
      name);
}

struct ExpandMathPass : hone::impl::ExpandMathPassBase<ExpandMathPass> {
  using Base::Base;
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<ExpandExtremum<arith::MaximumFOp, arith::CmpFPredicate::UGT>,
                 ExpandExtremum<arith::MinimumFOp, arith::CmpFPredicate::ULT>>(
        &getContext());
    patterns.add<ExpandF32<math::ExpOp, &Arithmetic::exp>,
                 ExpandF32<math::ErfOp, &Arithmetic::erf>>(&getContext());
    if (!fma)
      patterns.add<SplitFma>(&getContext());
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
