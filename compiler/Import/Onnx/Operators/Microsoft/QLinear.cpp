// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Operators of com.microsoft between quantized tensors of bytes: what they
// compute is that of the float operators, and their result is quantized again.
#include "compiler/Import/Onnx/Operators/Normalization.h"
#include "compiler/Import/Onnx/Operators/Quantization.h"
#include "compiler/Import/Onnx/Operators/Windows.h"

using namespace mlir;
using namespace hone::onnx;
using Args = ArrayRef<Scalar>;

namespace {

/// A tensor at input 0, its parameters, and those of the result from input 3.
struct Unary {
  NodeBuilder &n;
  std::optional<Quantized> x, y;

  explicit Unary(NodeBuilder &n) : n(n), x(quantizedInput(n, 0)) {
    if (x)
      y = quantizedResult(n, 3, x->x.elem);
  }
  bool isRight() const { return y.has_value(); }
  LogicalResult outQuantized(Val result) {
    return n.failed() ? failure() : n.out(quantize(n, result, *y));
  }
};

LogicalResult importUnary(NodeBuilder &n,
                          function_ref<Scalar(const Scalar &)> formula) {
  Unary u(n);
  return u.isRight()
             ? u.outQuantized(n.map(dequantize(n, *u.x),
                                    [&](Scalar x) { return formula(x); }))
             : failure();
}

/// Two quantized tensors of one type, and parameters of a result of it.
struct Binary {
  std::optional<Quantized> a, b, y;

