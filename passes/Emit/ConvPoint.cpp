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

void ConvPoint::emit(ArrayRef<Value> place, int64_t lanes, int64_t vectors,
                     Value remaining) {
  out = llvm::to_vector(place);
  this->lanes = lanes;
  atBorder = remaining != nullptr;
  Type type = accumulator;
  if (lanes)
    type = VectorType::get({lanes}, accumulator);
  Value firstIn = e.mul(group, groupIn);
  Value inOffset = e.add(e.mul(batch, input.strides[0]),
                         e.mul(firstIn, input.strides[window.channelDim()]));
  Value filterOffset = transposed
                           ? e.add(e.mul(firstIn, filter.strides[0]),
                                   e.mul(channelInGroup, filter.strides[1]))
                           : e.mul(channel, filter.strides[0]);
  Sums sums(vectors, e.zero(type));
  if (transposed)
    sums = emitTransposed(0, inOffset, filterOffset, sums);
  else
    sums = emitChannels(inOffset, filterOffset, sums,
                        [&](Value in, Value taps, ValueRange carried) {
                          return emitTerms(0, in, taps, nullptr, carried);
                        });
  SmallVector<Value> coordinates = {batch};
  if (!window.channelsLast)
    coordinates.push_back(channel);
  llvm::append_range(coordinates, out);
  if (window.channelsLast)
    coordinates.push_back(channel);
  Epilogue::Cursor cursor = epilogue.at(coordinates);
  if (lanes)
    epilogue.emitTile(cursor, 0, 1, vectors, {sums}, remaining);
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

/// The terms of one kernel element; `at` is the position of the first output's
/// along the last dimension.
ConvPoint::Sums ConvPoint::emitProducts(Value inOffset, Value filterOffset,
                                        Value at, ValueRange sums) {
  Value tap = filter.extend(e, filter.load(e, filterOffset), accumulator);
  if (!lanes) {
    Value in = input.extend(e, input.load(e, inOffset), accumulator);
    return {reduction.combine(e, sums[0], in, tap)};
  }
  auto type = VectorType::get({lanes}, accumulator);
  tap = vector::BroadcastOp::create(e.builder, e.loc, type, tap);
  Value outside;
  if (atBorder)
    outside = e.zero(VectorType::get({lanes}, input.elementType()));
  Sums results;
  for (auto [v, sum] : llvm::enumerate(sums)) {
    Value step = e.cst(v * lanes * window.strides[last]);
    Value in = window.load(e, input, e.add(inOffset, step), e.add(at, step),
                           lanes, outside);
    in = input.extend(e, in, accumulator);
    results.push_back(reduction.combine(e, sum, in, tap));
  }
  return results;
}

/// Loops over the kernel elements inside the input, from dimension `d` on; `at`
/// is the position in the dimension before.
ConvPoint::Sums ConvPoint::emitTerms(size_t d, Value inOffset,
                                     Value filterOffset, Value at,
                                     ValueRange sums) {
  if (d == window.spatial())
    return emitProducts(inOffset, filterOffset, at, sums);
  Value start = window.start(e, d, out[d]);
  // The loads of a vector take care of its dimension.
  std::pair<Value, Value> range = {e.cst(0), e.cst(window.kernel[d])};
  if (d != last || !lanes)
    range = window.kernelRange(e, d, start);
  auto emitElement = [&](Value k, ValueRange carried) {
    Value position = e.add(start, e.mul(k, window.dilations[d]));
    Value in =
        e.add(inOffset, e.mul(position, input.strides[window.bufferDim(d)]));
    Value taps = e.add(filterOffset, e.mul(k, filter.strides[d + 2]));
    return emitTerms(d + 1, in, taps, position, carried);
  };
  if (d == last && lanes)
    return Window::forElements(e, range.first, range.second, sums, emitElement);
  return e.loop(range.first, range.second, 1, sums, emitElement);
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
