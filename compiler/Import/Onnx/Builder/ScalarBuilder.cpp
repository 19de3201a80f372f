// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Element types, and how scalars are created, loaded, stored and converted.
#include "compiler/Import/Onnx/Builder/Scalar.h"
#include "compiler/Import/Onnx/Builder/SmallFloat.h"
#include "dialects/Graph/Graph.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
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

ElementType hone::onnx::widenedType(ElementType type) {
  bool narrow = type == ElementType::Float16 || type == ElementType::Bfloat16;
  return narrow ? ElementType::Float : type;
}

bool hone::onnx::isComplex(ElementType type) {
  return type == ElementType::Complex64 || type == ElementType::Complex128;
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
  case ElementType::Complex64:
    return ComplexType::get(b.getF32Type());
  case ElementType::Complex128:
    return ComplexType::get(b.getF64Type());
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
  auto type = tensor ? dyn_cast<RankedTensorType>(tensor.getType())
                     : RankedTensorType();
  if (!type || type.getRank() != static_cast<int64_t>(indices.size()))
    return fail(boolean(false), "reads with " + Twine(indices.size()) +
                                    " indices from what has another number of "
                                    "dimensions")
        .value;
  SmallVector<Value> values;
  for (const Scalar &index : indices)
    values.push_back(toIndex(index).value);
  return tensor::ExtractOp::create(builder, loc, tensor, values);
}

Value ScalarBuilder::extractWhere(const Scalar &inside, Value tensor,
                                  ArrayRef<Scalar> indices,
                                  const Scalar &otherwise) {
  auto branch = scf::IfOp::create(builder, loc, otherwise.type(), inside.value,
                                  /*withElseRegion=*/true);
  OpBuilder then = branch.getThenBodyBuilder(),
            other = branch.getElseBodyBuilder();
  ScalarBuilder inner(then, loc);
  SmallVector<Scalar> places;
  for (const Scalar &index : indices)
    places.push_back(inner.wrap(index.value));
  scf::YieldOp::create(then, loc, inner.extract(tensor, places));
  scf::YieldOp::create(other, loc, otherwise.value);
  return branch.getResult(0);
}

Value ScalarBuilder::extractEither(
    const Scalar &inside, Value tensor, ArrayRef<Scalar> indices,
    function_ref<void(ScalarBuilder &, SmallVector<Scalar> &)> move) {
  mlir::Type type =
      llvm::cast<RankedTensorType>(tensor.getType()).getElementType();
  auto branch = scf::IfOp::create(builder, loc, type, inside.value,
                                  /*withElseRegion=*/true);
  for (bool moves : {false, true}) {
    OpBuilder side =
        moves ? branch.getElseBodyBuilder() : branch.getThenBodyBuilder();
    ScalarBuilder inner(side, loc);
    SmallVector<Scalar> places;
    for (const Scalar &index : indices)
      places.push_back(inner.wrap(index.value));
    if (moves)
      move(inner, places);
    scf::YieldOp::create(side, loc, inner.extract(tensor, places));
    if (inner.failed())
      fail(boolean(false), inner.problem);
  }
  return branch.getResult(0);
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
    // Two and four bit integers are held as bytes; larger values wrap around.
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
  if (x.type().isIndex() && isInteger(type)) {
    // By way of 64 bits: casts of an index to 32 bits and back are taken as
    // no-ops, where they may truncate.
    Value wide = builder.createOrFold<arith::IndexCastOp>(
        loc, builder.getI64Type(), x.value);
    return target.isInteger(64)
               ? wide
               : builder.createOrFold<arith::TruncIOp>(loc, target, wide);
  }
  return fail(constant(target, 0), "mixes element types").value;
}

Scalar ScalarBuilder::toIndex(const Scalar &x) {
  if (x.type().isIndex())
    return x;
  if (x.isFloat())
    return toInt(x, builder.getIndexType(), /*isUnsigned=*/false);
  if (!x.isInt())
    return fail(indexConstant(0), "uses as an index what is not a number");
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
    return fail(constant(type, 0), "converts what is not a number");
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
  // The bounds are exact in the float type, except the upper one of wide
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
    // A double is rounded to 16 bits at once: `store` does it.
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
      return onHost() ? toIndex(toInt(x, target, toUnsigned))
                      : toInt(x, wide, toUnsigned);
    // Two and four bits are the low bits of an integer.
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
