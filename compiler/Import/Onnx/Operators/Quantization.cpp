// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Quantization: linear maps between floats and narrow types, and matrix
// products of narrow integers.
#include "compiler/Import/Onnx/Operators/Quantization.h"
#include "compiler/Import/Onnx/Operators/Windows.h"

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
  for (int64_t i = 0; i < x.rank(); ++i)
    n.agree(n.dim(parameter, i),
            i == axis ? n.ceilDiv(dims[i], n.index(block)) : dims[i],
            "the scales and the tensor");
  if (n.failed())
    return parameter;
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
    return saturated(result, elem);
  });
}

Scalar hone::onnx::saturated(const Scalar &x, ElementType elem) {
  unsigned bits = elementBits(elem);
  if (bits >= 8)
    return x.builder->cast(x, elem);
  double low = isUnsigned(elem) ? 0 : -std::ldexp(1.0, bits - 1);
  double high = std::ldexp(1.0, isUnsigned(elem) ? bits : bits - 1) - 1;
  return x.builder->cast(clampTo(x, low, high), elem);
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
                 return saturated(roundEven(s.toFloat(v[0], f32) * factor) +
                                      s.toFloat(v[4], f32),
                                  yZeroPoint.elem);
               });
}

bool hone::onnx::isByte(Val v) {
  return v.elem == ElementType::Uint8 || v.elem == ElementType::Int8;
}

bool hone::onnx::scalarParameters(NodeBuilder &n, Val &scale, Val &zeroPoint,
                                  ElementType elem) {
  if (!zeroPoint)
    zeroPoint = n.scalar(elem, 0);
  if (!scale || scale.elem != ElementType::Float || zeroPoint.elem != elem)
    n.fail("needs a float scale and a zero point of " + elementTypeName(elem));
  for (Val *v : {&scale, &zeroPoint}) {
    if (v->rank() == 1)
      *v = n.reshape(
          n.withSize(*v, 0, n.index(1), "the number of scales and 1"), {});
    else if (v->rank() != 0)
      n.fail("has a scale or zero point that is not one number");
  }
  return !n.failed();
}

std::optional<Quantized> hone::onnx::quantizedInput(NodeBuilder &n,
                                                    size_t first) {
  Quantized q{n.in(first), n.in(first + 1), n.in(first + 2)};
  if (!q.x || !isByte(q.x)) {
    n.fail("takes a tensor of int8 or uint8 as input " + Twine(first));
    return std::nullopt;
  }
  if (!scalarParameters(n, q.scale, q.zeroPoint, q.x.elem))
    return std::nullopt;
  return q;
}

std::optional<Quantized>
hone::onnx::quantizedResult(NodeBuilder &n, size_t first, ElementType elem) {
  Quantized q{Val(), n.in(first), n.in(first + 1)};
  if (!scalarParameters(n, q.scale, q.zeroPoint, elem))
    return std::nullopt;
  return q;
}

Quantized hone::onnx::quantizeDynamically(NodeBuilder &n, Val x, bool byRow) {
  Ints axes;
  for (int64_t i = byRow ? x.rank() - 1 : 0; i < x.rank(); ++i)
    axes.push_back(i);
  Val low = n.reduce(graph::ReduceKind::Min, x, axes, byRow);
  Val high = n.reduce(graph::ReduceKind::Max, x, axes, byRow);
  // An empty range has scale 1.
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
  return {quantize(n, x, scale, zeroPoint, ElementType::Uint8), scale,
          zeroPoint};
}

Val hone::onnx::matrixParameter(NodeBuilder &n, Val parameter, bool alongRows) {
  if (!parameter || parameter.rank() != 1)
    return parameter;
  if (parameter.shape()[0] == 1)
    return n.reshape(parameter, {});
  return alongRows ? n.unsqueeze(parameter, {1}) : parameter;
}

Val hone::onnx::integerProduct(NodeBuilder &n, Val a, Val aZero, Val b,
                               Val bZero) {
  Val left = widen(n, a, matrixParameter(n, aZero, /*alongRows=*/true));
  Val right = widen(n, b, matrixParameter(n, bZero, /*alongRows=*/false));
  return matmulOf(n, left, right);
}

