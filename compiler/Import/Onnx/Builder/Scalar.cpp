// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Scalar arithmetic: operators and comparisons.
#include "compiler/Import/Onnx/Builder/Scalar.h"
#include "dialects/Graph/Graph.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace hone::onnx;

/// Assumed maximum of sizes, and of element counts, of a tensor whose sizes are
/// computed: arithmetic on larger ones may wrap around.
static constexpr int64_t kLargestSize = int64_t(1) << 24;

NumberRange hone::onnx::rangeOf(Value value, int depth) {
  NumberRange any, result;
  APInt number;
  if (matchPattern(value, m_ConstantInt(&number)))
    return {number.getSExtValue(), number.getSExtValue(), false};
  Operation *op = value.getDefiningOp();
  if (!op || depth > 8)
    return any;
  if (isa<hone::graph::DimOp, tensor::DimOp>(op))
    return {0, kLargestSize, true};
  if (isa<arith::IndexCastOp, arith::IndexCastUIOp>(op) &&
      op->getOperand(0).getType().isInteger() &&
      op->getOperand(0).getType().getIntOrFloatBitWidth() < 64) {
    unsigned bits = op->getOperand(0).getType().getIntOrFloatBitWidth();
    if (isa<arith::IndexCastUIOp>(op))
      return {0, (int64_t(1) << bits) - 1, false};
    return {-(int64_t(1) << (bits - 1)), (int64_t(1) << (bits - 1)) - 1, false};
  }
  bool isSelect = isa<arith::SelectOp>(op);
  if (!isSelect && !isa<arith::AddIOp, arith::MulIOp, arith::FloorDivSIOp,
                        arith::DivSIOp, arith::MinSIOp, arith::MaxSIOp>(op))
    return any;
  NumberRange a = rangeOf(op->getOperand(isSelect ? 1 : 0), depth + 1),
              b = rangeOf(op->getOperand(isSelect ? 2 : 1), depth + 1);
  result.isSize = a.isSize || b.isSize;
  if (isa<arith::MaxSIOp>(op)) {
    result.low = std::max(a.low, b.low);
    result.high = std::max(a.high, b.high);
  } else if (isa<arith::MinSIOp>(op)) {
    result.low = std::min(a.low, b.low);
    result.high = std::min(a.high, b.high);
  } else if (isSelect) {
    result.low = std::min(a.low, b.low);
    result.high = std::max(a.high, b.high);
  } else if (isa<arith::AddIOp>(op)) {
    if (llvm::AddOverflow(a.low, b.low, result.low) ||
        llvm::AddOverflow(a.high, b.high, result.high))
      return any;
  } else if (isa<arith::MulIOp>(op)) {
    if (a.isSize && b.isSize && a.low >= 0 && b.low >= 0) {
      result.low = 0;
      result.high = std::max({a.high, b.high, kLargestSize});
      return result;
    }
    int64_t corners[4];
    if (llvm::MulOverflow(a.low, b.low, corners[0]) ||
        llvm::MulOverflow(a.low, b.high, corners[1]) ||
        llvm::MulOverflow(a.high, b.low, corners[2]) ||
        llvm::MulOverflow(a.high, b.high, corners[3]))
      return any;
    result.low = *llvm::min_element(corners);
    result.high = *llvm::max_element(corners);
  } else {
    if (a.low < 0 || b.low < 0)
      return any;
    result.low = 0;
    result.high = a.high;
  }
  return result;
}

bool hone::onnx::isKnownNonNegative(Value value) {
  return rangeOf(value).low >= 0;
}

