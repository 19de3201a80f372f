// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Convolutions whose kernel size is only known at run time: the windows of the
// input as columns of a matrix, times the weights (im2col; Chellapilla et al.,
// "High performance convolutional neural networks for document processing",
// 2006). A transposed convolution is one of stride 1 over its input with zeros
// between the elements, with the weights reversed.
#include "compiler/Import/Onnx/Operators/Windows.h"

using namespace mlir;
using namespace hone::onnx;

namespace {

/// Spatial sizes of the weights, of which there is at least one element.
Sizes kernelAtRun(NodeBuilder &n, Val w) {
  Sizes kernel = n.dims(w);
  kernel.erase(kernel.begin(), kernel.begin() + 2);
  ScalarBuilder &host = n.host();
  for (Size size : kernel)
    n.require(gt(host.size(size), 0), "the weights have elements");
  return kernel;
}

Size extentOf(NodeBuilder &n, Size kernel, int64_t dilation) {
  return n.add(n.mul(n.add(kernel, -1), dilation), 1);
}

/// Columns of a padded input: the element under a tap at a position is at
/// `place`, along each spatial dimension.
Val productWithPadded(
    NodeBuilder &n, Val x, Val weights, const Sizes &kernel,
    const Sizes &positions,
    function_ref<Scalar(int64_t axis, Scalar tap, Scalar position)> place) {
  int64_t spatial = kernel.size();
  Size channels = n.floorDiv(n.dim(x, 1), n.dim(weights, 0));
  return productOfColumns(
      n, weights, {n.dim(x, 0), x.elem, channels, kernel, positions},
      [&](ScalarBuilder &s) {
        SmallVector<Scalar> at{s.index(0),
                               s.index(1) * s.size(channels) + s.index(2)};
        for (int64_t i = 0; i < spatial; ++i)
          at.push_back(place(i, s.index(3 + i), s.index(3 + spatial + i)));
        return s.element(x.value, x.elem, at);
      });
}

} // namespace

Val hone::onnx::weightsOfGroups(NodeBuilder &n, Val w, int64_t group) {
  Size groups = n.index(group);
  Sizes sizes = n.dims(w);
  return n.reshape(w, {groups, n.floorDiv(sizes[0], groups),
                       n.product(ArrayRef(sizes).drop_front())});
}

Val hone::onnx::productOfColumns(
    NodeBuilder &n, Val weights, const Columns &of,
    function_ref<Scalar(ScalarBuilder &)> element) {
  Size group = n.dim(weights, 0);
  Sizes sizes{of.batch, group, of.channels};
  llvm::append_range(sizes, of.kernel);
  llvm::append_range(sizes, of.positions);
  Val columns = n.compute(sizes, of.elem, element);
  columns = n.reshape(columns, {of.batch, group,
                                n.mul(of.channels, n.product(of.kernel)),
                                n.product(of.positions)});
  Val product = n.wideMatmul(weights, columns);
  if (n.failed())
    return product;
  Sizes result{of.batch, n.mul(n.dim(weights, 1), group)};
  llvm::append_range(result, of.positions);
  return n.reshape(product, result);
}

