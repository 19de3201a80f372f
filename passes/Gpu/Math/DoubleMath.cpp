// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Exponentials, logarithms and functions composed of them, in f64.
#include "passes/Gpu/Math/DoubleMath.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/bit.h"

using namespace mlir;
using namespace hone;

static constexpr double kInfinity = std::numeric_limits<double>::infinity();
static constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
/// The first part has 32 bits, so that its product with an exponent is exact.
static constexpr double kLn2High = 0x1.62e42feep-1,
                        kLn2Low = 0x1.a39ef35793c76p-33;

DoubleMath::DoubleMath(PatternRewriter &rewriter, Location loc)
    : WideArithmetic(rewriter, loc, rewriter.getF64Type()) {}

/// A product that is rounded by itself: code generators may contract a product
/// with the sum that uses it.
Value DoubleMath::product(Value a, Value b) { return fma(a, b, constant(0)); }

DoubleMath::Pair DoubleMath::exactProduct(Value a, Value b) {
  Value high = product(a, b);
  return {high, fma(a, b, sub(constant(-0.0), high))};
}

DoubleMath::Pair DoubleMath::exactSum(Value a, Value b) {
  Value high = add(a, b), other = sub(high, a);
  return {high, add(sub(a, sub(high, other)), sub(b, other))};
}

/// NaN propagates.
Value DoubleMath::clamp(Value x, double low, double high) {
  Value lowest = constant(low), highest = constant(high);
  x = select(less(x, lowest), lowest, x);
  return select(less(highest, x), highest, x);
}

/// 2 to an integer power whose result is normal.
Value DoubleMath::powerOfTwo(Value exponent) {
  Value biased = addInteger(exponent, 1023);
  return fromBits(
      arith::ShLIOp::create(rewriter, loc, biased, integer(52)).getResult());
}

/// x 2^exponent, in two steps of which the first gives a normal number.
Value DoubleMath::scaled(Value x, Value exponent) {
  Value half = arith::ShRSIOp::create(rewriter, loc, exponent, integer(1));
  Value other = arith::SubIOp::create(rewriter, loc, exponent, half);
  return mul(mul(x, powerOfTwo(half)), powerOfTwo(other));
}

//===-- Exponentials ------------------------------------------------------===//

/// x = n ln 2 + rest, |rest| < 0.35.
std::pair<DoubleMath::Pair, Value> DoubleMath::reduceExponent(Pair x) {
  Value t = fma(x.high, constant(0x1.71547652b82fep+0), constant(kRound));
  Value n = sub(t, constant(kRound));
  Value rest = fma(n, constant(-kLn2High), x.high); // exact
  Value low = fma(n, constant(-kLn2Low), x.low);
  Value count = arith::SubIOp::create(rewriter, loc, bits(t),
                                      integer(llvm::bit_cast<int64_t>(kRound)));
  return {exactSum(rest, low), count};
}

/// exp(rest) - 1.
Value DoubleMath::expm1OfRest(Pair rest) {
  SmallVector<double> terms;
  double factorial = 2;
  for (int k = 2; k <= 14; ++k) {
    terms.push_back(1 / factorial);
    factorial *= k + 1;
  }
  Value r = rest.high;
  return add(r, fma(product(r, r), series(r, terms), rest.low));
}

/// exp(x) 2^exponent.
Value DoubleMath::expOf(Pair x, int64_t exponent) {
  auto [rest, n] = reduceExponent({clamp(x.high, -750, 712), x.low});
  Value result = add(constant(1), expm1OfRest(rest));
  return scaled(result, addInteger(n, exponent));
}

Value DoubleMath::exp(Value x) { return expOf({x, constant(0)}); }

Value DoubleMath::exp2(Value x) {
  // In units of ln 2; the integer part stays exact.
  x = clamp(x, -1080, 1025);
  Value t = add(x, constant(kRound));
  Value rest = sub(x, sub(t, constant(kRound)));
  Pair natural = exactProduct(rest, constant(0x1.62e42fefa39efp-1));
  natural.low = fma(rest, constant(0x1.abc9e3b39803fp-56), natural.low);
  Value result = add(constant(1), expm1OfRest(natural));
  Value n = arith::SubIOp::create(rewriter, loc, bits(t),
                                  integer(llvm::bit_cast<int64_t>(kRound)));
  return scaled(result, n);
}

Value DoubleMath::expm1(Value x) {
  auto [rest, n] = reduceExponent({clamp(x, -100, 710), constant(0)});
  // 2^n (1 + e) - 1, halved: the largest 2^n is not representable.
  Value scale = powerOfTwo(addInteger(n, -1));
  Value result = fma(scale, expm1OfRest(rest), sub(scale, constant(0.5)));
  result = mul(result, constant(2));
  // Halves of the smallest numbers are not representable.
  return select(less(abs(x), constant(0x1p-54)), x, result);
}

//===-- Logarithms --------------------------------------------------------===//