namespace {

/// If the operands have one type. Anything else is a model that mixes types.
bool agree(const Scalar &a, const Scalar &b) {
  if (a.type() == b.type() && a.type().isIntOrIndexOrFloat())
    return true;
  a.builder->fail(a, "mixes element types");
  return false;
}

template <typename FloatOp, typename SignedOp, typename UnsignedOp = SignedOp>
Scalar binary(const Scalar &a, const Scalar &b) {
  if (!agree(a, b))
    return a;
  ScalarBuilder &s = *a.builder;
  if (a.isFloat())
    return s.wrap(s.builder.createOrFold<FloatOp>(s.loc, a.value, b.value));
  if (a.isUnsigned)
    return s.wrap(s.builder.createOrFold<UnsignedOp>(s.loc, a.value, b.value),
                  true);
  return s.wrap(s.builder.createOrFold<SignedOp>(s.loc, a.value, b.value));
}

using DimOperation = OpFoldResult (hone::graph::DimBuilder::*)(OpBuilder &,
                                                               Location,
                                                               OpFoldResult,
                                                               OpFoldResult);

/// On the host, sizes keep their normal form.
bool isSize(const Scalar &a, const Scalar &b) {
  return a.builder->onHost() && a.type().isIndex() && b.type().isIndex();
}

OpFoldResult foldResult(Value value) {
  APInt number;
  if (matchPattern(value, m_ConstantInt(&number)))
    return IntegerAttr::get(IndexType::get(value.getContext()),
                            number.getSExtValue());
  return value;
}

Scalar sizeOperation(DimOperation operation, const Scalar &a, const Scalar &b) {
  ScalarBuilder &s = *a.builder;
  return s.size((s.dims->*operation)(s.builder, s.loc, foldResult(a.value),
                                     foldResult(b.value)));
}

Scalar compare(const Scalar &a, const Scalar &b, arith::CmpFPredicate onFloats,
               arith::CmpIPredicate onSigned, arith::CmpIPredicate onUnsigned) {
  ScalarBuilder &s = *a.builder;
  if (!agree(a, b))
    return s.boolean(false);
  if (a.isFloat())
    return s.wrap(s.builder.createOrFold<arith::CmpFOp>(s.loc, onFloats,
                                                        a.value, b.value));
  arith::CmpIPredicate predicate =
      a.isUnsigned || a.isBool() ? onUnsigned : onSigned;
  if (isSize(a, b)) {
    OpFoldResult left = foldResult(a.value), right = foldResult(b.value);
    if (s.dims->equal(left, right))
      return s.boolean(
          arith::applyCmpPredicate(predicate, APInt(64, 0), APInt(64, 0)));
    // A size is never negative; shape arithmetic uses negative numbers as
    // marks.
    std::optional<int64_t> number = s.dims->constant(right);
    if (number && *number < 0 && isKnownNonNegative(a.value))
      return s.boolean(
          arith::applyCmpPredicate(predicate, APInt(64, 1), APInt(64, 0)));
    number = s.dims->constant(left);
    if (number && *number < 0 && isKnownNonNegative(b.value))
      return s.boolean(
          arith::applyCmpPredicate(predicate, APInt(64, 0), APInt(64, 1)));
  }
  return s.wrap(s.builder.createOrFold<arith::CmpIOp>(s.loc, predicate, a.value,
                                                      b.value));
}

template <typename OpTy> Scalar floatOnly(const Scalar &x) {
  ScalarBuilder &s = *x.builder;
  if (!x.isFloat())
    return s.fail(x, "takes only floats");
  return s.wrap(s.builder.createOrFold<OpTy>(s.loc, x.value));
}

template <typename OpTy> Scalar bits(const Scalar &a, const Scalar &b) {
  if (!agree(a, b) || a.isFloat())
    return a.builder->fail(a, "takes only integers");
  ScalarBuilder &s = *a.builder;
  return s.wrap(s.builder.createOrFold<OpTy>(s.loc, a.value, b.value),
                a.isUnsigned);
}

} // namespace

Scalar hone::onnx::operator+(const Scalar &a, const Scalar &b) {
  if (isSize(a, b))
    return sizeOperation(&graph::DimBuilder::add, a, b);
  return binary<arith::AddFOp, arith::AddIOp>(a, b);
}

Scalar hone::onnx::operator-(const Scalar &a, const Scalar &b) {
  if (isSize(a, b))
    return sizeOperation(&graph::DimBuilder::sub, a, b);
  return binary<arith::SubFOp, arith::SubIOp>(a, b);
}

Scalar hone::onnx::operator*(const Scalar &a, const Scalar &b) {
  if (isSize(a, b))
    return sizeOperation(&graph::DimBuilder::mul, a, b);
  return binary<arith::MulFOp, arith::MulIOp>(a, b);
}

Scalar hone::onnx::operator-(const Scalar &a) {
  ScalarBuilder &s = *a.builder;
  if (a.isFloat())
    return s.wrap(s.builder.createOrFold<arith::NegFOp>(s.loc, a.value));
  if (!a.isInt())
    return s.fail(a, "negates what is not a number");
  return s.like(a, 0) - a;
}

