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
      fma(fma), last(window.spatial() - 1) {
  groupIn = e.div(window.channels, e.cst(op.getGroup()));
  groupOut = e.div(epilogue.sizes[window.channelDim()], e.cst(op.getGroup()));
}

void ConvPoint::enter(Value batch, Value channel) {
  this->batch = batch;
  this->channel = channel;
  group = e.div(channel, groupOut);
  channelInGroup = e.rem(channel, groupOut);
}

void ConvPoint::emit(ArrayRef<Value> place, int64_t lanes) {
  out = llvm::to_vector(place);
  this->lanes = lanes;
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
  Value sum = e.zero(type);
  if (transposed)
    sum = emitTransposed(0, inOffset, filterOffset, sum);
  else
    sum = emitChannels(inOffset, filterOffset, sum,
                       [&](Value in, Value taps, Value carried) {
                         return emitTerms(0, in, taps, carried);
                       });
  SmallVector<Value> coordinates = {batch};
  if (!window.channelsLast)
    coordinates.push_back(channel);
  llvm::append_range(coordinates, out);
  if (window.channelsLast)
    coordinates.push_back(channel);
  Epilogue::Cursor cursor = epilogue.at(coordinates);
  if (lanes)
    epilogue.emitTile(cursor, 0, 1, 1, {{sum}}, nullptr);
  else
    epilogue.emitScalar(cursor, sum);
}

/// Loops over the input channels of the group.
Value ConvPoint::emitChannels(Value inOffset, Value filterOffset, Value sum,
                              function_ref<Value(Value, Value, Value)> inner) {
  Value inStride = input.strides[window.channelDim()];
  Value filterStride = filter.strides[transposed ? 0 : 1];
  return e.loop(e.cst(0), groupIn, 1, sum,
                [&](Value c, ValueRange carried) -> SmallVector<Value> {
                  return {inner(e.add(inOffset, e.mul(c, inStride)),
                                e.add(filterOffset, e.mul(c, filterStride)),
                                carried[0])};
                })[0];
}

Value ConvPoint::emitProduct(Value inOffset, Value filterOffset, Value sum) {
  Value tap = filter.extend(e, filter.load(e, filterOffset), accumulator);
  auto vector = dyn_cast<VectorType>(sum.getType());
  Value in = vector ? input.load(e, inOffset, lanes) : input.load(e, inOffset);
  in = input.extend(e, in, accumulator);
  if (!vector)
    return e.sum(sum, e.product(in, tap));
  tap = vector::BroadcastOp::create(e.builder, e.loc, vector, tap);
  if (fma && isa<FloatType>(accumulator))
    return vector::FMAOp::create(e.builder, e.loc, in, tap, sum);
  return e.sum(sum, e.product(in, tap));
}

/// Loops over the kernel elements inside the input, from dimension `d` on.
Value ConvPoint::emitTerms(size_t d, Value inOffset, Value filterOffset,
                           Value sum) {
  if (d == window.spatial())
    return emitProduct(inOffset, filterOffset, sum);
  Value start = window.start(e, d, out[d]);
  // A vector of pixels is in the interior.
  std::pair<Value, Value> range = {e.cst(0), e.cst(window.kernel[d])};
  if (d != last || !isa<VectorType>(sum.getType()))
    range = window.kernelRange(e, d, start);
  return e.loop(
      range.first, range.second, 1, sum,
      [&](Value k, ValueRange carried) -> SmallVector<Value> {
        Value position = e.add(start, e.mul(k, window.dilations[d]));
        Value in = e.add(inOffset,
                         e.mul(position, input.strides[window.bufferDim(d)]));
        Value taps = e.add(filterOffset, e.mul(k, filter.strides[d + 2]));
        return {emitTerms(d + 1, in, taps, carried[0])};
      })[0];
}

/// Loops over the kernel elements from dimension `d` on; one counts if out +
/// pad - k * dilation is a multiple of the stride and inside the input.
Value ConvPoint::emitTransposed(size_t d, Value inOffset, Value filterOffset,
                                Value sum) {
  if (d == window.spatial())
    return emitChannels(inOffset, filterOffset, sum,
                        [&](Value in, Value taps, Value carried) {
                          return emitProduct(in, taps, carried);
                        });
  using arith::CmpIPredicate;
  Value zero = e.cst(0), stride = e.cst(window.strides[d]);
  Value reach = e.add(out[d], window.pads[d]);
  return e.loop(
      zero, e.cst(window.kernel[d]), 1, sum,
      [&](Value k, ValueRange carried) -> SmallVector<Value> {
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
            counts, sum.getType(),
            [&]() -> SmallVector<Value> {
              Value in =
                  e.add(inOffset,
                        e.mul(position, input.strides[window.bufferDim(d)]));
              Value taps = e.add(filterOffset, e.mul(k, filter.strides[d + 2]));
              return {emitTransposed(d + 1, in, taps, carried[0])};
            },
            [&]() -> SmallVector<Value> { return {carried[0]}; });
      })[0];
}
