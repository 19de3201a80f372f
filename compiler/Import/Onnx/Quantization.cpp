// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Quantization: linear maps between floats and narrow types, and matrix
// products of narrow integers.
#include "compiler/Import/Onnx/Quantization.h"
#include "compiler/Import/Onnx/OpTable.h"

using namespace mlir;
using namespace hone::onnx;

Val hone::onnx::quantizationParameter(NodeBuilder &n, Val parameter, Val x,
                                      int64_t axis, int64_t block) {
  if (parameter.rank() == 0)
    return parameter;
  if (parameter.rank() == 1 && block == 0) {
    if (parameter.shape()[0] == 1)
      return n.reshape(parameter, {});
    // Without such an axis it is one number for all.
    if (!parameter.isStatic() && (axis < -x.rank() || axis >= x.rank()))
      return n.reshape(
          n.withSize(parameter, 0, n.index(1), "the number of scales and 1"),
          {});
    axis = n.axis(axis, x.rank());
    if (n.failed())
      return parameter;
    Sizes dims(x.rank(), n.index(1));
    dims[axis] = n.dim(parameter, 0);
    n.agree(dims[axis], n.dim(x, axis), "the scales and the axis");
    return n.reshape(parameter, dims);
  }
  if (parameter.rank() != x.rank()) {
    n.fail("has scales of " + Twine(parameter.rank()) +
           " dimensions for a tensor of " + Twine(x.rank()));
    return parameter;
  }
  axis = n.axis(axis, x.rank());
  Sizes dims = n.dims(x);
  if (block == 0) {
    // The block size follows from the two sizes.
    std::optional<int64_t> size = n.known(dims[axis]);
    std::optional<int64_t> count = n.known(n.dim(parameter, axis));
    if (!size || !count || *count == 0) {
      n.fail("needs a block_size where the sizes are not known");
      return parameter;
    }
    block = (*size + *count - 1) / *count;
  }
  Size blocks = n.dim(parameter, axis);
  return n.move(dims, parameter.elem, [&](ScalarBuilder &s) {
    SmallVector<Scalar> at;
    for (int64_t i = 0; i < x.rank(); ++i)
      at.push_back(s.index(i));
    at[axis] =
        s.checkedIndex(floorDiv(at[axis], s.indexConstant(block)), blocks);
    return s.extract(parameter.value, at);
  });
}

Val hone::onnx::quantize(NodeBuilder &n, Val x, Val scale, Val zeroPoint,
                         ElementType elem) {
  SmallVector<Val> inputs{x, scale};
  if (zeroPoint)
    inputs.push_back(zeroPoint);
  return n.map(inputs, elem, [&](ArrayRef<Scalar> v) {
    ScalarBuilder &s = *v[0].builder;
    mlir::Type wide = x.elem == ElementType::Double
                          ? mlir::Type(n.b.getF64Type())
                          : mlir::Type(n.b.getF32Type());
    Scalar result = s.toFloat(v[0], wide) / s.toFloat(v[1], wide);
    if (isSmallFloat(elem))
      return s.cast(result, elem);
    result = roundEven(result);
    if (v.size() > 2)
      result = result + s.toFloat(v[2], wide);
    unsigned bits = elementBits(elem);
    double low = isUnsigned(elem) ? 0 : -std::ldexp(1.0, bits - 1);
    double high = std::ldexp(1.0, isUnsigned(elem) ? bits : bits - 1) - 1;
    return s.cast(clampTo(result, low, high), elem);
  });
}

Val hone::onnx::dequantize(NodeBuilder &n, Val x, Val scale, Val zeroPoint,
                           ElementType elem) {
  SmallVector<Val> inputs{x, scale};
  if (zeroPoint)
    inputs.push_back(zeroPoint);
  return n.map(inputs, elem, [&](ArrayRef<Scalar> v) {
    ScalarBuilder &s = *v[0].builder;
    mlir::Type wide = v[1].type();
    Scalar number = s.toFloat(v[0], wide);
    if (v.size() > 2)
      number = number - s.toFloat(v[2], wide);
    return s.cast(number * v[1], elem);
  });
}

Val hone::onnx::widen(NodeBuilder &n, Val x, Val zeroPoint) {
  if (!zeroPoint)
    return n.cast(x, ElementType::Int32);
  return n.map({x, zeroPoint}, ElementType::Int32, [](ArrayRef<Scalar> v) {
    ScalarBuilder &s = *v[0].builder;
    return s.cast(v[0], ElementType::Int32) - s.cast(v[1], ElementType::Int32);
  });
}

Val hone::onnx::requantize(NodeBuilder &n, Val sum, Val xScale, Val wScale,
                           Val yScale, Val yZeroPoint) {
  return n.map({sum, xScale, wScale, yScale, yZeroPoint}, yZeroPoint.elem,
               [&](ArrayRef<Scalar> v) {
                 ScalarBuilder &s = *v[0].builder;
                 mlir::Type f32 = n.b.getF32Type();
                 Scalar factor = s.toFloat(v[1], f32) * s.toFloat(v[2], f32) /
                                 s.toFloat(v[3], f32);
                 Scalar result = roundEven(s.toFloat(v[0], f32) * factor) +
                                 s.toFloat(v[4], f32);
                 bool isSigned = !isUnsigned(yZeroPoint.elem);
                 return s.cast(
                     clampTo(result, isSigned ? -128 : 0, isSigned ? 127 : 255),
                     yZeroPoint.elem);
               });
}