Scalar hone::onnx::operator/(const Scalar &a, const Scalar &b) {
  if (!agree(a, b))
    return a;
  if (a.isFloat() || a.isBool())
    return binary<arith::DivFOp, arith::DivSIOp>(a, b);
  if (isSize(a, b) && isKnownNonNegative(a.value) &&
      isKnownNonNegative(b.value) && !matchPattern(b.value, m_Zero()))
    return sizeOperation(&graph::DimBuilder::floorDiv, a, b);
  Scalar by = divisor(b);
  if (a.isUnsigned)
    return binary<arith::DivFOp, arith::DivUIOp>(a, by);
  // The lowest number by -1 overflows, which traps on some processors: it
  // becomes a negation, which wraps.
  ScalarBuilder &s = *a.builder;
  APInt number;
  if (matchPattern(by.value, m_ConstantInt(&number)) && !number.isAllOnes())
    return binary<arith::DivFOp, arith::DivSIOp>(a, by);
  Scalar minusOne = eq(by, -1);
  return select(minusOne, -a,
                binary<arith::DivFOp, arith::DivSIOp>(
                    a, select(minusOne, s.like(by, 1), by)));
}

Scalar hone::onnx::divisor(const Scalar &b) {
  ScalarBuilder &s = *b.builder;
  APInt number;
  if (matchPattern(b.value, m_ConstantInt(&number)) && !number.isZero())
    return b;
  if (!b.isInt())
    return s.fail(b, "divides by what is not an integer");
  if (s.onHost())
    return s.fail(b, "is not followed on the host");
  return s.wrap(graph::CheckedDivisorOp::create(s.builder, s.loc, b.value),
                b.isUnsigned);
}

Scalar hone::onnx::floorDiv(const Scalar &a, const Scalar &b) {
  if (!agree(a, b) || a.isFloat())
    return a.builder->fail(a, "takes only integers");
  if (isSize(a, b))
    return sizeOperation(&graph::DimBuilder::floorDiv, a, b);
  return binary<arith::DivFOp, arith::FloorDivSIOp, arith::DivUIOp>(a, b);
}

Scalar hone::onnx::truncMod(const Scalar &a, const Scalar &b) {
  if (!agree(a, b) || a.isFloat())
    return a.builder->fail(a, "takes only integers");
  if (isSize(a, b))
    return a - a / b * b;
  if (a.isUnsigned)
    return binary<arith::RemFOp, arith::RemSIOp, arith::RemUIOp>(a, b);
  ScalarBuilder &s = *a.builder;
  APInt number;
  if (matchPattern(b.value, m_ConstantInt(&number)) && !number.isAllOnes())
    return binary<arith::RemFOp, arith::RemSIOp>(a, b);
  return binary<arith::RemFOp, arith::RemSIOp>(
      a, select(eq(b, -1), s.like(b, 1), b));
}

Scalar hone::onnx::floorMod(const Scalar &a, const Scalar &b) {
  if (isSize(a, b) && isKnownNonNegative(b.value))
    return a - floorDiv(a, b) * b;
  Scalar rest = truncMod(a, b);
  if (a.isUnsigned || rest.type() != b.type() || !rest.isInt())
    return rest;
  Scalar otherSign = bitAnd(ne(rest, 0), ne(lt(rest, 0), lt(b, 0)));
  return select(otherSign, rest + b, rest);
}

Scalar hone::onnx::lt(const Scalar &a, const Scalar &b) {
  return compare(a, b, arith::CmpFPredicate::OLT, arith::CmpIPredicate::slt,
                 arith::CmpIPredicate::ult);
}
Scalar hone::onnx::le(const Scalar &a, const Scalar &b) {
  return compare(a, b, arith::CmpFPredicate::OLE, arith::CmpIPredicate::sle,
                 arith::CmpIPredicate::ule);
}
Scalar hone::onnx::gt(const Scalar &a, const Scalar &b) {
  return compare(a, b, arith::CmpFPredicate::OGT, arith::CmpIPredicate::sgt,
                 arith::CmpIPredicate::ugt);
}
Scalar hone::onnx::ge(const Scalar &a, const Scalar &b) {
  return compare(a, b, arith::CmpFPredicate::OGE, arith::CmpIPredicate::sge,
                 arith::CmpIPredicate::uge);
}
Scalar hone::onnx::eq(const Scalar &a, const Scalar &b) {
  return compare(a, b, arith::CmpFPredicate::OEQ, arith::CmpIPredicate::eq,
                 arith::CmpIPredicate::eq);
}
Scalar hone::onnx::ne(const Scalar &a, const Scalar &b) {
  return compare(a, b, arith::CmpFPredicate::UNE, arith::CmpIPredicate::ne,
                 arith::CmpIPredicate::ne);
}

