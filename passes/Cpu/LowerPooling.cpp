// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Turns pooling over buffers into loops; vectors of channels where they are
// last.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Cpu/ChannelWindow.h"
#include "passes/Cpu/Contraction.h"
#include "passes/Cpu/ContractionPasses.h"
#include "passes/Loops/PoolPoint.h"

namespace hone {
#define GEN_PASS_DEF_LOWERPOOLINGPASS
#include "passes/Cpu/ContractionPasses.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;
using namespace hone::graph;

/// Pooling of any layout, one element after the other.
static void emitPlainPooling(Emitter &e, PoolWindowOp op) {
  PoolPoint point(e, op);
  ArrayRef<Value> outerSizes = point.sizes().drop_back();
  Value count = e.cst(1);
  for (Value size : outerSizes)
    count = e.mul(count, size);
  emitForall(e, count, [&](Value index) {
    SmallVector<Value> coordinates = e.delinearize(index, outerSizes);
    e.loop(e.cst(0), point.sizes().back(), [&](Value inner) {
      SmallVector<Value> place = coordinates;
      place.push_back(inner);
      point.emit(place);
    });
  });
}

static void lowerPool(PoolWindowOp op, const CpuMachine &machine) {
  OpBuilder builder(op);
  Emitter e(builder, op.getLoc());
  if (op.getChannelsLast() && !op.getIndices()) {
    FlatBuffer input = FlatBuffer::get(e, op.getInput());
    Epilogue epilogue(e, op, SmallVector<int64_t>(input.sizes.size(), 1));
    Window window = Window::get(e, op, input, epilogue.sizes);
    emitChannelWindow(e, machine, input, nullptr, window,
                      WindowReduction::get(op), op.getAccumulatorType(),
                      epilogue);
  } else {
    emitPlainPooling(e, op);
  }
  op.erase();
}

namespace {
struct LowerPoolingPass : hone::impl::LowerPoolingPassBase<LowerPoolingPass> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<PoolWindowOp> ops;
    getOperation().walk([&](PoolWindowOp op) {
      if (isa<MemRefType>(op.getInput().getType()))
        ops.push_back(op);
    });
    for (PoolWindowOp op : ops)
      lowerPool(op, CpuMachine::of(op));
  }
};
} // namespace
