// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Turns pooling over buffers into loops; vectors of channels if they are last.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Cpu/ChannelWindow.h"
#include "passes/Cpu/Contraction.h"
#include "passes/Cpu/ContractionPasses.h"
#include "passes/Cpu/WindowRow.h"
#include "passes/Emit/PoolPoint.h"

namespace hone {
#define GEN_PASS_DEF_LOWERPOOLINGPASS
#include "passes/Cpu/ContractionPasses.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;
using namespace hone::graph;

/// Pooling of any layout: vectors of outputs along the last dimension if
/// possible, otherwise single elements.
static void emitPlainPooling(Emitter &e, const CpuMachine &machine,
                             KernelPoolOp op) {
  PoolPoint point(e, op);
  ArrayRef<Value> outerSizes = point.sizes().drop_back();
  Value count = e.cst(1);
  for (Value size : outerSizes)
    count = e.mul(count, size);
  emitForall(e, count, [&](Value index) {
    SmallVector<Value> coordinates = e.delinearize(index, outerSizes);
    auto emitAt = [&](Value inner, int64_t lanes, Value remaining) {
      SmallVector<Value> place = coordinates;
      place.push_back(inner);
      point.emit(place, lanes, remaining);
    };
    auto scalar = [&](Value inner) { emitAt(inner, 0, nullptr); };
    if (!point.hasVectors())
      return e.loop(e.cst(0), point.sizes().back(), scalar);
    int64_t lanes = lanesOf(machine, op.getAccumulatorType());
    if (point.hasRows())
      point.enterRow(
          coordinates, lanes,
          machine.hasMasks(point.sourceType().getIntOrFloatBitWidth()));
    auto vectors = [&](Value first, int64_t, Value remaining) {
      emitAt(first, lanes, remaining);
    };
    emitWindowRow(
        e, machine, point.getWindow(),
        {lanes, /*maxVectors=*/1, point.sourceType(), vectors, scalar});
  });
}

static LogicalResult lowerPool(Emitter &e, KernelPoolOp op) {
  const CpuMachine &machine = CpuMachine::of(op);
  if (op.getChannelsLast() && !op.getIndices()) {
    FlatBuffer input = FlatBuffer::get(e, op.getInput());
    Epilogue epilogue(e, op, SmallVector<int64_t>(input.sizes.size(), 1));
    Window window = Window::get(e, op, input, epilogue.sizes);
    emitChannelWindow(e, machine, input, nullptr, window,
                      WindowReduction::get(op), op.getAccumulatorType(),
                      epilogue);
  } else {
    emitPlainPooling(e, machine, op);
  }
  return success();
}

namespace {
struct LowerPoolingPass : hone::impl::LowerPoolingPassBase<LowerPoolingPass> {
  using Base::Base;

  void runOnOperation() override {
    if (failed(lowerEach<KernelPoolOp>(getOperation(), lowerPool)))
      signalPassFailure();
  }
};
} // namespace
