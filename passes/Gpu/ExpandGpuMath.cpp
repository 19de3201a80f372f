// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Functions of f32 that are rare, by series in f64: with so much precision to
// spare nothing needs care but ranges and special values. What is frequent is
// expanded in f32 before, by hone-expand-math. Functions of f64 are DoubleMath.
#include "passes/Gpu/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "passes/Gpu/DoubleMath.h"

namespace hone {
#define GEN_PASS_DEF_EXPANDGPUMATHPASS
#include "passes/Gpu/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;

namespace {
constexpr double kPi = 3.141592653589793238;
constexpr double kLn2 = 0.693147180559945309;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// Functions of values that were f32. Results are exact to some 1e-11.
class Functions : public WideArithmetic {
public:
  using WideArithmetic::WideArithmetic;

  Value exp2(Value x) { return exp(mul(x, constant(kLn2))); }
  Value log2(Value x) { return mul(log(x), constant(1 / kLn2)); }
  Value log10(Value x) { return mul(log(x), constant(0.434294481903251828)); }
  Value cbrt(Value x) {
    return copySign(exp(mul(log(abs(x)), constant(1.0 / 3))), x);
  }

  Value sinh(Value x) {
    Value a = abs(x), e = exp(a);
    Value large = mul(sub(e, div(constant(1), e)), constant(0.5));
    // Close to 0 the difference has no digits.
    Value s = mul(a, a);
    Value small =
        mul(a, series(s, {1.0, 1.0 / 6, 1.0 / 120, 1.0 / 5040, 1.0 / 362880}));
    return copySign(select(less(a, constant(0.3)), small, large), x);
  }
  Value cosh(Value x) {
    Value e = exp(abs(x));
    return mul(add(e, div(constant(1), e)), constant(0.5));
  }

  Value asinh(Value x) {
    Value a = abs(x), s = mul(a, a);
    Value large = log(add(a, sqrt(add(s, constant(1)))));
    Value small = mul(a, series(s, {1.0, -1.0 / 6, 3.0 / 40}));
    return copySign(select(less(a, constant(0.01)), small, large), x);
  }
  Value acosh(Value x) {
    Value one = constant(1);
    Value result = log(add(x, sqrt(sub(mul(x, x), one))));
    return select(less(x, one), constant(kNan), result);
  }
  Value atanh(Value x) {
    Value one = constant(1);
    Value large = mul(log(div(add(one, x), sub(one, x))), constant(0.5));
    Value small = mul(x, series(mul(x, x), {1.0, 1.0 / 3, 1.0 / 5, 1.0 / 7}));
    return select(less(abs(x), constant(0.01)), small, large);
  }

  Value atan(Value x) { return copySign(atanOfPositive(abs(x)), x); }
  Value asin(Value x) {
    return copySign(atanOfPositive(div(abs(x), complement(x))), x);
  }
  Value acos(Value x) {
    Value a = atanOfPositive(div(complement(x), abs(x)));
    return select(less(x, constant(0)), sub(constant(kPi), a), a);
  }
  Value atan2(Value y, Value x) {
    Value ay = abs(y), ax = abs(x);
    Value ratio = div(ay, ax);
    ratio = select(equal(ay, ax), constant(1), ratio); // of infinities
    ratio = select(equal(ay, constant(0)), constant(0), ratio);
    Value a = atanOfPositive(ratio);
    a = select(isNegative(x), sub(constant(kPi), a), a);
    a = select(isNan(x), x, a);
    return copySign(a, y);
  }

  Value sin(Value x) {
    auto [r, quadrant] = reduceAngle(x);
    return copyProduct(x, sine(r, quadrant));
  }
  Value cos(Value x) {
    auto [r, quadrant] = reduceAngle(x);
    return sine(r, addInteger(quadrant, 1));
  }
  Value tan(Value x) {
    auto [r, quadrant] = reduceAngle(x);
    Value quotient = div(sine(r, quadrant), sine(r, addInteger(quadrant, 1)));
    return copyProduct(x, quotient);
  }

  Value pow(Value x, Value y) {
    return powerOf(x, y, exp(mul(y, log(abs(x)))));
  }

private:
  Value log(Value x) { return WideArithmetic::log(x); }

  /// sqrt(1 - x^2), to all digits.
  Value complement(Value x) {
    Value one = constant(1);
    return sqrt(mul(sub(one, x), add(one, x)));
  }

  Value atanOfPositive(Value x) {
    // To [0, 1], and then to |v| < tan(pi / 8).
    Value one = constant(1);
    Value isLarge = less(one, x);
    Value u = select(isLarge, div(one, x), x);
    Value isMiddle = less(constant(0.41421356), u);
    Value v = select(isMiddle, div(sub(u, one), add(u, one)), u);
    SmallVector<double> terms;
    for (int k = 0; k < 14; ++k)
      terms.push_back((k % 2 ? -1.0 : 1.0) / (2 * k + 1));
    Value a = mul(v, series(mul(v, v), terms));
    a = select(isMiddle, add(a, constant(kPi / 4)), a);
    return select(isLarge, sub(constant(kPi / 2), a), a);
  }

  /// The sine of |x|'s quadrant and remainder, with the sign of x.
  Value copyProduct(Value x, Value value) {
    return mul(value, copySign(constant(1), x));
  }

