// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One element of a pooling of any layout.
#include "passes/Loops/PoolPoint.h"

using namespace mlir;
using namespace hone;

void PoolPoint::emit(ArrayRef<Value> coordinates) {
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
Value PoolPoint::isLarger(Value candidate, Value best) {
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
SmallVector<Value> PoolPoint::emitWindow(size_t d, Value offset, Value position,
                                         ValueRange carried) {
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
