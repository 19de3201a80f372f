// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Convolution and transposed convolution with any layout and attributes, as
// plain loops, vectorized if the last dimension is contiguous and has stride 1.
#include "passes/Cpu/Contraction.h"
#include "passes/Cpu/Convolution.h"
#include "passes/Emit/ConvPoint.h"

using namespace mlir;
using namespace hone;
using hone::graph::KernelConvOp;

void hone::emitPlainConvolution(Emitter &e, const CpuMachine &machine,
                                KernelConvOp op) {
  ConvPoint point(e, op, machine.hasFma());
  const Window &window = point.getWindow();
  size_t last = window.spatial() - 1;
  int64_t lanes = lanesOf(machine, op.getAccumulatorType());
  SmallVector<Value> sizes = {window.batch, point.sizes()[window.channelDim()]};
  llvm::append_range(sizes, ArrayRef(window.out).drop_back());
  Value count = e.cst(1);
  for (Value size : sizes)
    count = e.mul(count, size);
  emitForall(e, count, [&](Value index) {
    SmallVector<Value> outer = e.delinearize(index, sizes);
    point.enter(outer[0], outer[1]);
    auto emitAt = [&](Value pixel, int64_t pixels) {
      SmallVector<Value> place(outer.begin() + 2, outer.end());
      place.push_back(pixel);
      point.emit(place, pixels);
    };
    Value zero = e.cst(0), pixels = window.out[last];
    auto scalar = [&](Value pixel) { emitAt(pixel, 0); };
    if (op.getTransposed() || window.channelsLast || window.strides[last] != 1)
      return e.loop(zero, pixels, scalar);
    auto [low, high] = window.interior(e, last);
    Value inner = e.sub(high, low);
    Value end = e.add(low, e.sub(inner, e.rem(inner, e.cst(lanes))));
    e.loop(zero, low, scalar);
    e.loop(low, end, lanes, {}, [&](Value pixel, ValueRange) {
      emitAt(pixel, lanes);
      return SmallVector<Value>();
    });
    e.loop(end, pixels, scalar);
  });
}
