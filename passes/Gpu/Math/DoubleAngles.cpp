// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Functions of angles and their inverses, in f64.
#include "passes/Gpu/Math/DoubleMath.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace hone;

static constexpr double kHalfPi[] = {
    0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54, -0x1.f1976b7ed8fbcp-110};

//===-- Reduction to a quadrant -------------------------------------------===//

/// Below 2^27 a multiple of pi / 2 in three parts is enough.
std::pair<DoubleMath::Pair, Value> DoubleMath::reduceSmallAngle(Value a) {
  Value t = fma(a, constant(0x1.45f306dc9c883p-1), constant(kRound));
  Value n = sub(t, constant(kRound));
  auto minus = [&](Value x) { return sub(constant(-0.0), x); };
  Pair first = exactProduct(n, constant(kHalfPi[0]));
  Pair second = exactProduct(n, constant(kHalfPi[1]));
  Value left = sub(a, first.high); // exact
  Pair r = exactSum(left, minus(first.low));
  Pair s = exactSum(r.high, minus(second.high));
  Value low = fma(n, constant(-kHalfPi[2]), minus(second.low));
  low = add(low, add(r.low, s.low));
  return {exactSum(s.high, low), bits(t)};
}

/// For a = m 2^e with an integer m < 2^53: only a * 2 / pi modulo 4 matters, so
/// bits of 2 / pi before 2^(2 - e) can be omitted, and 192 bits after them are
/// enough (M. Payne and R. Hanek, "Radian Reduction for Trigonometric
/// Functions", 1983).
std::pair<DoubleMath::Pair, Value> DoubleMath::reduceLargeAngle(Value a) {
  static constexpr uint64_t kTwoOverPi[] = {0, // before the point
                                            0xa2f9836e4e441529,
                                            0xfc2757d1f534ddc0,
                                            0xdb6295993c439041,
                                            0xfe5163abdebbc561,
                                            0xb7246e3a424dd2e0,
                                            0x06492eea09d1921c,
                                            0xfe1deb1cb129a73e,
                                            0xe88235f52ebb4484,
                                            0xe99c7026b45f7e41,
                                            0x3991d639835339f4,
                                            0x9c845f8bbdf9283b,
                                            0x1ff897ffde05980f,
                                            0xef2f118b5a0a6d1f,
                                            0x6d367ecf27cb09b7,
                                            0x4f463f669e5fea2d,
                                            0x7527bac7ebe5f17b,
                                            0x3d0739f78a5292ea,
                                            0x6bfb5fb11f8d5d08,
                                            0x56033046fc7b6bab};
  auto op = [&](auto tag, Value x, Value y) -> Value {
    return decltype(tag)::create(rewriter, loc, x, y);
  };
  auto shl = [&](Value x, Value y) { return op(arith::ShLIOp(), x, y); };
  auto shr = [&](Value x, Value y) { return op(arith::ShRUIOp(), x, y); };
  auto addI = [&](Value x, Value y) { return op(arith::AddIOp(), x, y); };
  auto subI = [&](Value x, Value y) { return op(arith::SubIOp(), x, y); };
  auto andI = [&](Value x, Value y) { return op(arith::AndIOp(), x, y); };

  constexpr int64_t implicit = int64_t(1) << 52;
  Value b = bits(a);
  Value m =
      op(arith::OrIOp(), andI(b, integer(implicit - 1)), integer(implicit));
  // The number of the first bit that is used.
  Value first = subI(shr(b, integer(52)), integer(1075 + 2 - 64));
  Value word = shr(first, integer(6)), shift = andI(first, integer(63));
  // Words from that one on: in steps of 16, 8, 4, 2 and 1.
  SmallVector<Value> words;
  for (uint64_t value : kTwoOverPi)
    words.push_back(integer(int64_t(value)));
  size_t needed = 4;
  for (int bit = 4; bit >= 0; --bit) {
    Value isSet = hasBit(word, bit);
    size_t step = size_t(1) << bit, keep = needed + step - 1;
    for (size_t i = 0; i < keep && i + step < words.size(); ++i)
      words[i] = select(isSet, words[i + step], words[i]);
    words.resize(std::min(keep, words.size()));
  }
  // Shifting by 64 has no defined result.
  Value rest = subI(integer(63), shift), one = integer(1);
  SmallVector<Value, 3> window;
  for (int k = 0; k < 3; ++k)
    window.push_back(op(arith::OrIOp(), shl(words[k], shift),
                        shr(shr(words[k + 1], one), rest)));
  // m times the window, modulo 2^192.
  auto wide = [&](Value x) {
    return arith::MulUIExtendedOp::create(rewriter, loc, m, x);
  };
  auto low = wide(window[2]), middle = wide(window[1]);
  Value mid = addI(middle.getLow(), low.getHigh());
  Value carry = arith::CmpIOp::create(rewriter, loc, arith::CmpIPredicate::ult,
                                      mid, low.getHigh());
  carry = arith::ExtUIOp::create(rewriter, loc, integerType(), carry);
  Value top =
      addI(addI(op(arith::MulIOp(), m, window[0]), middle.getHigh()), carry);
  // In units of 2^-62 quadrants, with the middle word after the point.
  Value n = shr(addI(top, integer(int64_t(1) << 61)), integer(62));
  top = subI(top, shl(n, integer(62)));
  auto part = [&](Value whole, double scale) {
    Value number =
        arith::SIToFPOp::create(rewriter, loc, rewriter.getF64Type(), whole);
    return product(number, constant(scale));
  };
  Value half = integer(32), mask = integer(0xffffffff);
  Value highest = op(arith::ShRSIOp(), top, half);
  Pair s = exactSum(part(highest, 0x1p-30), part(andI(top, mask), 0x1p-62));
  Pair f = exactSum(s.high, part(shr(mid, half), 0x1p-94));
  f.low = add(add(f.low, s.low), part(andI(mid, mask), 0x1p-126));
  f = exactSum(f.high, f.low);
  Pair r = exactProduct(f.high, constant(kHalfPi[0]));
  Value tail =
      fma(f.high, constant(kHalfPi[1]), product(f.low, constant(kHalfPi[0])));
  return {exactSum(r.high, add(r.low, tail)), n};
}

