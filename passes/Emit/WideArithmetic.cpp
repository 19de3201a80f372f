// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Arithmetic in f64 that the functions are built from.
#include "passes/Emit/WideArithmetic.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Emit/Emit.h"
#include "llvm/ADT/bit.h"

using namespace mlir;
using namespace hone;

static constexpr double kLn2 = 0.693147180559945309;
static constexpr double kInfinity = std::numeric_limits<double>::infinity();
static constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
static constexpr int64_t kMantissa = (int64_t(1) << 52) - 1;

WideArithmetic::WideArithmetic(PatternRewriter &rewriter, Location loc,
                               Type narrowType, bool branches)
    : rewriter(rewriter), loc(loc), narrowType(narrowType),
      type(rewriter.getF64Type()), branches(branches) {
  if (auto vector = dyn_cast<VectorType>(narrowType))
    type = vector.clone(rewriter.getF64Type());
}

Type WideArithmetic::integerType() {
  if (auto vector = dyn_cast<VectorType>(type))
    return vector.clone(rewriter.getI64Type());
  return rewriter.getI64Type();
}

Value WideArithmetic::constant(double value) {
  return splat(rewriter, loc, type, rewriter.getF64FloatAttr(value));
}

Value WideArithmetic::integer(int64_t value) {
  return splat(rewriter, loc, integerType(), rewriter.getI64IntegerAttr(value));
}

Value WideArithmetic::widen(Value value) {
  if (narrowType == type)
    return value;
  return arith::ExtFOp::create(rewriter, loc, type, value);
}

Value WideArithmetic::narrow(Value value) {
  if (narrowType == type)
    return value;
  return arith::TruncFOp::create(rewriter, loc, narrowType, value);
}

Value WideArithmetic::add(Value a, Value b) {
  return arith::AddFOp::create(rewriter, loc, a, b);
}
Value WideArithmetic::sub(Value a, Value b) {
  return arith::SubFOp::create(rewriter, loc, a, b);
}
Value WideArithmetic::mul(Value a, Value b) {
  return arith::MulFOp::create(rewriter, loc, a, b);
}
Value WideArithmetic::div(Value a, Value b) {
  return arith::DivFOp::create(rewriter, loc, a, b);
}
Value WideArithmetic::fma(Value a, Value b, Value c) {
  return math::FmaOp::create(rewriter, loc, a, b, c);
}
Value WideArithmetic::abs(Value a) {
  return math::AbsFOp::create(rewriter, loc, a);
}
Value WideArithmetic::floor(Value a) {
  return math::FloorOp::create(rewriter, loc, a);
}
Value WideArithmetic::sqrt(Value a) {
  return math::SqrtOp::create(rewriter, loc, a);
}
Value WideArithmetic::copySign(Value a, Value sign) {
  return math::CopySignOp::create(rewriter, loc, a, sign);
}
Value WideArithmetic::less(Value a, Value b) {
  return arith::CmpFOp::create(rewriter, loc, arith::CmpFPredicate::OLT, a, b);
}
Value WideArithmetic::equal(Value a, Value b) {
  return arith::CmpFOp::create(rewriter, loc, arith::CmpFPredicate::OEQ, a, b);
}
Value WideArithmetic::isNan(Value a) {
  return arith::CmpFOp::create(rewriter, loc, arith::CmpFPredicate::UNO, a, a);
}
Value WideArithmetic::isNegative(Value a) {
  return arith::CmpIOp::create(rewriter, loc, arith::CmpIPredicate::slt,
                               bits(a), integer(0));
}
Value WideArithmetic::both(Value a, Value b) {
  return arith::AndIOp::create(rewriter, loc, a, b);
}
Value WideArithmetic::either(Value a, Value b) {
  return arith::OrIOp::create(rewriter, loc, a, b);
}
Value WideArithmetic::negate(Value condition) {
  Value yes =
      splat(rewriter, loc, condition.getType(), rewriter.getBoolAttr(true));
  return arith::XOrIOp::create(rewriter, loc, condition, yes);
}
Value WideArithmetic::select(Value condition, Value a, Value b) {
  return arith::SelectOp::create(rewriter, loc, condition, a, b);
}
Value WideArithmetic::addInteger(Value a, int64_t b) {
  return arith::AddIOp::create(rewriter, loc, a, integer(b));
}
Value WideArithmetic::hasBit(Value value, int64_t bit) {
  Value masked =
      arith::AndIOp::create(rewriter, loc, value, integer(int64_t(1) << bit));
  return arith::CmpIOp::create(rewriter, loc, arith::CmpIPredicate::ne, masked,
                               integer(0));
}
Value WideArithmetic::bits(Value a) {
  return arith::BitcastOp::create(rewriter, loc, integerType(), a);
}
Value WideArithmetic::fromBits(Value a) {
  return arith::BitcastOp::create(rewriter, loc, type, a);
}

