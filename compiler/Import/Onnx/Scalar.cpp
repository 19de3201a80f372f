// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Scalar arithmetic: operators and comparisons.
#include "compiler/Import/Onnx/Scalar.h"
#include "compiler/Import/Onnx/SmallFloat.h"
#include "dialects/Graph/Graph.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace hone::onnx;

//===- Element types ------------------------------------------------------===//

bool hone::onnx::isSmallFloat(ElementType type) {
  switch (type) {
  case ElementType::Float8E4M3FN:
  case ElementType::Float8E4M3FNUZ:
  case ElementType::Float8E5M2:
  case ElementType::Float8E5M2FNUZ:
  case ElementType::Float4E2M1:
  case ElementType::Float8E8M0:
    return true;
  default:
    return false;
  }
}

bool hone::onnx::isFloat(ElementType type) {
  return type == ElementType::Float || type == ElementType::Double ||
         type == ElementType::Float16 || type == ElementType::Bfloat16 ||
         isSmallFloat(type);
}

bool hone::onnx::isUnsigned(ElementType type) {
  switch (type) {
  case ElementType::Uint2:
  case ElementType::Uint4:
  case ElementType::Uint8:
  case ElementType::Uint16:
  case ElementType::Uint32:
  case ElementType::Uint64:
    return true;
  default:
    return false;
  }
}

bool hone::onnx::isInteger(ElementType type) {
  switch (type) {
  case ElementType::Int2:
  case ElementType::Int4:
  case ElementType::Int8:
  case ElementType::Int16:
  case ElementType::Int32:
  case ElementType::Int64:
    return true;
  default:
    return isUnsigned(type);
  }
}

Type hone::onnx::storageType(MLIRContext *context, ElementType type) {
  Builder b(context);
  switch (type) {
  case ElementType::Float:
    return b.getF32Type();
  case ElementType::Double:
    return b.getF64Type();
  case ElementType::Float16:
    return b.getF16Type();
  case ElementType::Bfloat16:
    return b.getBF16Type();
  case ElementType::Uint16:
  case ElementType::Int16:
    return b.getI16Type();
  case ElementType::Uint32:
  case ElementType::Int32:
    return b.getI32Type();
  case ElementType::Uint64:
  case ElementType::Int64:
    return b.getI64Type();
  case ElementType::String:
    return graph::StringType::get(context);
  case ElementType::Bool:
  case ElementType::Uint8:
  case ElementType::Int8:
  case ElementType::Uint4:
  case ElementType::Int4:
  case ElementType::Uint2:
  case ElementType::Int2:
    return b.getI8Type();
  default:
    return isSmallFloat(type) ? b.getI8Type() : Type();
  }
}

Type hone::onnx::computeType(MLIRContext *context, ElementType type) {
  Builder b(context);
  if (type == ElementType::Bool)
    return b.getI1Type();
  if (isFloat(type) && type != ElementType::Double)
    return b.getF32Type();
  return storageType(context, type);
}

//===- Making scalars -----------------------------------------------------===//

Scalar ScalarBuilder::fail(const Scalar &x, const Twine &what) {
  if (problem.empty())
    problem = what.str();
  return x;
}

Scalar ScalarBuilder::integer(Type type, int64_t number, bool isUnsigned) {
  if (auto floatType = dyn_cast<FloatType>(type))
    return constant(type, static_cast<double>(number));
  if (!type.isIntOrIndex())
    return fail(boolean(false), "does not compute with this type");
  unsigned width = type.isIndex() ? 64 : type.getIntOrFloatBitWidth();
  APInt bits(width, number, /*isSigned=*/true, /*implicitTrunc=*/true);
  return wrap(
      arith::ConstantOp::create(builder, loc, IntegerAttr::get(type, bits)),
      isUnsigned);
}

Scalar ScalarBuilder::constant(Type type, double number, bool isUnsigned) {
  auto floatType = dyn_cast<FloatType>(type);
  if (!floatType)
    return integer(type, static_cast<int64_t>(number), isUnsigned);
  return wrap(arith::ConstantOp::create(builder, loc,
                                        FloatAttr::get(floatType, number)));
}

Scalar ScalarBuilder::boolean(bool value) {
  return wrap(
      arith::ConstantOp::create(builder, loc, builder.getBoolAttr(value)));
}