DoubleMath::Split DoubleMath::split(Value x) {
  Value isSmall = less(x, constant(0x1p-1022));
  x = select(isSmall, mul(x, constant(0x1p54)), x);
  Value root = integer(llvm::bit_cast<int64_t>(0.70710678118654752));
  Value e = arith::SubIOp::create(rewriter, loc, bits(x), root);
  e = arith::ShRSIOp::create(rewriter, loc, e, integer(52));
  Value scale = arith::ShLIOp::create(rewriter, loc, e, integer(52));
  Value m = fromBits(
      arith::SubIOp::create(rewriter, loc, bits(x), scale).getResult());
  Value exponent =
      arith::SIToFPOp::create(rewriter, loc, rewriter.getF64Type(), e);
  exponent = select(isSmall, sub(exponent, constant(54)), exponent);
  return {exponent, sub(m, constant(1))};
}

/// log(1 + f) + low, by the series of 2 artanh(s) for s = f / (2 + f), with f
/// and its square split off: these are known more precisely than s.
Value DoubleMath::logOfRest(Value f, Value low) {
  SmallVector<double> terms;
  for (int k = 1; k <= 11; ++k)
    terms.push_back(2.0 / (2 * k + 1));
  Value s = div(f, add(constant(2), f));
  Value z = product(s, s);
  Value halfSquare = product(mul(f, constant(0.5)), f);
  Value rest = add(halfSquare, product(z, series(z, terms)));
  return sub(f, sub(halfSquare, fma(s, rest, low)));
}

/// Of zero, infinity, and where it is undefined.
Value DoubleMath::logSpecial(Value x, Value result) {
  Value zero = constant(0), infinity = constant(kInfinity);
  result = select(equal(x, zero), constant(-kInfinity), result);
  result = select(equal(x, infinity), infinity, result);
  result = select(less(x, zero), constant(kNan), result);
  return select(isNan(x), x, result);
}

Value DoubleMath::log(Value x) {
  auto [e, f] = split(x);
  Value rest = logOfRest(f, product(e, constant(kLn2Low)));
  return logSpecial(x, fma(e, constant(kLn2High), rest));
}

Value DoubleMath::log2(Value x) {
  auto [e, f] = split(x);
  Value rest = logOfRest(f, constant(0));
  return logSpecial(x, fma(rest, constant(0x1.71547652b82fep+0), e));
}

Value DoubleMath::log10(Value x) {
  auto [e, f] = split(x);
  Value rest =
      product(logOfRest(f, constant(0)), constant(0x1.bcb7b1526e50ep-2));
  rest = fma(e, constant(0x1.ef3fde623e256p-35), rest);
  return logSpecial(x, fma(e, constant(0x1.34413509p-2), rest));
}

Value DoubleMath::log1p(Value x) {
  // The rounding error of 1 + x is corrected to first order.
  Value one = constant(1), u = add(one, x);
  Value lost = select(less(x, one), sub(x, sub(u, one)), sub(one, sub(u, x)));
  Value result = add(log(u), div(lost, u));
  Value isFinite = both(less(constant(0), u), less(u, constant(kInfinity)));
  result = select(isFinite, result, log(u));
  return select(equal(u, one), x, result);
}

/// log(x) of a positive number, to 65 bits or more.
DoubleMath::Pair DoubleMath::logPair(Value x) {
  auto [e, f] = split(x);
  Value two = constant(2), sum = add(two, f);
  Value sumLow = sub(f, sub(sum, two));
  Value s = div(f, sum), minusS = sub(constant(-0.0), s);
  Value left = fma(minusS, sumLow, fma(minusS, sum, f));
  Value sLow = div(left, sum);
  // 2 s + s^3 (2/3 + z P(z)), with z = s^2.
  Pair z = exactProduct(s, s);
  z.low = fma(add(s, s), sLow, z.low);
  SmallVector<double> terms;
  for (int k = 2; k <= 12; ++k)
    terms.push_back(2.0 / (2 * k + 1));
  Pair t = exactSum(constant(0x1.5555555555555p-1),
                    product(z.high, series(z.high, terms)));
  t.low = add(t.low, constant(0x1.5555555555555p-55));
  Pair cube = exactProduct(s, z.high);
  cube.low = add(cube.low, fma(s, z.low, mul(sLow, z.high)));
  Pair rest = exactProduct(cube.high, t.high);
  rest.low = add(rest.low, fma(cube.high, t.low, mul(cube.low, t.high)));
  Pair a = exactSum(add(s, s), rest.high);
  a.low = add(a.low, add(add(sLow, sLow), rest.low));
  Pair result = exactSum(product(e, constant(kLn2High)), a.high);
  result.low = add(result.low, fma(e, constant(kLn2Low), a.low));
  return exactSum(result.high, result.low);
}

//===-- Powers and roots --------------------------------------------------===//