Val hone::onnx::convOfColumns(NodeBuilder &n, Val x, Val w, const Windows &a) {
  int64_t spatial = x.rank() - 2;
  Sizes own = n.dims(x), kernel = kernelAtRun(n, w);
  own[1] = n.mul(n.dim(w, 1), a.group);
  x = n.withDims(x, own, "the channels of input and weights");
  requireMultiple(n, n.dim(w, 0), a.group, "output channels");
  StringRef autoPad = n.stringAttr("auto_pad", "NOTSET");
  Sizes low(2, n.index(0)), padded{own[0], own[1]}, positions;
  for (int64_t i = 0; i < spatial; ++i) {
    Size extent = extentOf(n, kernel[i], a.dilations[i]), input = own[2 + i],
         stride = n.index(a.strides[i]);
    if (autoPad.starts_with("SAME")) {
      positions.push_back(n.ceilDiv(input, stride));
      Size covered = n.add(n.mul(n.add(positions[i], -1), stride), extent),
           total = n.max(n.sub(covered, input), n.index(0));
      low.push_back(lowPad(n, total, autoPad == "SAME_UPPER"));
      padded.push_back(n.add(input, total));
      continue;
    }
    low.push_back(n.index(a.pads[i]));
    padded.push_back(n.add(input, a.pads[i] + a.pads[spatial + i]));
    Size room = n.sub(padded.back(), extent);
    n.require(ge(n.host().size(room), 0),
              "the windows fit into the padded input");
    positions.push_back(n.add(n.floorDiv(room, stride), 1));
  }
  if (n.failed())
    return x;
  x = n.padAtRun(x, low, padded, [&](ScalarBuilder &s) {
    return s.constant(x.type().getElementType(), 0).value;
  });
  return productWithPadded(
      n, x, weightsOfGroups(n, w, a.group), kernel, positions,
      [&](int64_t i, Scalar tap, Scalar position) {
        return position * a.strides[i] + tap * a.dilations[i];
      });
}

Val hone::onnx::convTransposeOfColumns(NodeBuilder &n, Val x, Val w,
                                       const Windows &a,
                                       const Ints &outputPadding,
                                       const std::optional<Ints> &outputShape) {
  int64_t spatial = x.rank() - 2;
  Sizes own = n.dims(x), kernel = kernelAtRun(n, w);
  StringRef autoPad = n.stringAttr("auto_pad", "NOTSET");
  Sizes spread{own[0], own[1]}, low(2, n.index(0)), padded(spread), positions;
  for (int64_t i = 0; i < spatial; ++i) {
    Size extent = extentOf(n, kernel[i], a.dilations[i]),
         below = n.index(a.pads[i]);
    Size full = n.add(n.add(n.mul(n.add(own[2 + i], -1), a.strides[i]), extent),
                      outputPadding[i]);
    if (outputShape || autoPad.starts_with("SAME")) {
      positions.push_back(outputShape ? n.index((*outputShape)[i])
                                      : n.mul(own[2 + i], a.strides[i]));
      below = lowPad(n, n.max(n.sub(full, positions[i]), n.index(0)),
                     autoPad == "SAME_UPPER");
    } else {
      positions.push_back(n.add(full, -(a.pads[i] + a.pads[spatial + i])));
    }
    spread.push_back(n.mul(own[2 + i], a.strides[i]));
    low.push_back(n.sub(n.add(extent, -1), below));
    padded.push_back(n.add(n.add(positions[i], extent), -1));
  }
  if (n.failed())
    return x;
  Val input = x;
  if (llvm::any_of(a.strides, [](int64_t stride) { return stride != 1; }))
    x = n.compute(spread, x.elem, [&](ScalarBuilder &s) {
      SmallVector<Scalar> at{s.index(0), s.index(1)};
      Scalar isElement = s.boolean(true);
      for (int64_t i = 0; i < spatial; ++i) {
        Scalar place = s.index(2 + i), stride = s.indexConstant(a.strides[i]);
        isElement = bitAnd(isElement, eq(truncMod(place, stride), 0));
        at.push_back(floorDiv(place, stride));
      }
      Scalar element = s.element(input.value, input.elem, at);
      return select(isElement, element, s.like(element, 0));
    });
  x = n.padAtRun(x, low, padded, [&](ScalarBuilder &s) {
    return s.constant(x.type().getElementType(), 0).value;
  });
  Size group = n.index(a.group), channels = n.floorDiv(own[1], group),
       outputs = n.dim(w, 1), taps = n.product(kernel);
  Val weights = n.reshape(
      n.transpose(n.reshape(w, {group, channels, outputs, taps}), {0, 2, 1, 3}),
      {group, outputs, n.mul(channels, taps)});
  return productWithPadded(n, x, weights, kernel, positions,
                           [&](int64_t i, Scalar tap, Scalar position) {
                             ScalarBuilder &s = *tap.builder;
                             return position + (s.size(kernel[i]) - 1 - tap) *
                                                   a.dilations[i];
                           });
}
