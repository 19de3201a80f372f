// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One element of a convolution or transposed convolution with any layout and
// attributes.
#include "passes/Emit/ConvPoint.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Emit/Contraction.h"

using namespace mlir;
using namespace hone;
using hone::graph::KernelConvOp;

ConvPoint::ConvPoint(Emitter &e, KernelConvOp op, bool fma)
    : e(e), input(leftOperand(e, op.getInput(), op.getAccumulatorType())),
      filter(FlatBuffer::get(e, op.getFilter())),
      epilogue(e, op, SmallVector<int64_t>(input.sizes.size(), 1)),
      window(Window::get(e, op, input, epilogue.sizes)),
      accumulator(op.getAccumulatorType()), transposed(op.getTransposed()),
      reduction{WindowReduction::Weighted, fma}, last(window.spatial() - 1) {
  groupIn = e.div(window.channels, e.cst(op.getGroup()));
  groupOut = e.div(epilogue.sizes[window.channelDim()], e.cst(op.getGroup()));
}

void ConvPoint::enter(Value batch, Value channel) {
  this->batch = batch;
  this->channel = channel;
  group = e.div(channel, groupOut);
  channelInGroup = e.rem(channel, groupOut);
}

void ConvPoint::emit(ArrayRef<Value> place, const Tile &tile, Value remaining) {
  out = llvm::to_vector(place);
  this->tile = tile;
  atBorder = remaining != nullptr;
  Type type = accumulator;
  if (tile.lanes)
    type = VectorType::get({tile.lanes}, accumulator);
  Value firstIn = e.mul(group, groupIn);
  Value inOffset = e.add(e.mul(batch, input.strides[0]),
                         e.mul(firstIn, input.strides[window.channelDim()]));
  Value filterOffset = transposed
                           ? e.add(e.mul(firstIn, filter.strides[0]),
                                   e.mul(channelInGroup, filter.strides[1]))
                           : e.mul(channel, filter.strides[0]);
  Sums sums(tile.rows * tile.vectors, e.zero(type));
  if (transposed)
    sums = emitTransposed(0, inOffset, filterOffset, sums);
  else
    sums = emitChannels(inOffset, filterOffset, sums,
                        [&](Value in, Value taps, ValueRange carried) {
                          return emitTerms(0, in, taps, carried);
                        });
  SmallVector<Value> coordinates = {batch};
  if (!window.channelsLast)
    coordinates.push_back(channel);
  llvm::append_range(coordinates, out);
  if (window.channelsLast)
    coordinates.push_back(channel);
  Epilogue::Cursor cursor = epilogue.at(coordinates);
  if (tile.lanes)
    epilogue.emitTile(cursor, tile.rows > 1 ? window.bufferDim(last - 1) : 0,
                      tile.rows, tile.vectors, {sums}, remaining);
  else
    epilogue.emitScalar(cursor, sums);
}

/// Loops over the input channels of the group.
ConvPoint::Sums
ConvPoint::emitChannels(Value inOffset, Value filterOffset, ValueRange sums,
                        function_ref<Sums(Value, Value, ValueRange)> inner) {
  Value inStride = input.strides[window.channelDim()];
  Value filterStride = filter.strides[transposed ? 0 : 1];
  return e.loop(e.cst(0), groupIn, 1, sums, [&](Value c, ValueRange carried) {
    return inner(e.add(inOffset, e.mul(c, inStride)),
                 e.add(filterOffset, e.mul(c, filterStride)), carried);
  });
}

/// The terms of one element of the input, or a vector for each sum of a row,
/// in `rows.size()` rows of sums, each with its kernel element. `at` is the
/// position of the first along the last dimension.
ConvPoint::Sums ConvPoint::emitProducts(Value inOffset, ArrayRef<Value> rows,
                                        Value at, ValueRange sums) {
  SmallVector<Value> taps;
  for (Value offset : rows)
    taps.push_back(filter.extend(e, filter.load(e, offset), accumulator));
  if (!tile.lanes) {
    Value in = input.extend(e, input.load(e, inOffset), accumulator);
    return {reduction.combine(e, sums[0], in, taps[0])};
  }
  auto type = VectorType::get({tile.lanes}, accumulator);
  for (Value &tap : taps)
    tap = vector::BroadcastOp::create(e.builder, e.loc, type, tap);
  Value outside;
  if (atBorder)
    outside = e.zero(VectorType::get({tile.lanes}, input.elementType()));
  Sums results = llvm::to_vector(sums);
  for (int64_t v = 0; v < tile.vectors; ++v) {
    Value step = e.cst(v * tile.lanes * window.strides[last]);
    Value in = window.load(e, input, e.add(inOffset, step), e.add(at, step),
                           tile.lanes, outside);
    in = input.extend(e, in, accumulator);
    for (auto [r, tap] : llvm::enumerate(taps)) {
      Value &sum = results[r * tile.vectors + v];
      sum = reduction.combine(e, sum, in, tap);
    }
  }
  return results;
}

/// Loops over the kernel elements inside the input, from dimension `d` on.
ConvPoint::Sums ConvPoint::emitTerms(size_t d, Value inOffset,
                                     Value filterOffset, ValueRange sums) {
  if (d == last)
    return emitRow(inOffset, filterOffset, sums);
  if (d + 1 == last && tile.rows > 1)
    return emitSharedRows(inOffset, filterOffset, sums);
  Value start = window.start(e, d, out[d]);
  auto [low, high] = window.kernelRange(e, d, start);
  return e.loop(low, high, 1, sums, [&](Value k, ValueRange carried) {
    Value position = e.add(start, e.mul(k, window.dilations[d]));
    Value in =
        e.add(inOffset, e.mul(position, input.strides[window.bufferDim(d)]));
    Value taps = e.add(filterOffset, e.mul(k, filter.strides[d + 2]));
    return emitTerms(d + 1, in, taps, carried);
  });
}