Value DoubleMath::pow(Value x, Value y) {
  Value magnitude = abs(x);
  Pair logX = logPair(magnitude);
  Value high = logSpecial(magnitude, logX.high);
  Value isFinite = less(abs(high), constant(kInfinity));
  Pair power = exactProduct(y, high);
  power.low = fma(y, logX.low, power.low);
  // For large arguments, whose low part is 0.
  Value isNear = both(isFinite, less(abs(power.high), constant(800)));
  power.low = select(isNear, power.low, constant(0));
  return powerOf(x, y, expOf(power));
}

Value DoubleMath::cbrt(Value x) {
  // Subnormal numbers are scaled by a cube: the error below needs digits.
  Value size = abs(x), isSmall = less(size, constant(0x1p-1022));
  Value a = select(isSmall, mul(size, constant(0x1p54)), size);
  Value y = exp(mul(log(a), constant(1.0 / 3)));
  // One step of Newton's method.
  Value square = product(y, y);
  Value error = fma(square, y, sub(constant(-0.0), a));
  Value result = sub(y, div(error, mul(square, constant(3))));
  result = select(isSmall, mul(result, constant(0x1p-18)), result);
  Value isOrdinary = both(less(constant(0), a), less(a, constant(kInfinity)));
  return copySign(select(isOrdinary, result, a), x);
}

//===-- The error function ------------------------------------------------===//

/// By the rational approximations of W. J. Cody, "Rational Chebyshev
/// Approximations for the Error Function" (Mathematics of Computation 23,
/// 1969).
Value DoubleMath::erf(Value x) {
  Value a = abs(x), z = product(a, a);
  Value small =
      div(series(z, {3.20937758913846947e+03, 3.77485237685302021e+02,
                     1.13864154151050156e+02, 3.16112374387056560e+00,
                     1.85777706184603153e-01}),
          series(z, {2.84423683343917062e+03, 1.28261652607737228e+03,
                     2.44024637934444173e+02, 2.36012909523441209e+01, 1.0}));
  // From 6 on the result is 1.
  Value u = clamp(a, 0, 6);
  Value ratio =
      div(series(u, {1.23033935479799725e+03, 2.05107837782607147e+03,
                     1.71204761263407058e+03, 8.81952221241769090e+02,
                     2.98635138197400131e+02, 6.61191906371416295e+01,
                     8.88314979438837594e+00, 5.64188496988670089e-01,
                     2.15311535474403846e-08}),
          series(u, {1.23033935480374942e+03, 3.43936767414372164e+03,
                     4.36261909014324716e+03, 3.29079923573345963e+03,
                     1.62138957456669019e+03, 5.37181101862009858e+02,
                     1.17693950891312499e+02, 1.57449261107098347e+01, 1.0}));
  Pair square = exactProduct(u, u);
  Value decay = expOf(
      {sub(constant(-0.0), square.high), sub(constant(-0.0), square.low)});
  Value large = fma(sub(constant(-0.0), decay), ratio, constant(1));
  Value isSmall = less(a, constant(0.46875));
  return copySign(select(isSmall, product(a, small), large), x);
}

//===-- Hyperbolic functions ----------------------------------------------===//

Value DoubleMath::sinh(Value x) {
  Value a = abs(x), t = expm1(a);
  Value near = mul(constant(0.5), add(t, div(t, add(t, constant(1)))));
  Value far = expOf({a, constant(0)}, -1);
  return copySign(select(less(constant(22), a), far, near), x);
}

Value DoubleMath::cosh(Value x) {
  Value half = expOf({abs(x), constant(0)}, -1);
  return add(half, div(constant(0.25), half));
}

Value DoubleMath::tanh(Value x) {
  Value t = expm1(mul(abs(x), constant(-2)));
  Value result = div(sub(constant(-0.0), t), add(t, constant(2)));
  return copySign(result, x);
}

/// From here on squares overflow, or 1 is negligible beside them.
static constexpr double kLarge = 0x1p28;

Value DoubleMath::asinh(Value x) {
  Value a = abs(x), one = constant(1);
  Value square = product(a, a);
  Value near = log1p(add(a, div(square, add(one, sqrt(add(one, square))))));
  Value far = add(log(a), constant(0x1.62e42fefa39efp-1));
  return copySign(select(less(constant(kLarge), a), far, near), x);
}

Value DoubleMath::acosh(Value x) {
  Value t = sub(x, constant(1));
  Value near = log1p(add(t, sqrt(mul(t, add(t, constant(2))))));
  Value far = add(log(x), constant(0x1.62e42fefa39efp-1));
  Value result = select(less(constant(kLarge), x), far, near);
  return select(less(x, constant(1)), constant(kNan), result);
}

Value DoubleMath::atanh(Value x) {
  Value a = abs(x);
  Value ratio = div(add(a, a), sub(constant(1), a));
  return copySign(mul(constant(0.5), log1p(ratio)), x);
}