Value WideArithmetic::series(Value x, ArrayRef<double> coefficients) {
  Value sum = constant(coefficients.back());
  for (double coefficient : llvm::reverse(coefficients.drop_back()))
    sum = fma(sum, x, constant(coefficient));
  return sum;
}

Value WideArithmetic::exp(Value x) {
  // x = n ln 2 + r; NaN propagates.
  Value low = constant(-150), high = constant(150);
  x = select(less(x, low), low, x);
  x = select(less(high, x), high, x);
  Value t = fma(x, constant(1 / kLn2), constant(kRound));
  Value n = sub(t, constant(kRound));
  Value r = fma(n, constant(-0x1.62e42fefa39efp-1), x);
  r = fma(n, constant(-0x1.abc9e3b39803fp-56), r);
  SmallVector<double> terms;
  double term = 1;
  for (int k = 0; k <= 11; ++k) {
    terms.push_back(term);
    term /= k + 1;
  }
  // n is added to the exponent, which is 0 or -1.
  Value shift = arith::ShLIOp::create(rewriter, loc, bits(t), integer(52));
  return fromBits(
      arith::AddIOp::create(rewriter, loc, bits(series(r, terms)), shift));
}

Value WideArithmetic::log(Value x) {
  // x = 2^e m, with m between the square roots of 1/2 and 2.
  Value b = bits(x);
  Value root = integer(llvm::bit_cast<int64_t>(0.70710678118654752));
  Value e = arith::SubIOp::create(rewriter, loc, b, root);
  e = arith::ShRSIOp::create(rewriter, loc, e, integer(52));
  Value scale = arith::ShLIOp::create(rewriter, loc, e, integer(52));
  Value m = fromBits(arith::SubIOp::create(rewriter, loc, b, scale));
  Value f = sub(m, constant(1));
  Value s = div(f, add(m, constant(1)));
  SmallVector<double> terms;
  for (int k = 0; k < 10; ++k)
    terms.push_back(2.0 / (2 * k + 1));
  Value logM = mul(s, series(mul(s, s), terms));
  Value exponent = arith::SIToFPOp::create(rewriter, loc, type, e);
  Value result = fma(exponent, constant(kLn2), logM);
  Value zero = constant(0), infinity = constant(kInfinity);
  result = select(equal(x, zero), constant(-kInfinity), result);
  result = select(equal(x, infinity), infinity, result);
  result = select(less(x, zero), constant(kNan), result);
  return select(isNan(x), x, result);
}

Value WideArithmetic::powerOf(Value x, Value y, Value magnitude) {
  Value one = constant(1), zero = constant(0), half = constant(0.5);
  Value ax = abs(x), result = magnitude;
  // Exponents of a negative base must be integers, and odd ones keep its sign.
  Value halved = mul(y, half);
  Value isWhole = equal(floor(y), y);
  Value isOdd = both(isWhole, negate(equal(floor(halved), halved)));
  result =
      select(both(isNegative(x), isOdd), sub(constant(-0.0), result), result);
  Value isRoot =
      both(both(less(x, zero), negate(isWhole)), less(ax, constant(kInfinity)));
  result = select(isRoot, constant(kNan), result);
  // 1 to any power, anything to the power of 0, and -1 to infinity.
  Value endless = equal(abs(y), constant(kInfinity));
  Value isOne = either(either(equal(x, one), equal(y, zero)),
                       both(equal(ax, one), endless));
  return select(isOne, one, result);
}