Scalar ScalarBuilder::size(OpFoldResult size) {
  if (auto value = dyn_cast<Value>(size))
    return wrap(value);
  return indexConstant(
      llvm::cast<IntegerAttr>(llvm::cast<Attribute>(size)).getInt());
}

Scalar ScalarBuilder::index(int64_t axis) {
  return wrap(graph::IndexOp::create(builder, loc, axis));
}

Value ScalarBuilder::extract(Value tensor, ArrayRef<Scalar> indices) {
  SmallVector<Value> values;
  for (const Scalar &index : indices)
    values.push_back(toIndex(index).value);
  return tensor::ExtractOp::create(builder, loc, tensor, values);
}

Scalar ScalarBuilder::checkedIndex(const Scalar &i, OpFoldResult bound,
                                   bool wrapAround) {
  return wrap(graph::CheckedIndexOp::create(builder, loc, toIndex(i).value,
                                            size(bound).value, wrapAround)
                  .getResult());
}

Scalar ScalarBuilder::load(Value stored, ElementType type) {
  if (type == ElementType::Bool) {
    Value zero = integer(stored.getType(), 0).value;
    return wrap(arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne,
                                      stored, zero));
  }
  if (isSmallFloat(type))
    return decodeSmallFloat(wrap(stored, /*isUnsigned=*/true), type);
  if (stored.getType().isF16() || stored.getType().isBF16())
    return wrap(
        arith::ExtFOp::create(builder, loc, builder.getF32Type(), stored));
  return wrap(stored, isUnsigned(type));
}

Value ScalarBuilder::store(const Scalar &x, ElementType type, bool saturate) {
  Type target = storageType(builder.getContext(), type);
  if (!target || !target.isIntOrFloat())
    return fail(x, "does not compute elements of type " + elementTypeName(type))
        .value;
  if (isSmallFloat(type)) {
    if (!x.isFloat())
      return fail(integer(target, 0), "mixes element types").value;
    return encodeSmallFloat(x, type, saturate).value;
  }
  if (x.type() == target) {
    // Two and four bit integers are held as bytes; what does not fit wraps
    // around.
    unsigned bits = elementBits(type);
    if (bits < 8 && isInteger(type)) {
      Value shift = integer(target, 8 - bits).value;
      Value left = arith::ShLIOp::create(builder, loc, x.value, shift);
      if (isUnsigned(type))
        return arith::ShRUIOp::create(builder, loc, left, shift);
      return arith::ShRSIOp::create(builder, loc, left, shift);
    }
    return x.value;
  }
  if (x.isBool() && type == ElementType::Bool)
    return arith::ExtUIOp::create(builder, loc, target, x.value);
  if (x.isFloat() && isa<FloatType>(target) &&
      target.getIntOrFloatBitWidth() < x.type().getIntOrFloatBitWidth())
    return arith::TruncFOp::create(builder, loc, target, x.value);
  if (x.type().isIndex() && isInteger(type))
    return arith::IndexCastOp::create(builder, loc, target, x.value);
  return fail(constant(target, 0), "mixes element types").value;
}

Scalar ScalarBuilder::toIndex(const Scalar &x) {
  if (x.type().isIndex())
    return x;
  if (x.isFloat())
    return toInt(x, builder.getIndexType(), /*isUnsigned=*/false);
  if (!x.isInt())
    return fail(indexConstant(0), "uses as an index what is no number");
  if (x.isUnsigned)
    return wrap(builder.createOrFold<arith::IndexCastUIOp>(
        loc, builder.getIndexType(), x.value));
  return wrap(builder.createOrFold<arith::IndexCastOp>(
      loc, builder.getIndexType(), x.value));
}

Scalar ScalarBuilder::toFloat(const Scalar &x, Type type) {
  if (x.type() == type)
    return x;
  unsigned width = type.getIntOrFloatBitWidth();
  if (x.isFloat()) {
    if (x.type().getIntOrFloatBitWidth() < width)
      return wrap(builder.createOrFold<arith::ExtFOp>(loc, type, x.value));
    return wrap(builder.createOrFold<arith::TruncFOp>(loc, type, x.value));
  }
  if (!x.type().isIntOrIndex())
    return fail(constant(type, 0), "converts what is no number");
  Value value = x.value;
  if (x.type().isIndex())
    value = builder.createOrFold<arith::IndexCastOp>(loc, builder.getI64Type(),
                                                     value);
  if (x.isUnsigned || x.isBool())
    return wrap(builder.createOrFold<arith::UIToFPOp>(loc, type, value));
  return wrap(builder.createOrFold<arith::SIToFPOp>(loc, type, value));
}