/// |x| = r + n pi / 2; n is exact in its last two bits.
std::pair<DoubleMath::Pair, Value> DoubleMath::reduceAngle(Value a) {
  auto yield = [&](std::pair<Pair, Value> reduced) {
    auto &[r, n] = reduced;
    scf::YieldOp::create(rewriter, loc, ValueRange{r.high, r.low, n});
  };
  auto branch = scf::IfOp::create(
      rewriter, loc, less(a, constant(0x1p27)),
      [&](OpBuilder &, Location) { yield(reduceSmallAngle(a)); },
      [&](OpBuilder &, Location) { yield(reduceLargeAngle(a)); });
  // Infinity has no remainder.
  Value high = add(branch.getResult(0), sub(a, a));
  return {{high, branch.getResult(1)}, branch.getResult(2)};
}

//===-- Sine, cosine, tangent ---------------------------------------------===//

/// Of |x|.
std::pair<Value, Value> DoubleMath::sineAndCosine(Value x) {
  auto [r, quadrant] = reduceAngle(abs(x));
  Value z = product(r.high, r.high);
  SmallVector<double> sineTerms, cosineTerms;
  double factorial = 6;
  for (int k = 3; k <= 20; ++k) {
    double term = (k / 2 % 2 ? -1 : 1) / factorial;
    (k % 2 ? sineTerms : cosineTerms).push_back(term);
    factorial *= k + 1;
  }
  // To first order in the low part.
  Value one = constant(1), half = mul(z, constant(0.5));
  Value rest =
      fma(product(z, r.high), series(z, sineTerms), mul(r.low, sub(one, half)));
  Value sine = add(r.high, rest);
  Value w = sub(one, half);
  Value lost = sub(sub(one, w), half);
  Value tail = fma(product(z, z), series(z, cosineTerms),
                   sub(constant(-0.0), product(r.high, r.low)));
  Value cosine = add(w, add(lost, tail));

  Value isOdd = hasBit(quadrant, 0), isBehind = hasBit(quadrant, 1);
  auto negateIf = [&](Value condition, Value value) {
    return select(condition, sub(constant(-0.0), value), value);
  };
  Value isBetween =
      arith::XOrIOp::create(rewriter, loc, isOdd, isBehind).getResult();
  return {negateIf(isBehind, select(isOdd, cosine, sine)),
          negateIf(isBetween, select(isOdd, sine, cosine))};
}