std::pair<Value, Value> WideArithmetic::reduceAngle(Value x) {
  Value a = abs(x);
  Value t = fma(a, constant(0.636619772367581343), constant(kRound));
  Value n = sub(t, constant(kRound));
  Value r = fma(n, constant(-0x1.921fb54442d18p+0), a);
  r = fma(n, constant(-0x1.1a62633145c07p-54), r);
  n = bits(t);
  Value isSmall = less(a, constant(0x1p+26));
  auto withLarge = [&] {
    auto [largeR, largeN] = reduceLargeAngle(a);
    return std::make_pair(select(isSmall, r, largeR),
                          select(isSmall, n, largeN));
  };
  if (!branches) {
    std::tie(r, n) = withLarge();
  } else {
    Value isLarge = negate(isSmall);
    if (isa<VectorType>(isLarge.getType()))
      isLarge = vector::ReductionOp::create(rewriter, loc,
                                            vector::CombiningKind::OR, isLarge);
    auto branch = scf::IfOp::create(rewriter, loc, TypeRange{type, n.getType()},
                                    isLarge, /*withElse=*/true);
    OpBuilder::InsertionGuard guard(rewriter);
    rewriter.setInsertionPointToStart(branch.elseBlock());
    scf::YieldOp::create(rewriter, loc, ValueRange{r, n});
    rewriter.setInsertionPointToStart(branch.thenBlock());
    std::tie(r, n) = withLarge();
    scf::YieldOp::create(rewriter, loc, ValueRange{r, n});
    r = branch.getResult(0);
    n = branch.getResult(1);
  }
  // Infinity has no remainder.
  return {add(r, sub(a, a)), n};
}

/// For a = m 2^e with integers m < 2^24 and e > 0: only a * 2 / pi modulo 4
/// matters, so bits of 2 / pi before 2^(2 - e) can be omitted, and 96 bits
/// after them are enough.
std::pair<Value, Value> WideArithmetic::reduceLargeAngle(Value a) {
  static constexpr uint32_t kTwoOverPi[] = {0xa2f9836e, 0x4e441529, 0xfc2757d1,
                                            0xf534ddc0, 0xdb629599, 0x3c439041,
                                            0xfe5163ab};
  auto op = [&](auto tag, Value x, Value y) -> Value {
    return decltype(tag)::create(rewriter, loc, x, y);
  };
  auto shl = [&](Value x, Value y) { return op(arith::ShLIOp(), x, y); };
  auto shr = [&](Value x, Value y) { return op(arith::ShRUIOp(), x, y); };
  auto mulI = [&](Value x, Value y) { return op(arith::MulIOp(), x, y); };
  auto addI = [&](Value x, Value y) { return op(arith::AddIOp(), x, y); };
  auto subI = [&](Value x, Value y) { return op(arith::SubIOp(), x, y); };
  auto andI = [&](Value x, Value y) { return op(arith::AndIOp(), x, y); };
  auto orI = [&](Value x, Value y) { return op(arith::OrIOp(), x, y); };

  Value b = bits(a);
  Value m = orI(andI(b, integer(kMantissa)), integer(int64_t(1) << 52));
  m = shr(m, integer(29));
  // The number of the first bit that is used.
  Value first = subI(shr(b, integer(52)), integer(1023 + 25));
  first = op(arith::MaxSIOp(), first, integer(0));
  first = op(arith::MinSIOp(), first, integer(103));
  Value word = shr(first, integer(5)), shift = andI(first, integer(31));
  SmallVector<Value, 4> words;
  for (int k = 0; k < 4; ++k) {
    Value chosen = integer(kTwoOverPi[k]);
    for (int w = 1; w < 4; ++w) {
      Value isHere = arith::CmpIOp::create(
          rewriter, loc, arith::CmpIPredicate::eq, word, integer(w));
      chosen = select(isHere, integer(kTwoOverPi[k + w]), chosen);
    }
    words.push_back(chosen);
  }
  Value thirtyTwo = integer(32);
  Value product = integer(0), lower = product;
  for (int k = 3; k-- > 0;) {
    Value pair = orI(shl(words[k], thirtyTwo), words[k + 1]);
    Value part = shr(shl(pair, shift), thirtyTwo);
    lower = product;
    product = addI(mulI(m, part), shr(product, thirtyTwo));
  }
  Value value = orI(shl(product, thirtyTwo), andI(lower, integer(0xffffffff)));
  // In units of 2^-62 quadrants.
  Value n = shr(addI(value, integer(int64_t(1) << 61)), integer(62));
  Value fraction = subI(value, shl(n, integer(62)));
  Value r = arith::SIToFPOp::create(rewriter, loc, type, fraction);
  return {mul(r, constant(0x1.921fb54442d18p-62)), n};
}

