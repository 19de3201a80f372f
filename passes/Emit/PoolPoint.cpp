// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One element of a pooling of any layout, or several adjacent ones.
#include "passes/Emit/PoolPoint.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Machine/Estimate.h"
#include "passes/Machine/Tuning.h"

using namespace mlir;
using namespace hone;

bool PoolPoint::hasVectors() {
  return !op.getIndices() && !op.getChannelsLast() &&
         window.strides[window.spatial() - 1] <= 2;
}

bool PoolPoint::hasRows() {
  size_t last = window.spatial() - 1;
  std::optional<int64_t> length = constantOf(window.in[last]);
  int64_t elementBytes =
      llvm::divideCeil(accumulator.getIntOrFloatBitWidth(), 8);
  return hasVectors() && last > 0 &&
         estimateProduct(window.kernel) >= tuning::kMinReducedWindow &&
         window.kernel[last] > window.strides[last] && length &&
         *length <= tuning::kStackBuffer / elementBytes;
}

void PoolPoint::enterRow(ArrayRef<Value> coordinates, int64_t lanes,
                         bool masks) {
  size_t last = window.spatial() - 1;
  if (!row)
    row = makeScratch(e, std::max<int64_t>(*constantOf(window.in[last]), 1),
                      accumulator);
  starts.clear();
  for (size_t d = 0; d < last; ++d)
    starts.push_back(window.start(e, d, coordinates[window.bufferDim(d)]));
  Value offset = offsetOf(coordinates);
  auto reduceAt = [&](Value at, int64_t width, Value mask) {
    this->lanes = width;
    Type type = accumulator;
    if (width)
      type = VectorType::get({width}, accumulator);
    Value sum =
        reduceColumn(0, e.add(offset, at), reduction.neutral(e, type), mask);
    row->store(e, at, sum, mask);
  };
  if (masks)
    return forVectors(e, window.in[last], lanes,
                      [&](Value at, Value mask) { reduceAt(at, lanes, mask); });
  Value rest = e.rem(window.in[last], e.cst(lanes));
  Value whole = e.sub(window.in[last], rest);
  forVectors(e, whole, lanes,
             [&](Value at, Value) { reduceAt(at, lanes, nullptr); });
  e.loop(whole, window.in[last], [&](Value at) { reduceAt(at, 0, nullptr); });
}

/// Loops over the window from dimension `d` on, except for the last.
Value PoolPoint::reduceColumn(size_t d, Value offset, Value sum, Value mask) {
  if (d + 1 == window.spatial()) {
    Value element =
        lanes ? input.load(e, offset, lanes, mask) : input.load(e, offset);
    return reduction.combine(e, sum, e.extend(element, accumulator), nullptr);
  }
  Value stride = input.strides[window.bufferDim(d)];
  auto [low, high] = window.kernelRange(e, d, starts[d]);
  return e.loop(low, high, 1, sum,
                [&](Value k, ValueRange inner) -> SmallVector<Value> {
                  Value at = e.add(starts[d], e.mul(k, window.dilations[d]));
                  return {reduceColumn(d + 1, e.add(offset, e.mul(at, stride)),
                                       inner[0], mask)};
                })[0];
}

Value PoolPoint::offsetOf(ArrayRef<Value> coordinates) const {
  size_t channelDim = window.channelDim();
  return e.add(e.mul(coordinates[0], input.strides[0]),
               e.mul(coordinates[channelDim], input.strides[channelDim]));
}

void PoolPoint::emit(ArrayRef<Value> coordinates, int64_t lanes,
                     Value remaining) {
  this->lanes = lanes;
  Type type = accumulator;
  if (lanes)
    type = VectorType::get({lanes}, accumulator);
  atBorder = remaining != nullptr;
  starts.clear();
  for (size_t d = 0; d < window.spatial(); ++d)
    starts.push_back(window.start(e, d, coordinates[window.bufferDim(d)]));
  Value offset = row ? e.cst(0) : offsetOf(coordinates);
  SmallVector<Value> carried = {reduction.neutral(e, type)};
  if (op.getIndices())
    carried.push_back(e.cst(-1));
  carried = emitWindow(row ? window.spatial() - 1 : 0, offset, offset, nullptr,
                       carried);
  if (op.getIndices())
    carried[1] = arith::IndexCastOp::create(e.builder, e.loc,
                                            e.builder.getI64Type(), carried[1]);
  if (reduction.kind == WindowReduction::Average)
    carried[0] = WindowReduction::divide(e, carried[0], divisor());
  if (lanes)
    epilogue.emitTile(epilogue.at(coordinates), 0, 1, 1, {carried}, remaining);
  else
    epilogue.emitScalar(epilogue.at(coordinates), carried);
}

/// The number of elements that an average divides by: of all lanes, or of each.
Value PoolPoint::divisor() const {
  size_t last = window.spatial() - 1;
  Value count = e.cst(1);
  for (size_t d = 0; d < last; ++d)
    count = e.mul(count, reduction.divisor(e, window, d, starts[d]));
  if (!lanes)
    return e.mul(count, reduction.divisor(e, window, last, starts[last]));
  if (!atBorder)
    return e.mul(count, window.kernel[last]);
  SmallVector<Value> counts;
  for (int64_t lane = 0; lane < lanes; ++lane) {
    Value start = e.add(starts[last], lane * window.strides[last]);
    Value inside = reduction.divisor(e, window, last, start);
    // Lanes that do not exist have no elements, and an integer cannot be
    // divided by their number.
    if (!isa<FloatType>(accumulator))
      inside = e.max(inside, e.cst(1));
    counts.push_back(e.mul(count, inside));
  }
  return vector::FromElementsOp::create(
      e.builder, e.loc, VectorType::get({lanes}, e.builder.getIndexType()),
      counts);
}

/// The input of the current outputs, for one window element; `at` is its
/// position along the last dimension.
Value PoolPoint::load(Value offset, Value at) const {
  if (!lanes)
    return source().load(e, offset);
  auto type = VectorType::get({lanes}, source().elementType());
  return window.load(e, source(), offset, at, lanes,
                     atBorder ? reduction.neutral(e, type) : nullptr);
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
/// reported for a maximum, `at` the coordinate in the dimension before.
SmallVector<Value> PoolPoint::emitWindow(size_t d, Value offset, Value position,
                                         Value at, ValueRange carried) {
  if (d == window.spatial()) {
    Value element = e.extend(load(offset, at), accumulator);
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
  // The loads of a vector take care of its dimension.
  std::pair<Value, Value> range = {e.cst(0), e.cst(window.kernel[d])};
  if (!lanes || d + 1 < spatial)
    range = window.kernelRange(e, d, starts[d]);
  auto emitElement = [&](Value k, ValueRange inner) {
    Value at = e.add(starts[d], e.mul(k, window.dilations[d]));
    return emitWindow(d + 1, e.add(offset, e.mul(at, stride)),
                      e.add(position, e.mul(at, reported)), at, inner);
  };
  if (lanes && d + 1 == spatial)
    return Window::forElements(e, range.first, range.second, carried,
                               emitElement);
  return e.loop(range.first, range.second, 1, carried, emitElement);
}