Scalar hone::onnx::select(const Scalar &condition, const Scalar &a,
                          const Scalar &b) {
  ScalarBuilder &s = *condition.builder;
  if (!condition.isBool())
    return s.fail(a, "has a condition that is not bool");
  if (a.type() != b.type())
    return s.fail(a, "mixes element types");
  APInt known;
  if (matchPattern(condition.value, m_ConstantInt(&known)))
    return known.isZero() ? b : a;
  if (a.value == b.value)
    return a;
  return s.wrap(s.builder.createOrFold<arith::SelectOp>(s.loc, condition.value,
                                                        a.value, b.value),
                a.isUnsigned);
}

Scalar hone::onnx::bitAnd(const Scalar &a, const Scalar &b) {
  return bits<arith::AndIOp>(a, b);
}
Scalar hone::onnx::bitOr(const Scalar &a, const Scalar &b) {
  return bits<arith::OrIOp>(a, b);
}
Scalar hone::onnx::bitXor(const Scalar &a, const Scalar &b) {
  return bits<arith::XOrIOp>(a, b);
}

Scalar hone::onnx::bitNot(const Scalar &a) {
  if (a.isFloat())
    return a.builder->fail(a, "takes only integers");
  return bitXor(a, a.builder->integer(a.type(), -1, a.isUnsigned));
}

Scalar hone::onnx::shiftLeft(const Scalar &a, const Scalar &b) {
  return bits<arith::ShLIOp>(a, b);
}

Scalar hone::onnx::shiftRight(const Scalar &a, const Scalar &b) {
  return a.isUnsigned ? bits<arith::ShRUIOp>(a, b) : bits<arith::ShRSIOp>(a, b);
}

Scalar hone::onnx::max(const Scalar &a, const Scalar &b) {
  if (isSize(a, b)) {
    std::optional<int64_t> left = getConstantIntValue(foldResult(a.value)),
                           right = getConstantIntValue(foldResult(b.value));
    if (right && *right <= 0 && isKnownNonNegative(a.value))
      return a;
    if (left && *left <= 0 && isKnownNonNegative(b.value))
      return b;
    return sizeOperation(&graph::DimBuilder::max, a, b);
  }
  return binary<arith::MaximumFOp, arith::MaxSIOp, arith::MaxUIOp>(a, b);
}

Scalar hone::onnx::min(const Scalar &a, const Scalar &b) {
  if (isSize(a, b)) {
    // No size comes near the largest numbers, which mean "the end".
    std::optional<int64_t> left = getConstantIntValue(foldResult(a.value)),
                           right = getConstantIntValue(foldResult(b.value));
    if (right && *right >= INT32_MAX && !left)
      return a;
    if (left && *left >= INT32_MAX && !right)
      return b;
    return sizeOperation(&graph::DimBuilder::min, a, b);
  }
  return binary<arith::MinimumFOp, arith::MinSIOp, arith::MinUIOp>(a, b);
}

Scalar hone::onnx::clampTo(const Scalar &x, const Scalar &low,
                           const Scalar &high) {
  Scalar raised = select(lt(x, low), low, x);
  return select(gt(raised, high), high, raised);
}

Scalar hone::onnx::clampTo(const Scalar &x, double low, double high) {
  return clampTo(x, x.builder->like(x, low), x.builder->like(x, high));
}

//===- Functions ----------------------------------------------------------===//

Scalar hone::onnx::abs(const Scalar &x) {
  if (x.isFloat())
    return floatOnly<math::AbsFOp>(x);
  if (x.isUnsigned || x.isBool())
    return x;
  return select(lt(x, 0), -x, x);
}

Scalar hone::onnx::sign(const Scalar &x) {
  ScalarBuilder &s = *x.builder;
  // NaN stays NaN, and 0 stays 0.
  return select(gt(x, 0), s.like(x, 1),
                x.isUnsigned ? x : select(lt(x, 0), s.like(x, -1), x));
}