  /// sin(r + quadrant * pi / 2).
  Value sine(Value r, Value quadrant) {
    Value s = mul(r, r);
    Value sinValue = mul(r, series(s, {1.0, -1.0 / 6, 1.0 / 120, -1.0 / 5040,
                                       1.0 / 362880, -1.0 / 39916800}));
    Value cosValue = series(
        s, {1.0, -1.0 / 2, 1.0 / 24, -1.0 / 720, 1.0 / 40320, -1.0 / 3628800});
    Value value = select(hasBit(quadrant, 0), cosValue, sinValue);
    return select(hasBit(quadrant, 1), sub(constant(-0.0), value), value);
  }
};

/// Replaces a function of f32 by one of f64.
template <typename OpTy, Value (Functions::*function)(Value)>
struct ExpandUnary : OpRewritePattern<OpTy> {
  using OpRewritePattern<OpTy>::OpRewritePattern;

  LogicalResult matchAndRewrite(OpTy op,
                                PatternRewriter &rewriter) const override {
    if (!getElementTypeOrSelf(op.getType()).isF32())
      return rewriter.notifyMatchFailure(op, "not f32");
    Functions functions(rewriter, op.getLoc(), op.getType());
    Value x = functions.widen(op.getOperand());
    rewriter.replaceOp(op, functions.narrow((functions.*function)(x)));
    return success();
  }
};

template <typename OpTy, Value (Functions::*function)(Value, Value)>
struct ExpandBinary : OpRewritePattern<OpTy> {
  using OpRewritePattern<OpTy>::OpRewritePattern;

  LogicalResult matchAndRewrite(OpTy op,
                                PatternRewriter &rewriter) const override {
    if (!getElementTypeOrSelf(op.getType()).isF32())
      return rewriter.notifyMatchFailure(op, "not f32");
    Functions functions(rewriter, op.getLoc(), op.getType());
    Value a = functions.widen(op->getOperand(0));
    Value b = functions.widen(op->getOperand(1));
    rewriter.replaceOp(op, functions.narrow((functions.*function)(a, b)));
    return success();
  }
};

/// Element by element, where the vector has more than one.
template <typename OpTy>
LogicalResult splitVector(OpTy op, VectorType vector,
                          PatternRewriter &rewriter) {
  if (vector.getRank() != 1)
    return rewriter.notifyMatchFailure(op, "a vector of several dimensions");
  SmallVector<Value> elements;
  for (int64_t i = 0; i < vector.getNumElements(); ++i) {
    SmallVector<Value> operands;
    for (Value operand : op->getOperands())
      operands.push_back(
          vector::ExtractOp::create(rewriter, op.getLoc(), operand, i));
    elements.push_back(OpTy::create(rewriter, op.getLoc(),
                                    TypeRange(vector.getElementType()),
                                    operands, op->getAttrs()));
  }
  rewriter.replaceOpWithNewOp<vector::FromElementsOp>(op, vector, elements);
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
    Functions functions(rewriter, op.getLoc(), op.getType());
    Value x = functions.widen(op.getOperand());
    Value result = functions.div(functions.constant(1), functions.sqrt(x));
    rewriter.replaceOp(op, functions.narrow(result));
    return success();
  }
};

/// What an absolute value is compared with infinity for.
template <typename OpTy, arith::CmpFPredicate predicate>
struct ExpandClass : OpRewritePattern<OpTy> {
  using OpRewritePattern<OpTy>::OpRewritePattern;

  LogicalResult matchAndRewrite(OpTy op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Type type = op.getOperand().getType();
    auto element = cast<FloatType>(getElementTypeOrSelf(type));
    TypedAttr infinity = rewriter.getFloatAttr(
        element, APFloat::getInf(element.getFloatSemantics()));
    if (auto vector = dyn_cast<VectorType>(type))
      infinity = DenseElementsAttr::get(vector, Attribute(infinity));
    Value limit = arith::ConstantOp::create(rewriter, loc, infinity);
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
    Functions functions(rewriter, loc, type);
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
    using F = Functions;
    patterns.add<
        ExpandUnary<math::AcosOp, &F::acos>,
        ExpandUnary<math::AcoshOp, &F::acosh>,
        ExpandUnary<math::AsinOp, &F::asin>,
        ExpandUnary<math::AsinhOp, &F::asinh>,
        ExpandUnary<math::AtanOp, &F::atan>,
        ExpandUnary<math::AtanhOp, &F::atanh>,
        ExpandUnary<math::CbrtOp, &F::cbrt>, ExpandUnary<math::CosOp, &F::cos>,
        ExpandUnary<math::CoshOp, &F::cosh>,
        ExpandUnary<math::Exp2Op, &F::exp2>,
        ExpandUnary<math::Log10Op, &F::log10>,
        ExpandUnary<math::Log2Op, &F::log2>, ExpandUnary<math::SinOp, &F::sin>,
        ExpandUnary<math::SinhOp, &F::sinh>, ExpandUnary<math::TanOp, &F::tan>,
        ExpandBinary<math::Atan2Op, &F::atan2>,
        ExpandBinary<math::PowFOp, &F::pow>,
        ExpandClass<math::IsFiniteOp, arith::CmpFPredicate::OLT>,
        ExpandClass<math::IsInfOp, arith::CmpFPredicate::OEQ>,
        ExpandClass<math::IsNaNOp, arith::CmpFPredicate::UNO>, ExpandRsqrt,
        ExpandRemainder>(&getContext());
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
