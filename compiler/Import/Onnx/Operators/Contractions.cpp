// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Matrix products and convolutions.
#include "compiler/Import/Onnx/Operators/Windows.h"

using namespace mlir;
using namespace hone::onnx;

namespace {

LogicalResult importMatMul(NodeBuilder &n) {
  Val a = n.in(0), b = n.in(1);
  if (a.rank() == 0 || b.rank() == 0)
    return n.error("multiplies a scalar");
  return n.out(matmulOf(n, a, b));
}

LogicalResult importGemm(NodeBuilder &n) {
  Val a = n.in(0), b = n.in(1);
  if (a.rank() != 2 || b.rank() != 2)
    return n.error("takes two matrices, not tensors of " + Twine(a.rank()) +
                   " and " + Twine(b.rank()) + " dimensions");
  float alpha = n.floatAttr("alpha", 1), beta = n.floatAttr("beta", 1);
  if (n.intAttr("transA"))
    a = n.transpose(a, {1, 0});
  bool adds = n.has(2) && beta != 0, transB = n.intAttr("transB") != 0;
  if (!adds && alpha == 1)
    return n.out(n.matmul(a, b, transB));
  Val product = n.wideMatmul(a, b, transB);
  if (n.failed())
    return failure();
  auto scaled = [](const Scalar &x, float by) { return by == 1 ? x : x * by; };
  if (!isFloat(product.elem) &&
      (alpha != std::floor(alpha) || beta != std::floor(beta)))
    return n.error("scales integers by a fraction");
  if (!adds)
    return n.out(
        n.map(product, a.elem, [&](Scalar x) { return scaled(x, alpha); }));
  Val c = n.in(2);
  if (c.rank() > 2 || c.elem != a.elem)
    return n.error("adds a tensor that does not fit the product");
  if (n.opset < 7 && !n.intAttr("broadcast") && c.rank() != 2)
    return n.error("adds a tensor that has another shape than the product");
  c = n.alignTo(c, n.dims(product));
  return n.out(n.map({product, c}, a.elem, [&](ArrayRef<Scalar> x) {
    return scaled(x[0], alpha) + scaled(x[1], beta);
  }));
}

} // namespace

Val hone::onnx::matmulOf(NodeBuilder &n, Val a, Val b) {
  bool row = a.rank() == 1, column = b.rank() == 1;
  if (row)
    a = n.unsqueeze(a, {0});
  if (column)
    b = n.unsqueeze(b, {1});
  Val product = n.matmul(a, b);
  if (n.failed() || (!row && !column))
    return product;
  Ints dropped;
  if (row)
    dropped.push_back(product.rank() - 2);
  if (column)
    dropped.push_back(product.rank() - 1);
  return n.squeeze(product, dropped);
}

Val hone::onnx::convOf(NodeBuilder &n, Val x, Val w, const Windows &windows) {
  int64_t spatial = x.rank() - 2;
  Sizes own = n.dims(x);
  Size channels = n.mul(n.dim(w, 1), windows.group);
  own[1] = channels;
  x = n.withDims(x, own, "the channels of input and weights");
  requireMultiple(n, n.dim(w, 0), windows.group, "output channels");
  if (n.failed())
    return x;
  // The sizes are those over the unpadded input.
  Val input = x;
  x = windows.padded(n, x, 0);
  // Negative padding crops.
  Ints low(x.rank(), 0), high(x.rank(), 0), pads = windows.pads;
  for (int64_t i = 0; i < spatial; ++i) {
    for (auto [side, at] : {std::pair(&low, i), std::pair(&high, spatial + i)})
      if (pads[at] < 0) {
        (*side)[2 + i] = pads[at];
        pads[at] = 0;
      }
  }
  Windows rest = windows;
  rest.pads = pads;
  mlir::Type element = x.type().getElementType();
  if (llvm::any_of(low, [](int64_t p) { return p < 0; }) ||
      llvm::any_of(high, [](int64_t p) { return p < 0; }))
    input = x = n.pad(x, n.host().constant(element, 0).value, low, high);
  Sizes sizes{own[0], n.dim(w, 0)};
  for (int64_t i = 0; i < spatial; ++i)
    sizes.push_back(rest.outputSize(n, n.dim(input, 2 + i), i, /*ceil=*/false));
  if (n.failed())
    return x;
  ElementType wide = widenedType(x.elem);
  return {graph::ConvOp::create(n.b, n.loc, n.tensorType(wide, sizes), x.value,
                                w.value, n.dynamic(sizes), rest.strides,
                                rest.dilations, rest.pads, rest.group,
                                /*channelsLast=*/false, graph::PackedAttr(),
                                /*depthwise=*/false, rest.kernel,
                                /*fill=*/IntegerAttr()),
          wide};
}

Val hone::onnx::addChannelBias(NodeBuilder &n, Val y, Val bias,
                               ElementType elem) {
  if (n.failed() || !bias)
    return n.failed() ? y : n.cast(y, elem);
  if (bias.rank() != 1 || bias.elem != elem) {
    n.fail("has a bias that is not a vector of the input's type");
    return y;
  }
  Sizes sizes(y.rank() - 1, n.index(1));
  sizes[0] = n.dim(y, 1);
  bias = n.reshape(
      n.withDims(bias, {sizes[0]}, "the sizes of bias and channels"), sizes);
  return n.map({y, bias}, elem, [](ArrayRef<Scalar> a) { return a[0] + a[1]; });
}

