// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Convolution and transposed convolution with any layout and attributes, as
// plain loops, vectorized along the last dimension if that is contiguous.
#include "passes/Cpu/Contraction.h"
#include "passes/Cpu/Convolution.h"
#include "passes/Cpu/WindowRow.h"
#include "passes/Emit/ConvPoint.h"
#include "passes/Machine/Tuning.h"

using namespace mlir;
using namespace hone;
using hone::graph::KernelConvOp;

void hone::emitPlainConvolution(Emitter &e, const CpuMachine &machine,
                                KernelConvOp op) {
  ConvPoint point(e, op, machine.hasFma());
  const Window &window = point.getWindow();
  int64_t lanes = lanesOf(machine, op.getAccumulatorType());
  SmallVector<Value> sizes = {window.batch, point.sizes()[window.channelDim()]};
  llvm::append_range(sizes, ArrayRef(window.out).drop_back());
  Value count = e.cst(1);
  for (Value size : sizes)
    count = e.mul(count, size);
  emitForall(e, count, [&](Value index) {
    SmallVector<Value> outer = e.delinearize(index, sizes);
    point.enter(outer[0], outer[1]);
    auto placeOf = [&](Value pixel) {
      SmallVector<Value> place(outer.begin() + 2, outer.end());
      place.push_back(pixel);
      return place;
    };
    auto scalar = [&](Value pixel) { point.emit(placeOf(pixel)); };
    if (!point.hasVectors())
      return e.loop(e.cst(0), window.out.back(), scalar);
    auto vectors = [&](Value pixel, int64_t count, Value remaining) {
      point.emit(placeOf(pixel), lanes, count, remaining);
    };
    emitWindowRow(
        e, machine, window,
        {lanes, tuning::kRowVectors, point.inputType(), vectors, scalar});
  });
}