  explicit Binary(NodeBuilder &n) : a(quantizedInput(n, 0)) {
    if (a)
      b = quantizedInput(n, 3);
    if (!b)
      return;
    if (b->x.elem != a->x.elem)
      n.fail("takes two tensors of one type");
    else
      y = quantizedResult(n, 6, a->x.elem);
  }
};

/// The sum in steps of the result, its zero point among them, is rounded once;
/// ONNX Runtime adds the second tensor first.
LogicalResult importAdd(NodeBuilder &n) {
  Binary t(n);
  if (!t.y)
    return failure();
  return n.out(n.map({t.a->x, t.b->x, t.a->scale, t.a->zeroPoint, t.b->scale,
                      t.b->zeroPoint, t.y->scale, t.y->zeroPoint},
                     t.a->x.elem, [&](Args v) {
                       auto wide = [&](size_t i) {
                         return v[i].builder->toFloat(v[i], v[2].type());
                       };
                       Scalar left = v[2] / v[6], right = v[4] / v[6];
                       Scalar fixed =
                           wide(7) - (left * wide(3) + right * wide(5));
                       Scalar sum = fixed + wide(1) * right + wide(0) * left;
                       return saturated(roundEven(sum), t.a->x.elem);
                     }));
}

LogicalResult importMul(NodeBuilder &n) {
  Binary t(n);
  if (!t.y)
    return failure();
  return n.out(n.map({t.a->x, t.b->x, t.a->scale, t.a->zeroPoint, t.b->scale,
                      t.b->zeroPoint, t.y->scale, t.y->zeroPoint},
                     t.a->x.elem, [&](Args v) {
                       auto wide = [&](size_t i) {
                         return v[i].builder->toFloat(v[i], v[2].type());
                       };
                       Scalar product =
                           (wide(0) - wide(3)) * (wide(1) - wide(5));
                       Scalar scaled = product * (v[2] * v[4] / v[6]) + wide(7);
                       return saturated(roundEven(scaled), t.a->x.elem);
                     }));
}

LogicalResult importSoftmax(NodeBuilder &n) {
  Unary u(n);
  int64_t opset = n.intAttr("opset");
  if (opset < 1)
    return n.error("lacks the opset by which it is a Softmax");
  return u.isRight() ? u.outQuantized(softmaxOf(n, dequantize(n, *u.x), opset))
                     : failure();
}

LogicalResult importAveragePool(NodeBuilder &n) {
  Unary u(n);
  if (!u.isRight())
    return failure();
  bool last = n.intAttr("channels_last") != 0;
  Val x = dequantize(n, *u.x);
  Val pooled = averagePool(n, last ? channelsFirst(n, x) : x);
  return u.outQuantized(n.failed() || !last ? pooled : channelsLast(n, pooled));
}

/// A product with ones, as far as rounding goes.
LogicalResult importGlobalAveragePool(NodeBuilder &n) {
  Unary u(n);
  if (!u.isRight())
    return failure();
  Val x = u.x->x;
  if (x.rank() < 3)
    return n.error("takes a tensor of at least 3 dimensions");
  Ints axes = spatialAxes(x);
  if (n.intAttr("channels_last"))
    for (int64_t &axis : axes)
      --axis;
  Size count = n.index(1);
  for (int64_t axis : axes)
    count = n.mul(count, n.dim(x, axis));
  Val sum = n.sum(widen(n, x, u.x->zeroPoint), axes, /*keepdims=*/true);
  // Scale of the result over all elements of which it is the mean.
  Val yScale = n.map(u.y->scale, [&](Scalar scale) {
    ScalarBuilder &s = *scale.builder;
    return scale * s.toFloat(s.size(count), scale.type());
  });
  return n.out(requantize(n, sum, u.x->scale, n.scalar(yScale.elem, 1), yScale,
                          u.y->zeroPoint));
}

LogicalResult importReduceMean(NodeBuilder &n) {
  Unary u(n);
  if (!u.isRight())
    return failure();
  int64_t rank = u.x->x.rank();
  Ints axes;
  if (std::optional<Ints> given = n.intsAttr("axes"); given && !given->empty())
    for (int64_t axis : *given)
      axes.push_back(n.axis(axis, rank));
  else
    for (int64_t i = 0; i < rank; ++i)
      axes.push_back(i);
  llvm::sort(axes);
  if (llvm::adjacent_find(axes) != axes.end())
    return n.error("names an axis twice");
  if (n.failed())
    return failure();
  return u.outQuantized(n.mean(dequantize(n, *u.x), axes,
                               /*keepdims=*/n.intAttr("keepdims", 1) != 0));
}

LogicalResult importConcat(NodeBuilder &n) {
  if (n.numInputs() < 5 || (n.numInputs() - 2) % 3 != 0)
    return n.error("takes a scale, a zero point and then three inputs for each "
                   "tensor");
  ElementType elem = n.in(1).elem;
  std::optional<Quantized> y = quantizedResult(n, 0, elem);
  if (!y || !isByte(y->zeroPoint))
    return n.error("quantizes to " + elementTypeName(elem));
  SmallVector<Val> parts;
  if (!n.hasAttr("axis"))
    return n.error("lacks the attribute 'axis'");
  int64_t rank = n.in(2).rank();
  for (size_t i = 2; i < n.numInputs(); i += 3) {
    std::optional<Quantized> x = quantizedInput(n, i);
    if (!x)
      return failure();
    if (x->x.rank() != rank)
      return n.error("joins tensors of different ranks");
    parts.push_back(quantize(n, dequantize(n, *x), *y));
  }
  int64_t axis = n.axisAttr("axis", 0, rank);
  return n.failed() ? failure() : n.out(n.concat(parts, axis));
}

LogicalResult importWhere(NodeBuilder &n) {
  std::optional<Quantized> x = quantizedInput(n, 1), y = quantizedInput(n, 4);
  if (!x || !y)
    return failure();
  if (n.in(0).elem != ElementType::Bool || y->x.elem != x->x.elem)
    return n.error("takes a tensor of bool and two of one type");
  std::optional<Quantized> z = quantizedResult(n, 7, x->x.elem);
  if (!z)
    return failure();
  return n.out(n.map({n.in(0), quantize(n, dequantize(n, *x), *z),
                      quantize(n, dequantize(n, *y), *z)},
                     x->x.elem,
                     [](Args v) { return select(v[0], v[1], v[2]); }));
}

/// MaxPool of a tensor with the channels last.
LogicalResult importNhwcMaxPool(NodeBuilder &n) {
  if (!isByte(n.in(0)))
    return n.error("takes a tensor of int8 or uint8");
  Val pooled = maxPool(n, channelsFirst(n, n.in(0)));
  return n.failed() ? failure() : n.out(channelsLast(n, pooled));
}

} // namespace

void hone::onnx::addQLinear(OpTable &table) {
  table.setDomain("com.microsoft");
  table.add("QLinearAdd", importAdd, 2, 8);
  table.add("QLinearMul", importMul, 2, 8);
  table.add(
      "QLinearSigmoid", [](NodeBuilder &n) { return importUnary(n, sigmoid); },
      2, 5);
  table.add(
      "QLinearLeakyRelu",
      [](NodeBuilder &n) {
        double alpha = n.floatAttr("alpha", 0.01f);
        return importUnary(
            n, [&](const Scalar &x) { return select(lt(x, 0), x * alpha, x); });
      },
      2, 5);
  table.add("QLinearSoftmax", importSoftmax, 2, 5);
  table.add("QLinearAveragePool", importAveragePool, 2, 5);
  table.add("QLinearGlobalAveragePool", importGlobalAveragePool, 2, 5);
  table.add("QLinearReduceMean", importReduceMean, 2, 5);
  table.add("QLinearConcat", importConcat, 5, kVariadic);
  table.add("QLinearWhere", importWhere, 9);
  table.add("NhwcMaxPool", importNhwcMaxPool, 1);
  table.setDomain("");
}