Value WideArithmetic::remainder(Value a, Value b) {
  auto op = [&](auto tag, Value x, Value y) -> Value {
    return decltype(tag)::create(rewriter, loc, x, y);
  };
  auto compare = [&](arith::CmpIPredicate predicate, Value x, Value y) {
    return arith::CmpIOp::create(rewriter, loc, predicate, x, y);
  };
  Value infinity = constant(kInfinity), zero = constant(0);
  Value x = abs(a), y = abs(b);
  Value isDefined = both(less(x, infinity), less(zero, y));
  Value isSmaller = less(x, y);
  // Numbers as m 2^(e - 1075); subnormal ones have e = 1, too.
  auto split = [&](Value value) {
    Value b = bits(value);
    Value exponent = op(arith::ShRUIOp(), b, integer(52));
    Value mantissa = op(arith::AndIOp(), b, integer(kMantissa));
    Value isNormal = compare(arith::CmpIPredicate::ne, exponent, integer(0));
    Value whole = op(arith::OrIOp(), mantissa, integer(kMantissa + 1));
    return std::make_pair(select(isNormal, whole, mantissa),
                          Value(op(arith::MaxSIOp(), exponent, integer(1))));
  };
  auto [mx, ex] = split(x);
  auto [my, ey] = split(y);
  Value runs = both(isDefined, negate(isSmaller));
  my = select(runs, my, integer(1));
  Value distance = select(runs, op(arith::SubIOp(), ex, ey), integer(0));
  Value start = op(arith::RemUIOp(), mx, my);
  // A few bits of the quotient at a time.
  Value yAgain = my;
  auto loop = scf::WhileOp::create(
      rewriter, loc, TypeRange{start.getType(), start.getType()},
      ValueRange{start, distance},
      [&](OpBuilder &, Location loc, ValueRange args) {
        Value more = compare(arith::CmpIPredicate::sgt, args[1], integer(0));
        scf::ConditionOp::create(rewriter, loc, more, args);
      },
      [&](OpBuilder &, Location loc, ValueRange args) {
        Value count = op(arith::MinSIOp(), args[1], integer(10));
        Value shifted = op(arith::ShLIOp(), args[0], count);
        Value rest = op(arith::RemUIOp(), shifted, yAgain);
        Value left = op(arith::SubIOp(), args[1], count);
        scf::YieldOp::create(rewriter, loc, ValueRange{rest, left});
      });
  Value rest = arith::SIToFPOp::create(rewriter, loc, type, loop.getResult(0));
  // 2^-52 and 2^(ey - 1023) are normal numbers.
  Value scale = fromBits(op(arith::ShLIOp(), ey, integer(52)));
  rest = mul(mul(rest, constant(0x1p-52)), scale);
  Value result = select(isSmaller, x, rest);
  result = select(isDefined, result, constant(kNan));
  return copySign(result, a);
}
