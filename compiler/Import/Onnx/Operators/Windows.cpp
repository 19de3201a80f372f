// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attributes that convolution and pooling share.
#include "compiler/Import/Onnx/Operators/Windows.h"

using namespace mlir;
using namespace hone::onnx;

/// Larger sizes make no sense and would overflow.
static constexpr int64_t kMaxWindow = int64_t(1) << 31;

std::optional<Ints> hone::onnx::knownKernel(NodeBuilder &n, Val &w) {
  Ints kernel;
  Sizes sizes = n.dims(w);
  std::optional<Ints> declared = n.intsAttr("kernel_shape");
  if (declared && static_cast<int64_t>(declared->size()) == w.rank() - 2 &&
      llvm::all_of(*declared, [](int64_t size) { return size > 0; }))
    for (auto [i, size] : llvm::enumerate(*declared))
      if (!NodeBuilder::known(sizes[2 + i]))
        sizes[2 + i] = n.index(size);
  for (Size size : ArrayRef(sizes).drop_front(2))
    if (std::optional<int64_t> known = NodeBuilder::known(size))
      kernel.push_back(*known);
  if (declared && *declared != kernel) {
    n.fail("has a kernel_shape that is not that of its weights");
    return std::nullopt;
  }
  w = n.withDims(w, sizes, "kernel_shape and the sizes of the weights");
  if (static_cast<int64_t>(kernel.size()) != w.rank() - 2)
    return std::nullopt;
  return kernel;
}

std::optional<Ints> hone::onnx::kernelOf(NodeBuilder &n, Val &w) {
  std::optional<Ints> kernel = knownKernel(n, w);
  if (!kernel && !n.failed())
    n.fail("has weights whose spatial sizes are not known; give them as "
           "kernel_shape");
  return kernel;
}

void hone::onnx::requireMultiple(NodeBuilder &n, Size channels, int64_t groups,
                                 StringRef what) {
  if (std::optional<int64_t> known = NodeBuilder::known(channels);
      known && *known % groups != 0)
    n.fail("has " + Twine(*known) + " " + what + ", no multiple of its " +
           Twine(groups) + " groups");
  else if (!known && groups != 1)
    n.require(
        eq(truncMod(n.host().size(channels), n.host().indexConstant(groups)),
           0),
        what + " are a multiple of " + Twine(groups) + " groups");
}

hone::onnx::Size hone::onnx::lowPad(NodeBuilder &n, Size total, bool upper) {
  Size half = n.floorDiv(total, n.index(2));
  return upper ? half : n.sub(total, half);
}

Val hone::onnx::channelsFirst(NodeBuilder &n, Val x) {
  Ints order{0, x.rank() - 1};
  for (int64_t i = 1; i < x.rank() - 1; ++i)
    order.push_back(i);
  return x.rank() < 3 ? x : n.transpose(x, order);
}

Val hone::onnx::channelsLast(NodeBuilder &n, Val x) {
  Ints order{0};
  for (int64_t i = 2; i < x.rank(); ++i)
    order.push_back(i);
  order.push_back(1);
  return x.rank() < 3 ? x : n.transpose(x, order);
}

Ints hone::onnx::spatialAxes(Val x) {
  Ints axes;
  for (int64_t i = 2; i < x.rank(); ++i)
    axes.push_back(i);
  return axes;
}