std::optional<Val> hone::onnx::scaledProduct(NodeBuilder &n, Val product,
                                             Val scale, Val columnScale,
                                             Val bias) {
  ElementType elem = columnScale.elem;
  if (scale.elem != elem || !isFloat(elem) || isSmallFloat(elem) ||
      (bias && (bias.elem != elem || bias.rank() != 1))) {
    n.fail("takes scales and a bias, which is a vector, of one float type");
    return std::nullopt;
  }
  SmallVector<Val> inputs{product, n.widened(scale), n.widened(columnScale)};
  if (bias)
    inputs.push_back(n.widened(bias));
  for (Val &v : MutableArrayRef(inputs).drop_front())
    v = n.alignTo(v, n.dims(product));
  if (n.failed())
    return std::nullopt;
  return n.map(inputs, elem, [](ArrayRef<Scalar> v) {
    Scalar y = v[0].builder->toFloat(v[0], v[1].type()) * (v[1] * v[2]);
    return v.size() > 3 ? y + v[3] : y;
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
  if (!isFloat(scale.elem) && scale.elem != ElementType::Int32)
    return n.error("has a scale of " + elementTypeName(scale.elem));
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

/// What a matrix of integers that is quantized in blocks stands for, where all
/// sizes are known and agree.
std::optional<Val> dequantizedMatrix(NodeBuilder &n, Val x, Val scale,
                                     Val zeroPoint, int64_t axis,
                                     int64_t block) {
  auto isMatrix = [](Val v) {
    auto type = cast<RankedTensorType>(v.value.getType());
    return type.getRank() == 2 && type.hasStaticShape();
  };
  bool isOfBytes = isInteger(x.elem) && elementBits(x.elem) <= 8;
  if (!isOfBytes || isSmallFloat(scale.elem) || block <= 0 || !isMatrix(x) ||
      !isMatrix(scale) ||
      (zeroPoint && (zeroPoint.elem != x.elem || !isMatrix(zeroPoint))))
    return std::nullopt;
  if (axis < 0)
    axis += 2;
  if (axis != 0 && axis != 1)
    return std::nullopt;
  SmallVector<int64_t> blocks(x.shape());
  blocks[axis] = llvm::divideCeil(blocks[axis], block);
  if (scale.shape() != ArrayRef(blocks) ||
      (zeroPoint && zeroPoint.shape() != ArrayRef(blocks)))
    return std::nullopt;
  return n.dequantizeBlocks(
      x, scale, zeroPoint, n.dims(x),
      {/*bits=*/8, block, axis, /*zero=*/0, isUnsigned(x.elem)});
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
  if (elem != ElementType::Double && !isSmallFloat(elem))
    if (std::optional<Val> matrix =
            dequantizedMatrix(n, x, scale, zeroPoint, axis, block))
      return n.out(n.cast(*matrix, elem));
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
  Quantized q = quantizeDynamically(n, x);
  n.out(0, q.x);
  n.out(1, q.scale);
  n.out(2, q.zeroPoint);
  return success();
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

LogicalResult importMatmulIntegerToFloat(NodeBuilder &n) {
  Val a = n.in(0), b = n.in(1), aZero = n.in(4), bZero = n.in(5);
  if (a.rank() < 1 || b.rank() < 1 || !isByte(a) || !isByte(b) ||
      (aZero && aZero.elem != a.elem) || (bZero && bZero.elem != b.elem))
    return n.error("takes two matrices of int8 or uint8 and zero points of "
                   "their types");
  Val product = integerProduct(n, a, aZero, b, bZero);
  if (n.failed())
    return failure();
  std::optional<Val> y =
      scaledProduct(n, product, matrixParameter(n, n.in(2), true),
                    matrixParameter(n, n.in(3), false), n.in(6));
  return y ? n.out(*y) : failure();
}

LogicalResult importDynamicQuantizeMatmul(NodeBuilder &n) {
  Val a = n.in(0), b = n.in(1), bZero = n.in(3);
  if (a.elem != ElementType::Float || a.rank() < 1 || b.rank() < 1 ||
      !isByte(b) || (bZero && bZero.elem != b.elem))
    return n.error("takes a float matrix, one of int8 or uint8 and a zero "
                   "point of the latter's type");
  Quantized q = quantizeDynamically(n, a);
  Val product = integerProduct(n, q.x, q.zeroPoint, b, bZero);
  if (n.failed())
    return failure();
  std::optional<Val> y = scaledProduct(
      n, product, q.scale, matrixParameter(n, n.in(2), false), n.in(4));
  return y ? n.out(*y) : failure();
}

/// Products of 16 bits, summed in 32.
LogicalResult importMatmulInteger16(NodeBuilder &n) {
  Val a = n.in(0), b = n.in(1);
  if (a.rank() < 1 || b.rank() < 1 || a.elem != b.elem ||
      (a.elem != ElementType::Int16 && a.elem != ElementType::Uint16))
    return n.error("takes two matrices of int16 or of uint16");
  ElementType sum =
      isUnsigned(a.elem) ? ElementType::Uint32 : ElementType::Int32;
  return n.out(n.matmul(n.cast(a, sum), n.cast(b, sum)));
}

LogicalResult importQGemm(NodeBuilder &n) {
  std::optional<Quantized> a = quantizedInput(n, 0);
  if (!a)
    return failure();
  Val b = n.in(3), bScale = n.in(4), bZero = n.in(5), c = n.in(6);
  if (a->x.rank() != 2 || b.rank() != 2 || !isByte(b) ||
      bScale.elem != ElementType::Float || (bZero && bZero.elem != b.elem) ||
      bScale.rank() > 1 || bZero.rank() > 1)
    return n.error("takes two matrices of int8 or uint8, float scales and zero "
                   "points of the matrices' types");
  double alpha = n.floatAttr("alpha", 1);
  if (n.intAttr("transA"))
    a->x = n.transpose(a->x, {1, 0});
  if (n.intAttr("transB"))
    b = n.transpose(b, {1, 0});
  Val sum = integerProduct(n, a->x, a->zeroPoint, b, bZero);
  if (n.failed())
    return failure();
  if (c) {
    if (c.rank() > 2 || c.elem != ElementType::Int32)
      return n.error("adds a tensor that is no int32 matrix");
    c = n.alignTo(c, n.dims(sum));
    if (n.failed())
      return failure();
    sum = n.map({sum, c}, ElementType::Int32,
                [](ArrayRef<Scalar> v) { return v[0] + v[1]; });
  }
  Val aScale = alpha == 1
                   ? a->scale
                   : n.map(a->scale, [&](Scalar s) { return s * alpha; });
  bScale = matrixParameter(n, bScale, false);
  if (!n.has(7)) {
    if (n.has(8))
      return n.error("has a zero point for its result, but no scale");
    std::optional<Val> y = scaledProduct(n, sum, aScale, bScale, Val());
    return y ? n.out(*y) : failure();
  }
  ElementType elem = n.has(8) ? n.in(8).elem : a->x.elem;
  std::optional<Quantized> y = quantizedResult(n, 7, elem);
  if (!y || !isByte(y->zeroPoint))
    return n.error("quantizes to " + elementTypeName(elem));
  return n.out(requantize(n, sum, aScale, n.alignTo(bScale, n.dims(sum)),
                          y->scale, y->zeroPoint));
}

} // namespace

void hone::onnx::addQuantization(OpTable &table) {
  table.add("QuantizeLinear", importQuantize, 2, 3);
  table.add("DequantizeLinear", importDequantize, 2, 3);
  table.add("DynamicQuantizeLinear", importDynamicQuantize, 1);
  table.add("MatMulInteger", importMatmulInteger, 2, 4);
  table.add("QLinearMatMul", importQLinearMatmul, 8);
  table.setDomain("com.microsoft");
  table.add("QuantizeLinear", importQuantize, 2, 3);
  table.add("DequantizeLinear", importDequantize, 2, 3);
  table.add("QGemm", importQGemm, 5, 9);
  table.add("MatMulIntegerToFloat", importMatmulIntegerToFloat, 4, 7);
  table.add("DynamicQuantizeMatMul", importDynamicQuantizeMatmul, 3, 5);
  table.add("MatMulInteger16", importMatmulInteger16, 2);
  table.setDomain("");
}