Scalar ScalarBuilder::toInt(const Scalar &x, Type type, bool isUnsigned) {
  Type wide = type.isIndex() ? builder.getI64Type() : type;
  unsigned width = wide.getIntOrFloatBitWidth();
  APInt low =
      isUnsigned ? APInt::getZero(width) : APInt::getSignedMinValue(width);
  APInt high =
      isUnsigned ? APInt::getMaxValue(width) : APInt::getSignedMaxValue(width);
  // The bounds are exact in the float type, but for the upper one of wide
  // integers: there the nearest float is one above, and everything from it on
  // is caught by a comparison.
  const llvm::fltSemantics &semantics =
      llvm::cast<FloatType>(x.type()).getFloatSemantics();
  APFloat lowest(semantics), highest(semantics);
  lowest.convertFromAPInt(low, !isUnsigned, APFloat::rmTowardZero);
  bool exact = highest.convertFromAPInt(high, !isUnsigned,
                                        APFloat::rmTowardZero) == APFloat::opOK;
  auto number = [&](const APFloat &value) {
    return wrap(arith::ConstantOp::create(builder, loc,
                                          FloatAttr::get(x.type(), value)));
  };
  Scalar ordered = select(eq(x, x), x, like(x, 0));
  Scalar clamped = clampTo(ordered, number(lowest), number(highest));
  Scalar cut = isUnsigned
                   ? wrap(builder.createOrFold<arith::FPToUIOp>(loc, wide,
                                                                clamped.value),
                          true)
                   : wrap(builder.createOrFold<arith::FPToSIOp>(loc, wide,
                                                                clamped.value));
  if (!exact) {
    Scalar top = wrap(
        arith::ConstantOp::create(builder, loc, IntegerAttr::get(wide, high)),
        isUnsigned);
    cut = select(gt(ordered, number(highest)), top, cut);
  }
  if (type.isIndex())
    return toIndex(cut);
  return cut;
}

Scalar ScalarBuilder::cast(const Scalar &x, ElementType type, bool saturate) {
  Type target = computeType(builder.getContext(), type);
  if (!target || !target.isIntOrFloat())
    return fail(x, "does not convert to " + elementTypeName(type));
  if (type == ElementType::Bool)
    return x.isBool() ? x : ne(x, 0);
  if (isSmallFloat(type)) {
    Scalar wide = toFloat(x, builder.getF32Type());
    return decodeSmallFloat(encodeSmallFloat(wide, type, saturate), type);
  }
  if (auto floatType = dyn_cast<FloatType>(target)) {
    // A double goes to 16 bits in one rounding: `store` does it.
    if (x.isFloat() &&
        (type == ElementType::Float16 || type == ElementType::Bfloat16))
      return x;
    return toFloat(x, floatType);
  }
  bool toUnsigned = isUnsigned(type);
  if (onHost() && type != ElementType::Int64 && type != ElementType::Int32)
    return fail(x, "is not followed on the host");
  Type wide = onHost() ? builder.getIndexType() : target;
  unsigned bits = elementBits(type);
  if (x.isFloat()) {
    if (bits >= 8)
      return toInt(x, wide, toUnsigned);
    // Two and four bits are what is left of a whole number.
    Scalar whole = toInt(x, builder.getI32Type(), /*isUnsigned=*/false);
    whole.value = builder.createOrFold<arith::TruncIOp>(loc, wide, whole.value);
    whole.isUnsigned = toUnsigned;
    whole.value = store(whole, type);
    return whole;
  }
  Scalar result = x;
  if (x.isBool()) {
    result.value =
        wide.isIndex()
            ? builder.createOrFold<arith::IndexCastUIOp>(loc, wide, x.value)
            : builder.createOrFold<arith::ExtUIOp>(loc, wide, x.value);
  } else if (x.type() != wide) {
    if (x.type().isIndex())
      result.value =
          builder.createOrFold<arith::IndexCastOp>(loc, wide, x.value);
    else if (wide.isIndex())
      return toIndex(x);
    else if (x.type().getIntOrFloatBitWidth() > wide.getIntOrFloatBitWidth())
      result.value = builder.createOrFold<arith::TruncIOp>(loc, wide, x.value);
    else if (x.isUnsigned)
      result.value = builder.createOrFold<arith::ExtUIOp>(loc, wide, x.value);
    else
      result.value = builder.createOrFold<arith::ExtSIOp>(loc, wide, x.value);
  }
  result.isUnsigned = toUnsigned;
  if (bits < 8) // Wraps around to the width of the element.
    result.value = store(result, type);
  return result;
}