namespace {

bool checkConvolution(NodeBuilder &n, Val x, Val w) {
  if (x.rank() < 3 || x.rank() > 5 || w.rank() != x.rank())
    return succeeded(n.error(
        "takes an input of 3 to 5 dimensions and weights of as many, not " +
        Twine(x.rank()) + " and " + Twine(w.rank())));
  if (x.elem != w.elem || !isFloat(x.elem) || isSmallFloat(x.elem))
    return succeeded(n.error("takes input and weights of one float type"));
  return true;
}

LogicalResult importConv(NodeBuilder &n) {
  Val x = n.in(0), w = n.in(1);
  if (!checkConvolution(n, x, w))
    return failure();
  std::optional<Ints> kernel = knownKernel(n, w);
  if (n.failed())
    return failure();
  std::optional<Windows> windows =
      Windows::parse(n, x, kernel.value_or(Ints(x.rank() - 2, 1)),
                     /*resolvesAutoPad=*/kernel.has_value());
  if (!windows)
    return failure();
  Val y = kernel ? convOf(n, x, w, *windows) : convOfColumns(n, x, w, *windows);
  return n.out(addChannelBias(n, y, n.in(2), x.elem));
}

LogicalResult importConvTranspose(NodeBuilder &n) {
  Val x = n.in(0), w = n.in(1);
  if (!checkConvolution(n, x, w))
    return failure();
  int64_t spatial = x.rank() - 2;
  std::optional<Ints> kernel = knownKernel(n, w);
  if (n.failed())
    return failure();
  std::optional<Windows> windows =
      Windows::parse(n, x, kernel.value_or(Ints(spatial, 1)),
                     /*resolvesAutoPad=*/false);
  if (!windows)
    return failure();
  Ints outputPadding = n.intsAttr("output_padding", Ints(spatial, 0));
  std::optional<Ints> outputShape = n.intsAttr("output_shape");
  if (static_cast<int64_t>(outputPadding.size()) != spatial)
    return n.error(
        "has output_padding of another length than its spatial dimensions");
  // output_shape may include batch and channels as well.
  if (outputShape && outputShape->size() == static_cast<size_t>(x.rank()))
    outputShape->erase(outputShape->begin(), outputShape->begin() + 2);
  if (outputShape && static_cast<int64_t>(outputShape->size()) != spatial)
    return n.error(
        "has an output_shape of another length than its spatial dimensions");
  Sizes own = n.dims(x);
  own[1] = n.dim(w, 0);
  x = n.withDims(x, own, "the channels of input and weights");
  if (n.failed())
    return failure();
  requireMultiple(n, own[1], windows->group, "channels");
  if (n.failed())
    return failure();
  if (!kernel)
    return n.out(addChannelBias(
        n,
        convTransposeOfColumns(n, x, w, *windows, outputPadding, outputShape),
        n.in(2), x.elem));

  // The result of the convolution, and the requested part of it.
  Sizes sizes{own[0], n.mul(n.dim(w, 1), windows->group)},
      kept = sizes, low(x.rank(), n.index(0));
  bool cuts = false;
  StringRef autoPad = n.stringAttr("auto_pad", "NOTSET");
  for (int64_t i = 0; i < spatial; ++i) {
    // The size without padding; the requested size determines the padding.
    Size size = n.add(n.mul(n.add(n.dim(x, 2 + i), -1), windows->strides[i]),
                      (windows->kernel[i] - 1) * windows->dilations[i] + 1 +
                          outputPadding[i]);
    Size wanted;
    if (outputShape)
      wanted = n.index((*outputShape)[i]);
    else if (autoPad.starts_with("SAME"))
      wanted = n.mul(n.dim(x, 2 + i), windows->strides[i]);
    if (!wanted) {
      size = wanted =
          n.add(size, -(windows->pads[i] + windows->pads[spatial + i]));
    } else {
      Size total = n.max(n.sub(size, wanted), n.index(0)),
           below = lowPad(n, total, autoPad == "SAME_UPPER");
      std::optional<int64_t> all = NodeBuilder::known(total),
                             pad = NodeBuilder::known(below);
      if (all && pad) {
        windows->pads[i] = *pad;
        windows->pads[spatial + i] = *all - *pad;
        size = wanted;
      } else {
        // Sizes known only at run time are cut from the full result, which may
        // also end before the requested part does.
        cuts = true;
        low[2 + i] = n.sub(n.index(0), below);
      }
    }
    sizes.push_back(size);
    kept.push_back(wanted);
  }
  if (n.failed())
    return failure();
  ElementType wide = widenedType(x.elem);
  Val y{graph::ConvTransposeOp::create(n.b, n.loc, n.tensorType(wide, sizes),
                                       x.value, w.value, n.dynamic(sizes),
                                       windows->strides, windows->dilations,
                                       windows->pads, windows->group),
        wide};
  if (cuts)
    y = n.padAtRun(y, low, kept, [&](ScalarBuilder &s) {
      return s.constant(y.type().getElementType(), 0).value;
    });
  return n.out(addChannelBias(n, y, n.in(2), x.elem));
}

} // namespace

void hone::onnx::addContractions(OpTable &table) {
  table.add("MatMul", importMatMul, 2);
  table.add("Gemm", importGemm, 2, 3);
  table.add("Conv", importConv, 2, 3);
  table.add("ConvTranspose", importConvTranspose, 2, 3);
}
