// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sizes and clamped ranges of sliding windows, for convolution and pooling.
#include "passes/Emit/Window.h"

using namespace mlir;
using namespace hone;

void Window::setSizes(const FlatBuffer &input, ValueRange outSizes) {
  batch = input.sizes[0];
  channels = input.sizes[channelDim()];
  for (size_t d = 0; d < spatial(); ++d) {
    in.push_back(input.sizes[bufferDim(d)]);
    out.push_back(outSizes[bufferDim(d)]);
  }
}

Value Window::start(Emitter &e, size_t d, Value outCoordinate) const {
  return e.sub(e.mul(outCoordinate, strides[d]), e.cst(pads[d]));
}

bool Window::isInside(size_t d, int64_t outCoordinate, int64_t k) const {
  int64_t position = outCoordinate * strides[d] - pads[d] + k * dilations[d];
  return position >= 0 && position < *constantOf(in[d]);
}

int64_t Window::tilesAlike(size_t d, int64_t first, int64_t pixels,
                           int64_t count) const {
  int64_t step = pixels * strides[d];
  for (int64_t p = 0; p < pixels; ++p)
    for (int64_t k = 0; k < kernel[d]; ++k) {
      int64_t position = (first + p) * strides[d] - pads[d] + k * dilations[d];
      // Where the element enters the input, or leaves it.
      int64_t border = position < 0 ? 0 : *constantOf(in[d]);
      if (position < border)
        count =
            std::min(count, llvm::divideCeilSigned(border - position, step));
    }
  return count;
}

bool Window::neverLeaves(size_t d) const {
  std::optional<int64_t> inSize = constantOf(in[d]),
                         outSize = constantOf(out[d]);
  if (pads[d] > 0 || !inSize || !outSize || *outSize <= 0)
    return false;
  return isInside(d, 0, 0) && isInside(d, *outSize - 1, kernel[d] - 1);
}

std::pair<Value, Value> Window::kernelRange(Emitter &e, size_t d,
                                            Value start) const {
  Value zero = e.cst(0), size = e.cst(kernel[d]);
  if (neverLeaves(d))
    return {zero, size};
  // Elements before the input: ceil(-start / dilation).
  Value low = e.ceilDiv(e.max(e.sub(zero, start), zero), dilations[d]);
  Value high = e.ceilDiv(e.max(e.sub(in[d], start), zero), dilations[d]);
  high = e.min(high, size);
  return {e.min(low, high), high};
}

std::pair<Value, Value> Window::interior(Emitter &e, size_t d) const {
  int64_t stride = strides[d];
  Value low = e.cst((std::max<int64_t>(pads[d], 0) + stride - 1) / stride);
  low = e.min(low, out[d]);
  int64_t reach = (kernel[d] - 1) * dilations[d] - pads[d];
  Value high = e.ceilDiv(e.max(e.sub(in[d], e.cst(reach)), e.cst(0)), stride);
  return {low, e.max(e.min(high, out[d]), low)};
}