/// The terms of a row of the input and rows of the kernel, one for each row of
/// sums.
ConvPoint::Sums ConvPoint::emitRow(Value inOffset, ArrayRef<Value> rows,
                                   ValueRange sums) {
  Value start = window.start(e, last, out[last]);
  // The loads of a vector take care of the borders.
  std::pair<Value, Value> range = {e.cst(0), e.cst(window.kernel[last])};
  if (!tile.lanes)
    range = window.kernelRange(e, last, start);
  auto emitElement = [&](Value k, ValueRange carried) {
    Value position = e.add(start, e.mul(k, window.dilations[last]));
    Value in =
        e.add(inOffset, e.mul(position, input.strides[window.bufferDim(last)]));
    SmallVector<Value> taps;
    for (Value row : rows)
      taps.push_back(e.add(row, e.mul(k, filter.strides[last + 2])));
    return emitProducts(in, taps, position, carried);
  };
  if (tile.lanes)
    return Window::forElements(e, range.first, range.second, sums, emitElement);
  return e.loop(range.first, range.second, 1, sums, emitElement);
}

/// Walks the rows of the input that the windows of a tile's rows reach. Those
/// in the middle belong to all windows; before and after them some take part.
ConvPoint::Sums ConvPoint::emitSharedRows(Value inOffset, Value filterOffset,
                                          ValueRange sums) {
  size_t d = last - 1;
  int64_t kernel = window.kernel[d], stride = window.strides[d];
  int64_t shift = (tile.rows - 1) * stride;
  Value start = window.start(e, d, out[d]);
  Value rowStride = input.strides[window.bufferDim(d)],
        tapStride = filter.strides[d + 2];
  // The terms of input row `start` + k in the rows of sums [first, end).
  auto emitInputRow = [&](Value k, int64_t first, int64_t end,
                          ValueRange carried) {
    Value in = e.add(inOffset, e.mul(e.add(start, k), rowStride));
    SmallVector<Value> taps;
    for (int64_t r = first; r < end; ++r)
      taps.push_back(
          e.add(filterOffset, e.mul(e.sub(k, e.cst(r * stride)), tapStride)));
    Sums results = llvm::to_vector(carried);
    auto part = MutableArrayRef(results).slice(first * tile.vectors,
                                               (end - first) * tile.vectors);
    llvm::copy(emitRow(in, taps, ValueRange(ArrayRef<Value>(part))),
               part.begin());
    return results;
  };
  auto emitSomeRows = [&](int64_t low, int64_t high, Sums carried) {
    for (int64_t k = low; k < high; ++k) {
      int64_t first =
          std::max<int64_t>(0, llvm::divideCeilSigned(k - kernel + 1, stride));
      int64_t end = std::min<int64_t>(tile.rows, k / stride + 1);
      if (window.neverLeaves(d)) {
        carried = emitInputRow(e.cst(k), first, end, carried);
        continue;
      }
      Value inside = e.cmp(arith::CmpIPredicate::ult, e.add(start, e.cst(k)),
                           window.in[d]);
      carried = e.select(
          inside, TypeRange(ValueRange(carried)),
          [&] { return emitInputRow(e.cst(k), first, end, carried); },
          [&] { return carried; });
    }
    return carried;
  };
  Sums results = llvm::to_vector(sums);
  if (shift >= kernel)
    return emitSomeRows(0, shift + kernel, results);
  results = emitSomeRows(0, shift, results);
  auto [low, high] = window.kernelRange(e, d, start);
  low = e.max(low, e.cst(shift));
  results = e.loop(low, high, 1, results, [&](Value k, ValueRange carried) {
    return emitInputRow(k, 0, tile.rows, carried);
  });
  return emitSomeRows(kernel, kernel + shift, results);
}

/// Loops over the kernel elements from dimension `d` on; one counts if out +
/// pad - k * dilation is a multiple of the stride and inside the input.
ConvPoint::Sums ConvPoint::emitTransposed(size_t d, Value inOffset,
                                          Value filterOffset, ValueRange sums) {
  if (d == window.spatial())
    return emitChannels(inOffset, filterOffset, sums,
                        [&](Value in, Value taps, ValueRange carried) {
                          return emitProducts(in, taps, nullptr, carried);
                        });
  using arith::CmpIPredicate;
  Value zero = e.cst(0), stride = e.cst(window.strides[d]);
  Value reach = e.add(out[d], window.pads[d]);
  return e.loop(
      zero, e.cst(window.kernel[d]), 1, sums,
      [&](Value k, ValueRange carried) -> Sums {
        Value distance = e.sub(reach, e.mul(k, window.dilations[d]));
        Value notNegative = e.cmp(CmpIPredicate::sge, distance, zero);
        Value position = e.div(distance, stride);
        Value multiple =
            e.cmp(CmpIPredicate::eq, e.rem(distance, stride), zero);
        Value inside = e.cmp(CmpIPredicate::ult, position, window.in[d]);
        auto both = [&](Value a, Value b) {
          return e.builder.createOrFold<arith::AndIOp>(e.loc, a, b);
        };
        Value counts = both(both(notNegative, multiple), inside);
        return e.select(
            counts, accumulator,
            [&]() -> Sums {
              Value in =
                  e.add(inOffset,
                        e.mul(position, input.strides[window.bufferDim(d)]));
              Value taps = e.add(filterOffset, e.mul(k, filter.strides[d + 2]));
              return emitTransposed(d + 1, in, taps, carried);
            },
            [&]() -> Sums { return llvm::to_vector(carried); });
      });
}