Value DoubleMath::sin(Value x) {
  Value sine = sineAndCosine(x).first;
  return mul(sine, copySign(constant(1), x));
}

Value DoubleMath::cos(Value x) { return sineAndCosine(x).second; }

Value DoubleMath::tan(Value x) {
  auto [sine, cosine] = sineAndCosine(x);
  return mul(div(sine, cosine), copySign(constant(1), x));
}

//===-- Inverses ----------------------------------------------------------===//

Value DoubleMath::atanOfPositive(Value x) {
  // To [0, 1], and from there to an angle whose tangent is close.
  Value one = constant(1), zero = constant(0);
  Value isLarge = less(one, x);
  Value u = select(isLarge, div(one, x), x);
  Value isMiddle = less(constant(0.25), u), isHigh = less(constant(0.75), u);
  auto choose = [&](double middle, double high) {
    return select(isHigh, constant(high),
                  select(isMiddle, constant(middle), zero));
  };
  Value close = choose(0.5, 1);
  Value v = div(sub(u, close), fma(u, close, one));
  SmallVector<double> terms;
  for (int k = 1; k <= 14; ++k)
    terms.push_back((k % 2 ? -1.0 : 1.0) / (2 * k + 1));
  Value z = product(v, v);
  Value rest = fma(product(z, v), series(z, terms),
                   choose(0x1.a2b7f222f65e2p-56, 0x1.1a62633145c07p-55));
  Value a =
      add(choose(0x1.dac670561bb4fp-2, 0x1.921fb54442d18p-1), add(v, rest));
  Value other = sub(constant(kHalfPi[0]), sub(a, constant(kHalfPi[1])));
  return select(isLarge, other, a);
}

/// sqrt(1 - x^2), to full precision.
Value DoubleMath::complement(Value x) {
  Value one = constant(1);
  return sqrt(mul(sub(one, x), add(one, x)));
}

Value DoubleMath::atan(Value x) { return copySign(atanOfPositive(abs(x)), x); }

Value DoubleMath::asin(Value x) {
  return copySign(atanOfPositive(div(abs(x), complement(x))), x);
}

/// The angle on the other side.
static constexpr double kPi[] = {0x1.921fb54442d18p+1, 0x1.1a62633145c07p-53};

Value DoubleMath::acos(Value x) {
  Value a = atanOfPositive(div(complement(x), abs(x)));
  Value other = sub(constant(kPi[0]), sub(a, constant(kPi[1])));
  return select(less(x, constant(0)), other, a);
}

Value DoubleMath::atan2(Value y, Value x) {
  Value ay = abs(y), ax = abs(x);
  Value ratio = div(ay, ax);
  ratio = select(equal(ay, ax), constant(1), ratio); // of infinities
  ratio = select(equal(ay, constant(0)), constant(0), ratio);
  Value a = atanOfPositive(ratio);
  Value other = sub(constant(kPi[0]), sub(a, constant(kPi[1])));
  a = select(isNegative(x), other, a);
  a = select(isNan(x), x, a);
  return copySign(a, y);
}