//===- Arithmetic ---------------------------------------------------------===//

bool hone::onnx::isKnownNonNegative(Value value, int depth) {
  APInt number;
  if (matchPattern(value, m_ConstantInt(&number)))
    return number.isNonNegative();
  Operation *op = value.getDefiningOp();
  if (!op || depth > 8)
    return false;
  if (isa<hone::graph::DimOp, tensor::DimOp>(op))
    return true;
  bool left = op->getNumOperands() == 2 &&
              isKnownNonNegative(op->getOperand(0), depth + 1);
  bool right = op->getNumOperands() == 2 &&
               isKnownNonNegative(op->getOperand(1), depth + 1);
  if (isa<arith::MaxSIOp>(op))
    return left || right;
  return isa<arith::AddIOp, arith::MulIOp, arith::FloorDivSIOp, arith::DivSIOp,
             arith::MinSIOp>(op) &&
         left && right;
}

namespace {

/// Where the operands have one type. Anything else is a model that mixes types.
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
    // A size is never a negative number, which shape arithmetic uses as a mark.
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
    return s.fail(x, "takes floats alone");
  return s.wrap(s.builder.createOrFold<OpTy>(s.loc, x.value));
}

template <typename OpTy> Scalar bits(const Scalar &a, const Scalar &b) {
  if (!agree(a, b) || a.isFloat())
    return a.builder->fail(a, "takes integers alone");
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
    return s.fail(a, "negates what is no number");
  return s.like(a, 0) - a;
}

Scalar hone::onnx::operator/(const Scalar &a, const Scalar &b) {
  if (!agree(a, b))
    return a;
  if (a.isFloat() || a.isBool())
    return binary<arith::DivFOp, arith::DivSIOp>(a, b);
  if (isSize(a, b) && isKnownNonNegative(a.value) &&
      isKnownNonNegative(b.value))
    return sizeOperation(&graph::DimBuilder::floorDiv, a, b);
  Scalar by = divisor(b);
  if (a.isUnsigned)
    return binary<arith::DivFOp, arith::DivUIOp>(a, by);
  // The lowest number by -1 overflows, which traps on some processors: it is a
  // negation, and wraps.
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
    return s.fail(b, "divides by what is no integer");
  if (s.onHost())
    return s.fail(b, "is not followed on the host");
  return s.wrap(graph::CheckedDivisorOp::create(s.builder, s.loc, b.value),
                b.isUnsigned);
}

Scalar hone::onnx::floorDiv(const Scalar &a, const Scalar &b) {
  if (!agree(a, b) || a.isFloat())
    return a.builder->fail(a, "takes integers alone");
  if (isSize(a, b))
    return sizeOperation(&graph::DimBuilder::floorDiv, a, b);
  return binary<arith::DivFOp, arith::FloorDivSIOp, arith::DivUIOp>(a, b);
}

Scalar hone::onnx::truncMod(const Scalar &a, const Scalar &b) {
  if (!agree(a, b) || a.isFloat())
    return a.builder->fail(a, "takes integers alone");
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
    return a.builder->fail(a, "takes integers alone");
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
    // No size comes near the largest numbers, which stand for "the end".
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

/// By squaring. An exponent below 0 gives the quotient of 1 and the power, cut.
static Scalar integerPower(const Scalar &x, const Scalar &exponent) {
  ScalarBuilder &s = *x.builder;
  Scalar result = s.like(x, 1), square = x;
  // From 2^6 on only 0, 1 and -1 have powers that fit, and those repeat.
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
    return a.builder->fail(a, "takes floats alone");
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