std::optional<Windows> Windows::parse(NodeBuilder &n, Val x,
                                      std::optional<Ints> kernel,
                                      bool resolvesAutoPad) {
  if (!kernel)
    return std::nullopt;
  size_t spatial = x.rank() - 2;
  Windows w;
  w.kernel = *kernel;
  w.strides = n.intsAttr("strides", Ints(spatial, 1));
  w.dilations = n.intsAttr("dilations", Ints(spatial, 1));
  w.pads = n.intsAttr("pads", Ints(2 * spatial, 0));
  w.group = n.intAttr("group", 1);
  auto fail = [&](const Twine &reason) -> std::optional<Windows> {
    n.fail(reason);
    return std::nullopt;
  };
  if (w.kernel.size() != spatial || w.strides.size() != spatial ||
      w.dilations.size() != spatial || w.pads.size() != 2 * spatial)
    return fail("has kernel_shape, strides, dilations or pads of another "
                "length than its " +
                Twine(spatial) + " spatial dimensions");
  auto inRange = [](int64_t low) {
    return [low](int64_t v) { return v >= low && v < kMaxWindow; };
  };
  if (!llvm::all_of(w.kernel, inRange(1)) ||
      !llvm::all_of(w.strides, inRange(1)) ||
      !llvm::all_of(w.dilations, inRange(1)) ||
      !llvm::all_of(w.pads, inRange(-kMaxWindow)) || w.group < 1 ||
      w.group >= kMaxWindow)
    return fail(
        "has a kernel, stride, dilation, pad or group that is out of range");

  StringRef autoPad = n.stringAttr("auto_pad", "NOTSET");
  if (autoPad == "VALID") {
    w.pads.assign(2 * spatial, 0);
  } else if (autoPad == "SAME_UPPER" || autoPad == "SAME_LOWER") {
    w.pads.assign(2 * spatial, 0);
    bool upper = autoPad == "SAME_UPPER";
    for (size_t i = 0; i < spatial && resolvesAutoPad; ++i) {
      // ceil(in / stride) windows; with a stride of 1 the input's size does not
      // matter.
      Size size = n.dim(x, 2 + i);
      Size total = n.index(w.extent(i) - 1);
      if (NodeBuilder::known(size) || w.strides[i] != 1)
        total = n.max(
            n.sub(n.add(n.mul(n.add(n.ceilDiv(size, n.index(w.strides[i])), -1),
                              w.strides[i]),
                        w.extent(i)),
                  size),
            n.index(0));
      w.runTotal.push_back(total);
      w.runLow.push_back(lowPad(n, total, upper));
    }
    auto isKnown = [](Size size) {
      return NodeBuilder::known(size).has_value();
    };
    if (llvm::all_of(w.runTotal, isKnown) && llvm::all_of(w.runLow, isKnown)) {
      for (auto [i, low] : llvm::enumerate(w.runLow)) {
        w.pads[i] = *NodeBuilder::known(low);
        w.pads[spatial + i] = *NodeBuilder::known(w.runTotal[i]) - w.pads[i];
      }
      w.runLow.clear();
      w.runTotal.clear();
    }
  } else if (autoPad != "NOTSET" && !autoPad.empty()) {
    return fail("has an auto_pad that ONNX does not define: '" + autoPad + "'");
  }
  if (n.failed())
    return std::nullopt;
  return w;
}

hone::onnx::Size Windows::outputSize(NodeBuilder &n, Size input, int64_t i,
                                     bool ceil) const {
  if (!runTotal.empty())
    return n.ceilDiv(input, n.index(strides[i]));
  int64_t spatial = kernel.size(), low = pads[i], high = pads[spatial + i];
  Size room = n.add(input, low + high - extent(i));
  Size stride = n.index(strides[i]);
  std::optional<int64_t> known = NodeBuilder::known(room);
  // In ceil mode a window may extend further past the end than there is
  // padding; if that is further than a stride, there is none.
  if (known && *known <= (ceil ? -2 * strides[i] : -1)) {
    n.fault("has a window of " + Twine(extent(i)) + " over a padded input of " +
            Twine(*known + extent(i)));
    return n.index(1);
  }
  if (!ceil)
    return n.add(n.floorDiv(room, stride), 1);
  Size count = n.add(n.ceilDiv(room, stride), 1);
  // The last window starts at (count - 1) * stride; it must start before input
  // and low padding end.
  Scalar last = n.host().size(n.mul(n.add(count, -1), strides[i]));
  Scalar end = n.host().size(n.add(input, low));
  Scalar size = n.host().size(count);
  return n.toSize(select(ge(last, end), size - 1, size));
}

Val Windows::padded(NodeBuilder &n, Val x, double fill) const {
  if (runTotal.empty())
    return x;
  Sizes own = n.dims(x), sizes = own, low(x.rank(), n.index(0));
  for (auto [i, total] : llvm::enumerate(runTotal)) {
    sizes[2 + i] = n.add(own[2 + i], total);
    low[2 + i] = runLow[i];
  }
  return n.padAtRun(x, low, sizes, [&](ScalarBuilder &s) {
    return s.constant(x.type().getElementType(), fill).value;
  });
}
