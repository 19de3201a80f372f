// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Series in f64 for functions of f32.
#include "passes/Emit/WideFunctions.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace hone;

static constexpr double kPi = 3.141592653589793238;
static constexpr double kLn2 = 0.693147180559945309;
static constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
static constexpr double kTanOfEighth = 0.414213562373095049; // of pi / 8

Value WideFunctions::exp2(Value x) { return exp(mul(x, constant(kLn2))); }

Value WideFunctions::log2(Value x) { return mul(log(x), constant(1 / kLn2)); }

Value WideFunctions::log10(Value x) {
  return mul(log(x), constant(0.434294481903251828));
}

Value WideFunctions::cbrt(Value x) {
  return copySign(exp(mul(log(abs(x)), constant(1.0 / 3))), x);
}

Value WideFunctions::sinh(Value x) {
  Value a = abs(x), e = exp(a);
  Value large = mul(sub(e, div(constant(1), e)), constant(0.5));
  // Close to 0 the difference has no significant digits.
  Value s = mul(a, a);
  Value small =
      mul(a, series(s, {1.0, 1.0 / 6, 1.0 / 120, 1.0 / 5040, 1.0 / 362880}));
  return copySign(select(less(a, constant(0.3)), small, large), x);
}

Value WideFunctions::cosh(Value x) {
  Value e = exp(abs(x));
  return mul(add(e, div(constant(1), e)), constant(0.5));
}

Value WideFunctions::asinh(Value x) {
  Value a = abs(x), s = mul(a, a);
  Value large = log(add(a, sqrt(add(s, constant(1)))));
  Value small = mul(a, series(s, {1.0, -1.0 / 6, 3.0 / 40}));
  return copySign(select(less(a, constant(0.01)), small, large), x);
}

Value WideFunctions::acosh(Value x) {
  Value one = constant(1);
  Value result = log(add(x, sqrt(sub(mul(x, x), one))));
  return select(less(x, one), constant(kNan), result);
}

Value WideFunctions::atanh(Value x) {
  Value one = constant(1);
  Value large = mul(log(div(add(one, x), sub(one, x))), constant(0.5));
  Value small = mul(x, series(mul(x, x), {1.0, 1.0 / 3, 1.0 / 5, 1.0 / 7}));
  return select(less(abs(x), constant(0.01)), small, large);
}

Value WideFunctions::atan(Value x) {
  return copySign(atanOfRatio(abs(x), constant(1)), x);
}

Value WideFunctions::asin(Value x) {
  return copySign(atanOfRatio(abs(x), complement(x)), x);
}

Value WideFunctions::acos(Value x) {
  Value a = atanOfRatio(complement(x), abs(x));
  return select(less(x, constant(0)), sub(constant(kPi), a), a);
}

Value WideFunctions::atan2(Value y, Value x) {
  Value ay = abs(y), ax = abs(x);
  Value ratio = div(ay, ax);
  ratio = select(equal(ay, ax), constant(1), ratio); // of infinities
  ratio = select(equal(ay, constant(0)), constant(0), ratio);
  Value a = atanOfRatio(ratio, constant(1));
  a = select(isNegative(x), sub(constant(kPi), a), a);
  a = select(isNan(x), x, a);
  return copySign(a, y);
}

Value WideFunctions::sin(Value x) {
  auto [r, quadrant] = reduceAngle(x);
  return copyProduct(x, sine(r, quadrant));
}

Value WideFunctions::cos(Value x) {
  auto [r, quadrant] = reduceAngle(x);
  return sine(r, addInteger(quadrant, 1));
}

Value WideFunctions::tan(Value x) {
  auto [r, quadrant] = reduceAngle(x);
  Value quotient = div(sine(r, quadrant), sine(r, addInteger(quadrant, 1)));
  return copyProduct(x, quotient);
}

Value WideFunctions::pow(Value x, Value y) {
  return powerOf(x, y, exp(mul(y, log(abs(x)))));
}

/// sqrt(1 - x^2), to full precision.
Value WideFunctions::complement(Value x) {
  Value one = constant(1);
  return sqrt(mul(sub(one, x), add(one, x)));
}

/// atan(y / x) of non-negative numbers, of which one may be infinite, with one
/// division: reduced to |v| < tan(pi / 8), from 0, pi / 4 or pi / 2.
Value WideFunctions::atanOfRatio(Value y, Value x) {
  Value isMiddle = less(mul(x, constant(kTanOfEighth)), y);
  Value isLarge = less(x, mul(y, constant(kTanOfEighth)));
  Value over =
      select(isLarge, sub(constant(0), x), select(isMiddle, sub(y, x), y));
  Value under = select(isLarge, y, select(isMiddle, add(y, x), x));
  Value v = div(over, under);
  SmallVector<double> terms;
  for (int k = 0; k < 12; ++k)
    terms.push_back((k % 2 ? -1.0 : 1.0) / (2 * k + 1));
  Value from = select(isLarge, constant(kPi / 2),
                      select(isMiddle, constant(kPi / 4), constant(0)));
  return fma(v, series(mul(v, v), terms), from);
}

/// `value` times the sign of x.
Value WideFunctions::copyProduct(Value x, Value value) {
  return mul(value, copySign(constant(1), x));
}

/// sin(r + quadrant * pi / 2).
Value WideFunctions::sine(Value r, Value quadrant) {
  Value s = mul(r, r);
  Value sinValue = mul(r, series(s, {1.0, -1.0 / 6, 1.0 / 120, -1.0 / 5040,
                                     1.0 / 362880, -1.0 / 39916800}));
  Value cosValue = series(
      s, {1.0, -1.0 / 2, 1.0 / 24, -1.0 / 720, 1.0 / 40320, -1.0 / 3628800});
  Value value = select(hasBit(quadrant, 0), cosValue, sinValue);
  return select(hasBit(quadrant, 1), sub(constant(-0.0), value), value);
}

void hone::populateWideFunctionPatterns(RewritePatternSet &patterns,
                                        bool branches) {
  using F = WideFunctions;
  patterns.add<
      ExpandByWide<math::AcosOp, &F::acos>,
      ExpandByWide<math::AcoshOp, &F::acosh>,
      ExpandByWide<math::AsinOp, &F::asin>,
      ExpandByWide<math::AsinhOp, &F::asinh>,
      ExpandByWide<math::AtanOp, &F::atan>,
      ExpandByWide<math::AtanhOp, &F::atanh>,
      ExpandByWide<math::CosOp, &F::cos>, ExpandByWide<math::CoshOp, &F::cosh>,
      ExpandByWide<math::SinOp, &F::sin>, ExpandByWide<math::SinhOp, &F::sinh>,
      ExpandByWide<math::TanOp, &F::tan>>(patterns.getContext(), branches);
  patterns.add<ExpandBinaryByWide<math::PowFOp, &F::pow>>(
      patterns.getContext());
}

Value hone::computeByElement(OpBuilder &builder, Operation *op) {
  auto vector = cast<VectorType>(op->getResult(0).getType());
  SmallVector<Value> elements;
  for (int64_t i = 0; i < vector.getNumElements(); ++i) {
    SmallVector<Value> operands;
    for (Value operand : op->getOperands())
      operands.push_back(
          vector::ExtractOp::create(builder, op->getLoc(), operand, i));
    OperationState element(op->getLoc(), op->getName(), operands,
                           vector.getElementType(), op->getAttrs());
    elements.push_back(builder.create(element)->getResult(0));
  }
  return vector::FromElementsOp::create(builder, op->getLoc(), vector,
                                        elements);
}
