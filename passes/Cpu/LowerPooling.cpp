// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Turns pooling over buffers into loops; vectors of channels where they are
// last.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Cpu/ChannelWindow.h"
#include "passes/Cpu/Contraction.h"
#include "passes/Cpu/ContractionPasses.h"

namespace hone {
#define GEN_PASS_DEF_LOWERPOOLINGPASS
#include "passes/Cpu/ContractionPasses.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;
using namespace hone::graph;

static WindowReduction reductionOf(PoolWindowOp op) {
  WindowReduction reduction{WindowReduction::Sum};
  if (op.getKind() == PoolKind::Max)
    reduction.kind = WindowReduction::Max;
  else if (op.getKind() == PoolKind::Average)
    reduction.kind = WindowReduction::Average;
  reduction.isUnsigned = op.getIsUnsigned();
  reduction.countIncludePad = op.getCountIncludePad();
  return reduction;
}

namespace {
/// Pooling of any layout, one element after the other.
class PoolEmitter {
public:
  PoolEmitter(Emitter &e, PoolWindowOp op)
      : e(e), op(op), input(FlatBuffer::get(e, op.getInput())),
        epilogue(e, op, SmallVector<int64_t>(input.sizes.size(), 1)),
        window(Window::get(e, op, input, epilogue.sizes)),
        reduction(reductionOf(op)), accumulator(op.getAccumulatorType()) {}

  void emit();

private:
  void emitPoint(ArrayRef<Value> coordinates);
  SmallVector<Value> emitWindow(size_t d, Value offset, Value position,
                                ValueRange carried);
  Value isLarger(Value candidate, Value best);

  Emitter &e;
  PoolWindowOp op;
  FlatBuffer input;
  Epilogue epilogue;
  Window window;
  WindowReduction reduction;
  Type accumulator;
  SmallVector<Value> starts; ///< Of the window that is being emitted.
};
} // namespace

void PoolEmitter::emit() {
  SmallVector<Value> outerSizes(epilogue.sizes.begin(),
                                epilogue.sizes.end() - 1);
  Value count = e.cst(1);
  for (Value size : outerSizes)
    count = e.mul(count, size);
  emitForall(e, count, [&](Value index) {
    SmallVector<Value> coordinates = e.delinearize(index, outerSizes);
    e.loop(e.cst(0), epilogue.sizes.back(), [&](Value inner) {
      SmallVector<Value> point = coordinates;
      point.push_back(inner);
      emitPoint(point);
    });
  });
}

void PoolEmitter::emitPoint(ArrayRef<Value> coordinates) {
  size_t channelDim = window.channelDim();
  starts.clear();
  for (size_t d = 0; d < window.spatial(); ++d)
    starts.push_back(window.start(e, d, coordinates[window.bufferDim(d)]));
  Value offset =
      e.add(e.mul(coordinates[0], input.strides[0]),
            e.mul(coordinates[channelDim], input.strides[channelDim]));
  SmallVector<Value> carried = {reduction.neutral(e, accumulator)};
  if (op.getIndices())
    carried.push_back(e.cst(-1));
  carried = emitWindow(0, offset, offset, carried);
  if (op.getIndices())
    carried[1] = arith::IndexCastOp::create(e.builder, e.loc,
                                            e.builder.getI64Type(), carried[1]);
  if (reduction.kind == WindowReduction::Average) {
    Value count = e.cst(1);
    for (size_t d = 0; d < window.spatial(); ++d)
      count = e.mul(count, reduction.divisor(e, window, d, starts[d]));
    carried[0] = WindowReduction::divide(e, carried[0], count);
  }
  epilogue.emitScalar(epilogue.at(coordinates), carried);
}

/// Of equal elements the first wins; NaN wins over numbers.
Value PoolEmitter::isLarger(Value candidate, Value best) {
  if (isa<FloatType>(accumulator)) {
    Value larger = arith::CmpFOp::create(
        e.builder, e.loc, arith::CmpFPredicate::UGT, candidate, best);
    Value ordered = arith::CmpFOp::create(
        e.builder, e.loc, arith::CmpFPredicate::ORD, best, best);
    return arith::AndIOp::create(e.builder, e.loc, larger, ordered);
  }
  return e.cmp(reduction.isUnsigned ? arith::CmpIPredicate::ugt
                                    : arith::CmpIPredicate::sgt,
               candidate, best);
}

/// Loops over the window from dimension `d` on. `position` is the index that is
/// reported for a maximum.
SmallVector<Value> PoolEmitter::emitWindow(size_t d, Value offset,
                                           Value position, ValueRange carried) {
  if (d == window.spatial()) {
    Value element = e.extend(input.load(e, offset), accumulator);
    if (!op.getIndices())
      return {reduction.combine(e, carried[0], element, nullptr)};
    Value first = e.cmp(arith::CmpIPredicate::eq, carried[1], e.cst(-1));
    Value larger = arith::OrIOp::create(e.builder, e.loc, first,
                                        isLarger(element, carried[0]));
    auto pick = [&](Value a, Value b) -> Value {
      return arith::SelectOp::create(e.builder, e.loc, larger, a, b);
    };
    return {pick(element, carried[0]), pick(position, carried[1])};
  }
  // Column-major order exchanges the strides of the last two dimensions.
  size_t spatial = window.spatial();
  Value stride = input.strides[window.bufferDim(d)];
  Value reported = stride;
  if (op.getColumnMajor() && spatial >= 2 && d + 2 >= spatial)
    reported = d + 1 == spatial ? e.mul(input.strides[window.bufferDim(d)],
                                        window.in[spatial - 2])
                                : input.strides[window.bufferDim(spatial - 1)];
  auto [low, high] = window.kernelRange(e, d, starts[d]);
  return e.loop(low, high, 1, carried, [&](Value k, ValueRange inner) {
    Value at = e.add(starts[d], e.mul(k, window.dilations[d]));
    return emitWindow(d + 1, e.add(offset, e.mul(at, stride)),
                      e.add(position, e.mul(at, reported)), inner);
  });
}

static void lowerPool(PoolWindowOp op, const VectorUnit &unit) {
  OpBuilder builder(op);
  Emitter e(builder, op.getLoc());
  if (op.getChannelsLast() && !op.getIndices()) {
    FlatBuffer input = FlatBuffer::get(e, op.getInput());
    Epilogue epilogue(e, op, SmallVector<int64_t>(input.sizes.size(), 1));
    Window window = Window::get(e, op, input, epilogue.sizes);
    emitChannelWindow(e, unit, input, nullptr, window, reductionOf(op),
                      op.getAccumulatorType(), epilogue);
  } else {
    PoolEmitter(e, op).emit();
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
      lowerPool(op, {vectorBits, fma});
  }
};
} // namespace
