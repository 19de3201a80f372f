// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sizes and clamped ranges of sliding windows, for convolution and pooling.
#include "passes/Emit/Window.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Emit/Epilogue.h"
#include "passes/Machine/Tuning.h"

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

SmallVector<Value> Window::forElements(Emitter &e, Value low, Value high,
                                       ValueRange init,
                                       Emitter::LoopBody body) {
  std::optional<int64_t> first = constantOf(low), end = constantOf(high);
  if (!first || !end || *end - *first > tuning::kMaxUnrolledKernel)
    return e.loop(low, high, 1, init, body);
  SmallVector<Value> carried(init);
  for (int64_t k = *first; k < *end; ++k)
    carried = body(e.cst(k), carried);
  return carried;
}

Value Window::load(Emitter &e, const FlatBuffer &input, Value offset, Value at,
                   int64_t lanes, Value outside) const {
  size_t last = spatial() - 1;
  auto type = VectorType::get({lanes}, input.elementType());
  auto loadFrom = [&](int64_t lane) -> Value {
    Value place = e.add(offset, lane);
    if (!outside)
      return input.load(e, place, lanes);
    Value first = e.add(at, lane), inside = makeMask(e, in[last], first, lanes);
    if (pads[last] > 0)
      inside = arith::SelectOp::create(
          e.builder, e.loc, makeMask(e, e.cst(0), first, lanes),
          e.splat(inside.getType(), e.builder.getBoolAttr(false)), inside);
    return vector::MaskedLoadOp::create(e.builder, e.loc, type, input.memref,
                                        place, inside, outside);
  };
  Value low = loadFrom(0);
  if (strides[last] == 1)
    return low;
  // Every second element. The upper half is loaded from one element earlier, so
  // that nothing past the last is read.
  Value high = loadFrom(lanes - 1);
  SmallVector<int64_t> places;
  for (int64_t lane = 0; lane < lanes; ++lane)
    places.push_back(2 * lane < lanes ? 2 * lane : 2 * lane + 1);
  return vector::ShuffleOp::create(e.builder, e.loc, low, high, places);
}