namespace {

/// The type that an attribute of that name asks for, if any.
std::optional<ElementType> typeAttr(NodeBuilder &n, StringRef name) {
  int64_t number = n.intAttr(name);
  if (number == 0)
    return std::nullopt;
  return static_cast<ElementType>(number);
}

LogicalResult importQuantize(NodeBuilder &n) {
  Val x = n.in(0), scale = n.in(1), zeroPoint = n.in(2);
  ElementType elem =
      zeroPoint ? zeroPoint.elem
                : typeAttr(n, "output_dtype").value_or(ElementType::Uint8);
  if (!isInteger(elem) && !isSmallFloat(elem))
    return n.error("quantizes to " + elementTypeName(elem));
  if (!isFloat(x.elem) && x.elem != ElementType::Int32)
    return n.error("quantizes a tensor of " + elementTypeName(x.elem));
  int64_t axis = n.intAttr("axis", 1), block = n.intAttr("block_size", 0);
  if (block < 0)
    return n.error("has a negative block_size");
  scale = quantizationParameter(n, scale, x, axis, block);
  if (zeroPoint)
    zeroPoint = quantizationParameter(n, zeroPoint, x, axis, block);
  if (n.failed())
    return failure();
  return n.out(quantize(n, x, scale, zeroPoint, elem));
}

LogicalResult importDequantize(NodeBuilder &n) {
  Val x = n.in(0), scale = n.in(1), zeroPoint = n.in(2);
  if (!isFloat(scale.elem))
    return n.error("has a scale of " + elementTypeName(scale.elem));
  int64_t axis = n.intAttr("axis", 1), block = n.intAttr("block_size", 0);
  if (block < 0)
    return n.error("has a negative block_size");
  ElementType elem = typeAttr(n, "output_dtype").value_or(scale.elem);
  if (!isFloat(elem))
    return n.error("dequantizes to " + elementTypeName(elem));
  scale = quantizationParameter(n, scale, x, axis, block);
  if (zeroPoint)
    zeroPoint = quantizationParameter(n, zeroPoint, x, axis, block);
  if (n.failed())
    return failure();
  return n.out(dequantize(n, x, scale, zeroPoint, elem));
}

LogicalResult importDynamicQuantize(NodeBuilder &n) {
  Val x = n.in(0);
  if (x.elem != ElementType::Float)
    return n.error("takes a float tensor, not " + elementTypeName(x.elem));
  Ints all;
  for (int64_t i = 0; i < x.rank(); ++i)
    all.push_back(i);
  Val low = n.reduce(graph::ReduceKind::Min, x, all, false);
  Val high = n.reduce(graph::ReduceKind::Max, x, all, false);
  // The range contains 0; an empty one has scale 1.
  Val scale = n.map({low, high}, ElementType::Float, [](ArrayRef<Scalar> v) {
    Scalar zero = v[0].builder->like(v[0], 0);
    Scalar range = max(v[1], zero) - min(v[0], zero);
    return select(eq(range, 0), v[0].builder->like(range, 1), range / 255.0);
  });
  Val zeroPoint =
      n.map({low, scale}, ElementType::Uint8, [](ArrayRef<Scalar> v) {
        ScalarBuilder &s = *v[0].builder;
        Scalar zero = s.like(v[0], 0);
        Scalar point = (zero - min(v[0], zero)) / v[1];
        return s.cast(roundEven(clampTo(point, 0, 255)), ElementType::Uint8);
      });
  n.out(0, quantize(n, x, scale, zeroPoint, ElementType::Uint8));
  n.out(1, scale);
  n.out(2, zeroPoint);
  return success();
}

/// A parameter of the rows (`alongRows`) or the columns of a matrix: a vector
/// applies to its own dimension.
Val matrixParameter(NodeBuilder &n, Val parameter, bool alongRows) {
  if (!parameter || parameter.rank() != 1)
    return parameter;
  if (parameter.shape()[0] == 1)
    return n.reshape(parameter, {});
  return alongRows ? n.unsqueeze(parameter, {1}) : parameter;
}

/// The product in int32 of two matrices without their zero points.
Val integerProduct(NodeBuilder &n, Val a, Val aZero, Val b, Val bZero) {
  Val left = widen(n, a, matrixParameter(n, aZero, /*alongRows=*/true));
  Val right = widen(n, b, matrixParameter(n, bZero, /*alongRows=*/false));
  return n.matmul(left, right);
}

LogicalResult importMatmulInteger(NodeBuilder &n) {
  if (n.in(0).rank() == 0 || n.in(1).rank() == 0)
    return n.error("multiplies scalars");
  return n.out(integerProduct(n, n.in(0), n.in(2), n.in(1), n.in(3)));
}

LogicalResult importQLinearMatmul(NodeBuilder &n) {
  Val a = n.in(0), b = n.in(3), yZero = n.in(7);
  if (a.rank() == 0 || b.rank() == 0)
    return n.error("multiplies scalars");
  if (yZero.elem != ElementType::Uint8 && yZero.elem != ElementType::Int8)
    return n.error("quantizes to " + elementTypeName(yZero.elem));
  Val product = integerProduct(n, a, n.in(2), b, n.in(5));
  return n.out(requantize(n, product, matrixParameter(n, n.in(1), true),
                          matrixParameter(n, n.in(4), false),
                          matrixParameter(n, n.in(6), true),
                          matrixParameter(n, yZero, true)));
}

} // namespace

void hone::onnx::addQuantization(OpTable &table) {
  table.add("QuantizeLinear", importQuantize, 2, 3);
  table.add("DequantizeLinear", importDequantize, 2, 3);
  table.add("DynamicQuantizeLinear", importDynamicQuantize, 1);
  table.add("MatMulInteger", importMatmulInteger, 2, 4);
  table.add("QLinearMatMul", importQLinearMatmul, 8);
}
