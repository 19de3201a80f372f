// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Convolutions of quantized tensors, and the fold of columns back into an
// image.
#include "compiler/Import/Onnx/Operators/Quantization.h"
#include "compiler/Import/Onnx/Operators/Windows.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace hone::onnx;

namespace {

/// The sum of `count` terms, which the body computes one after the other.
Scalar sumOver(ScalarBuilder &s, const Scalar &count, const Scalar &initial,
               function_ref<Scalar(ScalarBuilder &, Scalar)> term) {
  auto loop =
      scf::ForOp::create(s.builder, s.loc, s.indexConstant(0).value,
                         count.value, s.indexConstant(1).value, initial.value);
  OpBuilder body = OpBuilder::atBlockBegin(loop.getBody());
  ScalarBuilder b(body, s.loc);
  Scalar total = b.wrap(loop.getRegionIterArg(0));
  Scalar next = total + term(b, b.wrap(loop.getInductionVar()));
  scf::YieldOp::create(body, s.loc, next.value);
  if (b.failed())
    s.fail(initial, b.problem);
  return s.wrap(loop.getResult(0));
}

/// A parameter of the output channels, shaped to meet a tensor of `rank`
/// dimensions with the channels at `axis`.
Val channelParameter(NodeBuilder &n, Val parameter, int64_t rank,
                     int64_t axis) {
  if (!parameter || parameter.rank() == 0)
    return parameter;
  if (parameter.rank() != 1) {
    n.fail("has scales or zero points that are no vectors");
    return parameter;
  }
  if (parameter.shape()[0] == 1)
    return n.reshape(parameter, {});
  Sizes sizes(rank, n.index(1));
  sizes[axis] = n.dim(parameter, 0);
  return n.reshape(parameter, sizes);
}

/// The convolution in int32 of input and weights without their zero points.
std::optional<Val> integerConvolution(NodeBuilder &n, Val x, Val xZero, Val w,
                                      Val wZero) {
  if (x.rank() < 3 || x.rank() > 5 || w.rank() != x.rank() || !isByte(x) ||
      !isByte(w)) {
    n.fail(
        "takes an input and weights of int8 or uint8 with 3 to 5 dimensions");
    return std::nullopt;
  }
  std::optional<Windows> windows = Windows::parse(n, x, kernelOf(n, w));
  if (!windows)
    return std::nullopt;
  xZero = channelParameter(n, xZero, x.rank(), 1);
  // Padding reads as zero, which is what the zero point stands for.
  Val wideX = widen(n, x, xZero),
      wideW = widen(n, w, channelParameter(n, wZero, w.rank(), 0));
  if (n.failed())
    return std::nullopt;
  Val y = convOf(n, wideX, wideW, *windows);
  if (n.failed())
    return std::nullopt;
  return y;
}

LogicalResult importConvInteger(NodeBuilder &n) {
  std::optional<Val> y =
      integerConvolution(n, n.in(0), n.in(2), n.in(1), n.in(3));
  return y ? n.out(*y) : failure();
}

LogicalResult importQLinearConv(NodeBuilder &n, bool channelsLast) {
  Val x = n.in(0), w = n.in(3), yZero = n.in(7);
  if (channelsLast)
    x = channelsFirst(n, x);
  if (!isByte(yZero))
    return n.error("quantizes to " + elementTypeName(yZero.elem));
  std::optional<Val> sum = integerConvolution(n, x, n.in(2), w, n.in(5));
  if (!sum)
    return failure();
  Val y = *sum;
  if (n.has(8))
    y = addChannelBias(n, y, n.in(8), y.elem);
  auto scalar = [&](Val v) { return channelParameter(n, v, y.rank(), 1); };
  Val xScale = scalar(n.in(1)), wScale = scalar(n.in(4)),
      yScale = scalar(n.in(6));
  yZero = scalar(yZero);
  if (n.failed())
    return failure();
  y = requantize(n, y, xScale, wScale, yScale, yZero);
  return n.out(channelsLast ? hone::onnx::channelsLast(n, y) : y);
}

/// Each element of the image sums the columns that hold it.
LogicalResult importCol2Im(NodeBuilder &n) {
  Val x = n.in(0);
  std::optional<Sizes> image = n.elements(n.in(1)), block = n.elements(n.in(2));
  if (!image || !block)
    return failure();
  int64_t spatial = block->size();
  if (x.rank() != 3 || spatial < 1 || spatial > 8 ||
      static_cast<int64_t>(image->size()) != spatial || !isFloat(x.elem) ||
      isSmallFloat(x.elem))
    return n.error("takes a float tensor of 3 dimensions and one image and "
                   "block size for each spatial dimension");
  Ints dilations = n.intsAttr("dilations", Ints(spatial, 1)),
       strides = n.intsAttr("strides", Ints(spatial, 1)),
       pads = n.intsAttr("pads", Ints(2 * spatial, 0));
  auto positive = [](int64_t v) { return v > 0 && v < INT32_MAX; };
  if (static_cast<int64_t>(dilations.size()) != spatial ||
      static_cast<int64_t>(strides.size()) != spatial ||
      static_cast<int64_t>(pads.size()) != 2 * spatial ||
      !llvm::all_of(dilations, positive) || !llvm::all_of(strides, positive))
    return n.error("has dilations, strides or pads that make no sense");
  ScalarBuilder &host = n.host();
  for (Size size : *block)
    n.require(gt(host.size(size), 0), "the block sizes are positive");
  Size taps = n.product(*block);
  Sizes counts;
  for (int64_t i = 0; i < spatial; ++i) {
    Size extent = n.add(n.mul(n.add((*block)[i], -1), dilations[i]), 1);
    Size room = n.sub(n.add((*image)[i], pads[i] + pads[spatial + i]), extent);
    counts.push_back(n.add(n.floorDiv(room, n.index(strides[i])), 1));
  }
  Sizes own = n.dims(x);
  Size channels = n.floorDiv(own[1], taps);
  Val columns =
      n.withDims(x, {own[0], n.mul(channels, taps), n.product(counts)},
                 "the sizes of image and columns");
  if (n.failed())
    return failure();
  Sizes sizes{own[0], channels};
  sizes.append(image->begin(), image->end());
  mlir::Type type = computeType(n.b.getContext(), x.elem);
  return n.out(n.compute(sizes, x.elem, [&](ScalarBuilder &s) {
    SmallVector<Scalar> at;
    for (int64_t i = 0; i < 2 + spatial; ++i)
      at.push_back(s.index(i));
    return sumOver(
        s, s.size(taps), s.constant(type, 0),
        [&](ScalarBuilder &b, Scalar tap) {
          auto here = [&](const Scalar &v) { return b.wrap(v.value); };
          Scalar inside = b.boolean(true), column = b.indexConstant(0),
                 zero = column;
          Scalar rest = tap;
          SmallVector<Scalar> inBlock(spatial);
          for (int64_t i = spatial - 1; i >= 0; --i) {
            inBlock[i] = truncMod(rest, b.size((*block)[i]));
            rest = floorDiv(rest, b.size((*block)[i]));
          }
          for (int64_t i = 0; i < spatial; ++i) {
            // The block that holds this element at this tap, if there is one.
            Scalar from = here(at[2 + i]) + b.indexConstant(pads[i]) -
                          inBlock[i] * b.indexConstant(dilations[i]);
            Scalar stride = b.indexConstant(strides[i]), safe = max(from, zero);
            Scalar place = floorDiv(safe, stride);
            Scalar fits =
                bitAnd(bitAnd(ge(from, zero), eq(truncMod(safe, stride), 0)),
                       lt(place, b.size(counts[i])));
            inside = bitAnd(inside, fits);
            column = column * b.size(counts[i]) + select(fits, place, zero);
          }
          Scalar row = here(at[1]) * b.size(taps) + tap;
          Scalar nothing = b.constant(columns.type().getElementType(), 0);
          return b.load(b.extractWhere(inside, columns.value,
                                       {here(at[0]), row, column}, nothing),
                        x.elem);
        });
  }));
}

LogicalResult importCenterCropPad(NodeBuilder &n) {
  Val x = n.in(0);
  std::optional<Ints> axes =
      n.axes("axes", SIZE_MAX, x.rank(), /*sorted=*/false);
  std::optional<Sizes> wanted =
      n.elements(n.in(1), axes ? axes->size() : x.rank());
  if (!wanted || n.failed())
    return failure();
  if (!axes) {
    axes.emplace();
    for (int64_t i = 0; i < x.rank(); ++i)
      axes->push_back(i);
  }
  if (axes->size() != wanted->size())
    return n.error("has " + Twine(wanted->size()) + " sizes for " +
                   Twine(axes->size()) + " axes");
  if (!x.type().getElementType().isIntOrFloat())
    return n.error("takes numbers alone");
  Sizes own = n.dims(x), sizes = own, shift(x.rank(), n.index(0));
  ScalarBuilder &s = n.host();
  for (auto [axis, size] : llvm::zip(*axes, *wanted)) {
    Scalar target = s.size(size), have = s.size(own[axis]);
    // Cropped at the start by the smaller half, or padded there.
    Scalar crop = s.size(n.floorDiv(
        n.toSize(max(have - target, s.indexConstant(0))), n.index(2)));
    Scalar pad = s.size(n.floorDiv(
        n.toSize(max(target - have, s.indexConstant(0))), n.index(2)));
    shift[axis] = n.toSize(crop - pad);
    sizes[axis] = size;
  }
  return n.out(n.move(sizes, x.elem, [&](ScalarBuilder &b) {
    SmallVector<Scalar> at;
    Scalar inside = b.boolean(true);
    for (int64_t i = 0; i < x.rank(); ++i) {
      Scalar place = b.index(i) + b.size(shift[i]);
      inside = bitAnd(inside, bitAnd(ge(place, 0), lt(place, b.size(own[i]))));
      at.push_back(place);
    }
    Scalar nothing = b.constant(x.type().getElementType(), 0);
    return b.extractWhere(inside, x.value, at, nothing);
  }));
}

} // namespace

void hone::onnx::addIntegerConvolution(OpTable &table) {
  table.add("ConvInteger", importConvInteger, 2, 4);
  table.add(
      "QLinearConv", [](NodeBuilder &n) { return importQLinearConv(n, false); },
      8, 9);
  table.add("Col2Im", importCol2Im, 3);
  table.add("CenterCropPad", importCenterCropPad, 2);
  table.setDomain("com.microsoft");
  table.add(
      "QLinearConv",
      [](NodeBuilder &n) {
        return importQLinearConv(n, n.intAttr("channels_last") != 0);
      },
      8, 9);
  table.setDomain("");
}