/// By squaring. A negative exponent gives the quotient of 1 and the power,
/// truncated.
static Scalar integerPower(const Scalar &x, const Scalar &exponent) {
  ScalarBuilder &s = *x.builder;
  Scalar result = s.like(x, 1), square = x;
  // From 2^6 on only 0, 1 and -1 have representable powers, and those repeat.
  for (int64_t bit = 0; bit < 6; ++bit) {
    Scalar set = ne(bitAnd(exponent, s.like(exponent, 1 << bit)), 0);
    result = select(set, result * square, result);
    square = square * square;
  }
  if (exponent.isUnsigned)
    return result;
  Scalar small = eq(x * x, 1);
  Scalar below = select(small, result, s.like(x, 0));
  return select(lt(exponent, 0), below, result);
}

Scalar hone::onnx::pow(const Scalar &x, const Scalar &exponent) {
  if (!agree(x, exponent))
    return x;
  ScalarBuilder &s = *x.builder;
  if (!x.isFloat())
    return integerPower(x, exponent);
  return s.wrap(
      s.builder.createOrFold<math::PowFOp>(s.loc, x.value, exponent.value));
}

Scalar hone::onnx::fmod(const Scalar &a, const Scalar &b) {
  if (a.isFloat())
    return binary<arith::RemFOp, arith::RemSIOp>(a, b);
  return truncMod(a, divisor(b));
}

Scalar hone::onnx::atan2(const Scalar &a, const Scalar &b) {
  if (!agree(a, b) || !a.isFloat())
    return a.builder->fail(a, "takes only floats");
  return a.builder->wrap(math::Atan2Op::create(
      a.builder->builder, a.builder->loc, a.value, b.value));
}

Scalar hone::onnx::isNan(const Scalar &x) {
  return x.isFloat() ? ne(x, x) : x.builder->boolean(false);
}

Scalar hone::onnx::sqrt(const Scalar &x) { return floatOnly<math::SqrtOp>(x); }
Scalar hone::onnx::rsqrt(const Scalar &x) { return 1.0 / sqrt(x); }
Scalar hone::onnx::exp(const Scalar &x) { return floatOnly<math::ExpOp>(x); }
Scalar hone::onnx::log(const Scalar &x) { return floatOnly<math::LogOp>(x); }
Scalar hone::onnx::log1p(const Scalar &x) {
  return floatOnly<math::Log1pOp>(x);
}
Scalar hone::onnx::tanh(const Scalar &x) { return floatOnly<math::TanhOp>(x); }
Scalar hone::onnx::erf(const Scalar &x) { return floatOnly<math::ErfOp>(x); }
Scalar hone::onnx::sin(const Scalar &x) { return floatOnly<math::SinOp>(x); }
Scalar hone::onnx::cos(const Scalar &x) { return floatOnly<math::CosOp>(x); }
Scalar hone::onnx::tan(const Scalar &x) { return floatOnly<math::TanOp>(x); }
Scalar hone::onnx::asin(const Scalar &x) { return floatOnly<math::AsinOp>(x); }
Scalar hone::onnx::acos(const Scalar &x) { return floatOnly<math::AcosOp>(x); }
Scalar hone::onnx::atan(const Scalar &x) { return floatOnly<math::AtanOp>(x); }
Scalar hone::onnx::sinh(const Scalar &x) { return floatOnly<math::SinhOp>(x); }
Scalar hone::onnx::cosh(const Scalar &x) { return floatOnly<math::CoshOp>(x); }
Scalar hone::onnx::asinh(const Scalar &x) {
  return floatOnly<math::AsinhOp>(x);
}
Scalar hone::onnx::acosh(const Scalar &x) {
  return floatOnly<math::AcoshOp>(x);
}
Scalar hone::onnx::atanh(const Scalar &x) {
  return floatOnly<math::AtanhOp>(x);
}

Scalar hone::onnx::floor(const Scalar &x) {
  return x.isFloat() ? floatOnly<math::FloorOp>(x) : x;
}
Scalar hone::onnx::ceil(const Scalar &x) {
  return x.isFloat() ? floatOnly<math::CeilOp>(x) : x;
}
Scalar hone::onnx::trunc(const Scalar &x) {
  return x.isFloat() ? floatOnly<math::TruncOp>(x) : x;
}
Scalar hone::onnx::roundEven(const Scalar &x) {
  return x.isFloat() ? floatOnly<math::RoundEvenOp>(x) : x;
}
