// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One element of a pooling of any layout, or several adjacent ones.
#include "passes/Emit/PoolPoint.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace hone;

bool PoolPoint::hasVectors() {
  return !op.getIndices() && !op.getChannelsLast() &&
         window.strides[window.spatial() - 1] <= 2;
}

void PoolPoint::emit(ArrayRef<Value> coordinates, int64_t lanes,
                     Value remaining) {
  this->lanes = lanes;
  size_t channelDim = window.channelDim(), last = window.spatial() - 1;
  Type type = accumulator;
  if (lanes)
    type = VectorType::get({lanes}, accumulator);
  masks.assign(2, nullptr);
  if (remaining) {
    // The elements to read, from the first; see `load`.
    Value read = remaining;
    if (window.strides[last] == 2)
      read = e.sub(e.mul(remaining, 2), e.cst(1));
    masks = {makeMask(e, read, e.cst(0), lanes),
             makeMask(e, read, e.cst(lanes - 1), lanes)};
  }
  starts.clear();
  for (size_t d = 0; d < window.spatial(); ++d)
    starts.push_back(window.start(e, d, coordinates[window.bufferDim(d)]));
  Value offset =
      e.add(e.mul(coordinates[0], input.strides[0]),
            e.mul(coordinates[channelDim], input.strides[channelDim]));
  SmallVector<Value> carried = {reduction.neutral(e, type)};
  if (op.getIndices())
    carried.push_back(e.cst(-1));
  carried = emitWindow(0, offset, offset, carried);
  if (op.getIndices())
    carried[1] = arith::IndexCastOp::create(e.builder, e.loc,
                                            e.builder.getI64Type(), carried[1]);
  if (reduction.kind == WindowReduction::Average) {
    Value count = e.cst(1);
    for (size_t d = 0; d < window.spatial(); ++d)
      count = e.mul(count, lanes && d == last
                               ? e.cst(window.kernel[d])
                               : reduction.divisor(e, window, d, starts[d]));
    carried[0] = WindowReduction::divide(e, carried[0], count);
  }
  if (lanes)
    epilogue.emitTile(epilogue.at(coordinates), 0, 1, 1, {carried}, remaining);
  else
    epilogue.emitScalar(epilogue.at(coordinates), carried);
}

/// The input of the current outputs, for one window element.
Value PoolPoint::load(Value offset) const {
  if (!lanes)
    return input.load(e, offset);
  Value first = input.load(e, offset, lanes, masks[0]);
  if (window.strides[window.spatial() - 1] == 1)
    return first;
  // Every second element. The upper half is loaded from one element earlier, so
  // that nothing past the last is read.
  Value second = input.load(e, e.add(offset, lanes - 1), lanes, masks[1]);
  SmallVector<int64_t> places;
  for (int64_t lane = 0; lane < lanes; ++lane)
    places.push_back(2 * lane < lanes ? 2 * lane : 2 * lane + 1);
  return vector::ShuffleOp::create(e.builder, e.loc, first, second, places);
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

/// Loops over the window from dimension `d` on. `position` is the index
/// reported for a maximum.
SmallVector<Value> PoolPoint::emitWindow(size_t d, Value offset, Value position,
                                         ValueRange carried) {
  if (d == window.spatial()) {
    Value element = e.extend(load(offset), accumulator);
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
  // A vector of outputs is in the interior.
  std::pair<Value, Value> range = {e.cst(0), e.cst(window.kernel[d])};
  if (!lanes || d + 1 < spatial)
    range = window.kernelRange(e, d, starts[d]);
  return e.loop(
      range.first, range.second, 1, carried, [&](Value k, ValueRange inner) {
        Value at = e.add(starts[d], e.mul(k, window.dilations[d]));
        return emitWindow(d + 1, e.add(offset, e.mul(at, stride)),
                          e.add(position, e.mul(at, reported)), inner);
      });
}
