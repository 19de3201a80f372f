// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Channelwise windows over channels-last inputs. A tile is some output pixels
// along the last spatial dimension x one vector of channels; an input vector is
// loaded once for all pixels that use it.
#include "passes/Cpu/ChannelWindow.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Cpu/Contraction.h"
#include "passes/Machine/Tuning.h"
#include <map>

using namespace mlir;
using namespace hone;

/// Without dot products, products of bytes are added as f32, which is exact for
/// so many and faster: there is no multiplication of i32 as fast as that of
/// f32.
static constexpr int64_t kMaxExactTaps = (1 << 24) / (255 * 128);

ByteSums hone::byteSums(const CpuMachine &machine, ArrayRef<int64_t> kernel,
                        Type accumulator) {
  if (machine.hasByteDot())
    return {findMicroKernel("dot_bytes"), accumulator};
  if (ShapedType::getNumElements(kernel) <= kMaxExactTaps)
    return {nullptr, Float32Type::get(accumulator.getContext())};
  return {nullptr, accumulator};
}

namespace {
class ChannelEmitter {
public:
  ChannelEmitter(Emitter &e, const CpuMachine &machine, const FlatBuffer &input,
                 const FlatBuffer *taps, const Window &window,
                 const WindowReduction &reduction, Type accumulator,
                 Epilogue &epilogue, int64_t fill)
      : e(e), machine(machine), input(input), taps(taps), window(window),
        reduction(reduction), accumulator(accumulator), sum(accumulator),
        epilogue(epilogue), fill(fill), lanes(lanesOf(machine, accumulator)),
        last(window.spatial() - 1) {
    if (taps && graph::isByteProduct(input.elementType(), accumulator)) {
      ByteSums sums = byteSums(machine, window.kernel, accumulator);
      dot = sums.dot;
      sum = sums.type;
    }
    int64_t size = window.kernel[last];
    if (size > tuning::kMaxUnrolledKernel)
      size = tuning::kUnrolledTaps;
    int64_t free = machine.vectorRegisters - (taps ? size : 0) - 3;
    tilePixels = std::clamp<int64_t>(free, 4, 8);
  }

  void emit();

private:
  /// What is known of the window along the last dimension, per pixel.
  struct Reach {
    /// The kernel elements inside the input, if they are unrolled.
    SmallVector<SmallVector<bool>> inside;
    /// Otherwise [low, high) of each pixel; without pixels all elements for
    /// all.
    SmallVector<std::pair<Value, Value>> ranges;
    bool isWhole() const { return inside.empty() && ranges.empty(); }
  };
  void emitRow(Value low, Value high);
  void emitFreeRow(Value low, Value high);
  void emitWideRow(Value low, Value high);
  void emitPixels(int64_t pixels, Value firstPixel, Value low, Value high,
                  const Reach &reach);
  void emitBorder(int64_t pixels, Value firstPixel, Value low, Value high);
  void emitTile(int64_t pixels, Value firstPixel, Value channel,
                Value remaining, const Reach &reach);
  SmallVector<Value> emitKernel(size_t d, Value offset, Value tapOffset,
                                const Reach &reach, Value mask,
                                ValueRange accumulators);
  SmallVector<Value> emitElements(Value offset, Value tapOffset,
                                  ArrayRef<SmallVector<bool>> inside,
                                  Value mask, ValueRange accumulators);
  SmallVector<Value> emitRange(Value kLow, Value kHigh, Value offset,
                               Value tapOffset, int64_t pixels, Value mask,
                               ValueRange accumulators);
  SmallVector<Value> emitPadding(size_t d, Value low, Value high,
                                 Value tapOffset, Value mask,
                                 ValueRange accumulators);
  Value pixelStride() const { return input.strides[window.bufferDim(last)]; }
  Value tapAt(Value kernelOffset, Value mask) const;
  Value inputAt(Value offset, Value mask) const {
    return input.extend(e, input.load(e, offset, lanes, mask), sum);
  }
  Value padding() const;
  /// Adds an element of the window, times its tap if there is one.
  Value combine(Value value, Value element, Value tap) const;

  Emitter &e;
  const CpuMachine &machine;
  const FlatBuffer &input;
  const FlatBuffer *taps;
  const Window &window;
  const WindowReduction &reduction;
  Type accumulator, sum; ///< What the epilogue takes, and what is added.
  const MicroKernel *dot = nullptr; ///< Of bytes that are widened to a sum's.
  Epilogue &epilogue;
  int64_t fill; ///< What padding reads as.
  int64_t lanes, tilePixels = 1;
  size_t last;

  // Of the current row:
  SmallVector<Value> outer; ///< Output coordinates except the last two.
  Value outerCount; ///< Elements of the window except for the last dimension.
  Value channel;    ///< Of the current vector.
};
} // namespace

void ChannelEmitter::emit() {
  ArrayRef<Value> outerSizes = ArrayRef(epilogue.sizes).drop_back(2);
  Value rows = e.cst(1);
  for (Value size : outerSizes)
    rows = e.mul(rows, size);
  // Few rows: blocks of channels too.
  Value channels = window.channels;
  int64_t vectors =
      (constantOf(channels).value_or(64 * lanes) + lanes - 1) / lanes;
  int64_t blocks = tuning::balancedBlocks(machine) /
                   std::max<int64_t>(constantOf(rows).value_or(1), 1);
  blocks = std::clamp<int64_t>(blocks, 1, std::max<int64_t>(vectors / 4, 1));
  Value blockSize = e.mul(e.ceilDiv(e.ceilDiv(channels, lanes), blocks), lanes);
  SmallVector<Value> sizes = {rows, e.cst(blocks)};
  emitForall(e, e.mul(rows, blocks), [&](Value index) {
    SmallVector<Value> place = e.delinearize(index, sizes);
    outer = e.delinearize(place[0], outerSizes);
    if (reduction.kind == WindowReduction::Average) {
      outerCount = e.cst(1);
      for (size_t d = 0; d < last; ++d)
        outerCount = e.mul(
            outerCount,
            reduction.divisor(e, window, d, window.start(e, d, outer[d + 1])));
    }
    Value low = e.mul(place[1], blockSize);
    emitRow(low, e.min(e.add(low, blockSize), channels));
  });
}

void ChannelEmitter::emitRow(Value low, Value high) {
  std::optional<int64_t> pixels = constantOf(window.out[last]);
  int64_t size = window.kernel[last];
  if (size > tuning::kMaxUnrolledKernel)
    return emitWideRow(low, high);
  if (!pixels || !constantOf(window.in[last]))
    return emitFreeRow(low, high);
  RowSplit split = splitRows(std::max<int64_t>(*pixels, 1), tilePixels);
  int64_t first = 0;
  // Equal tiles share a loop.
  auto tiles = [&](int64_t count, int64_t width) {
    for (int64_t done = 0; done < count && first < *pixels;) {
      int64_t alike = window.tilesAlike(last, first, width, count - done);
      Reach reach;
      reach.inside.resize(width);
      for (int64_t p = 0; p < width; ++p)
        for (int64_t k = 0; k < size; ++k)
          reach.inside[p].push_back(window.isInside(last, first + p, k));
      e.loop(e.cst(0), e.cst(alike), [&](Value i) {
        Value pixel = e.add(e.mul(i, width), first);
        emitPixels(width, pixel, low, high, reach);
      });
      done += alike;
      first += alike * width;
    }
  };
  tiles(split.large, split.rows);
  tiles(split.small, split.rows - 1);
}

/// A row of a size known only at run time: tiles where no window leaves the
/// input, smaller ones for their remainder, and single pixels for the rest.
void ChannelEmitter::emitFreeRow(Value low, Value high) {
  auto [at, end] = window.interior(e, last);
  auto border = [&](Value pixel) { emitBorder(1, pixel, low, high); };
  e.loop(e.cst(0), at, border);
  for (int64_t width : {tilePixels, tuning::kFewPixels}) {
    Value count = e.sub(end, at);
    Value next = e.add(at, e.sub(count, e.rem(count, e.cst(width))));
    e.loop(at, next, width, {}, [&](Value pixel, ValueRange) {
      emitPixels(width, pixel, low, high, {});
      return SmallVector<Value>();
    });
    at = next;
  }
  e.loop(at, window.out[last], border);
}

/// A row under a kernel that is not unrolled, in tiles from its start.
void ChannelEmitter::emitWideRow(Value low, Value high) {
  auto [first, end] = window.interior(e, last);
  Value pixels = window.out[last];
  Value whole = e.sub(pixels, e.rem(pixels, e.cst(tilePixels)));
  e.loop(e.cst(0), whole, tilePixels, {},
         [&, first = first, end = end](Value pixel, ValueRange) {
           Value isInner = arith::AndIOp::create(
               e.builder, e.loc, e.cmp(arith::CmpIPredicate::sge, pixel, first),
               e.cmp(arith::CmpIPredicate::sle, e.add(pixel, tilePixels), end));
           e.branch(
               isInner, [&] { emitPixels(tilePixels, pixel, low, high, {}); },
               [&] { emitBorder(tilePixels, pixel, low, high); });
           return SmallVector<Value>();
         });
  e.loop(whole, pixels, [&](Value pixel) { emitBorder(1, pixel, low, high); });
}

/// Pixels whose windows may leave the input.
void ChannelEmitter::emitBorder(int64_t pixels, Value firstPixel, Value low,
                                Value high) {
  Reach reach;
  for (int64_t p = 0; p < pixels; ++p)
    reach.ranges.push_back(window.kernelRange(
        e, last, window.start(e, last, e.add(firstPixel, p))));
  emitPixels(pixels, firstPixel, low, high, reach);
}

void ChannelEmitter::emitPixels(int64_t pixels, Value firstPixel, Value low,
                                Value high, const Reach &reach) {
  Value count = e.sub(high, low);
  Value whole = e.add(low, e.sub(count, e.rem(count, e.cst(lanes))));
  std::optional<int64_t> channels = constantOf(window.channels);
  bool even = channels && *channels % lanes == 0;
  e.loop(low, even ? high : whole, lanes, {}, [&](Value c, ValueRange) {
    emitTile(pixels, firstPixel, c, nullptr, reach);
    return SmallVector<Value>();
  });
  if (even)
    return;
  Value left = e.cmp(arith::CmpIPredicate::slt, whole, high);
  e.branch(left, [&] {
    emitTile(pixels, firstPixel, whole, e.sub(high, whole), reach);
  });
}

void ChannelEmitter::emitTile(int64_t pixels, Value firstPixel, Value c,
                              Value remaining, const Reach &reach) {
  channel = c;
  auto type = VectorType::get({lanes}, sum);
  SmallVector<Value> sums(pixels, reduction.neutral(e, type));
  Value start = window.start(e, last, firstPixel);
  Value offset = e.add(e.mul(outer[0], input.strides[0]), c);
  offset = e.add(offset, e.mul(start, pixelStride()));
  sums = emitKernel(0, offset, e.cst(0), reach,
                    makeMask(e, remaining, e.cst(0), lanes), sums);
  if (reduction.kind == WindowReduction::Average)
    for (int64_t p = 0; p < pixels; ++p) {
      Value pixelStart = e.add(start, p * window.strides[last]);
      Value count = reach.isWhole()
                        ? e.cst(window.kernel[last])
                        : reduction.divisor(e, window, last, pixelStart);
      sums[p] = WindowReduction::divide(e, sums[p], e.mul(outerCount, count));
    }
  if (sum != accumulator)
    for (Value &value : sums)
      value = arith::FPToSIOp::create(e.builder, e.loc, type.clone(accumulator),
                                      value);
  SmallVector<Value> coordinates = outer;
  coordinates.push_back(firstPixel);
  coordinates.push_back(c);
  epilogue.emitTile(epilogue.at(coordinates), epilogue.rank() - 2, pixels, 1,
                    {sums}, remaining);
}

Value ChannelEmitter::tapAt(Value kernelOffset, Value mask) const {
  if (!taps)
    return nullptr;
  Value offset = e.add(e.mul(kernelOffset, window.channels), channel);
  return taps->extend(e, taps->load(e, offset, lanes, mask), sum);
}

Value ChannelEmitter::padding() const {
  TypedAttr number = isa<FloatType>(sum)
                         ? TypedAttr(e.builder.getFloatAttr(sum, fill))
                         : TypedAttr(e.builder.getIntegerAttr(sum, fill));
  return e.splat(VectorType::get({lanes}, sum), number);
}

Value ChannelEmitter::combine(Value value, Value element, Value tap) const {
  if (!dot)
    return reduction.combine(e, value, element, tap);
  // Of four products the last three have a factor of 0 on the left.
  auto bytes = VectorType::get({4 * lanes}, e.builder.getI8Type());
  auto asBytes = [&](Value wide) -> Value {
    return vector::BitCastOp::create(e.builder, e.loc, bytes, wide);
  };
  return dot->multiplyAdd(e, asBytes(element), asBytes(tap), value);
}

/// Adds the kernel elements [low, high) of dimension `d`, and all of those
/// after it, of padding.
SmallVector<Value> ChannelEmitter::emitPadding(size_t d, Value low, Value high,
                                               Value tapOffset, Value mask,
                                               ValueRange accumulators) {
  return e.loop(low, high, 1, accumulators,
                [&](Value k, ValueRange carried) -> SmallVector<Value> {
                  Value offset = e.add(tapOffset, k);
                  if (d < last) {
                    int64_t size = window.kernel[d + 1];
                    return emitPadding(d + 1, e.cst(0), e.cst(size),
                                       e.mul(offset, size), mask, carried);
                  }
                  SmallVector<Value> values;
                  Value tap = tapAt(offset, mask);
                  for (Value value : carried)
                    values.push_back(combine(value, padding(), tap));
                  return values;
                });
}

/// Loops over the kernel's dimensions from `d` on; the last is unrolled if
/// short.
SmallVector<Value> ChannelEmitter::emitKernel(size_t d, Value offset,
                                              Value tapOffset,
                                              const Reach &reach, Value mask,
                                              ValueRange accumulators) {
  int64_t size = window.kernel[d];
  tapOffset = e.mul(tapOffset, size);
  if (d < last) {
    Value start = window.start(e, d, outer[d + 1]);
    auto [low, high] = window.kernelRange(e, d, start);
    SmallVector<Value> values =
        e.loop(low, high, 1, accumulators, [&](Value k, ValueRange carried) {
          Value position = e.add(start, e.mul(k, window.dilations[d]));
          Value inner = e.add(
              offset, e.mul(position, input.strides[window.bufferDim(d)]));
          return emitKernel(d + 1, inner, e.add(tapOffset, k), reach, mask,
                            carried);
        });
    if (fill == 0)
      return values;
    values = emitPadding(d, e.cst(0), low, tapOffset, mask, values);
    return emitPadding(d, high, e.cst(size), tapOffset, mask, values);
  }
  int64_t pixels = accumulators.size();
  if (!reach.inside.empty())
    return emitElements(offset, tapOffset, reach.inside, mask, accumulators);
  if (reach.isWhole())
    return emitRange(e.cst(0), e.cst(size), offset, tapOffset, pixels, mask,
                     accumulators);
  // The elements that all pixels have inside the input; the first reaches least
  // far down, the last least far up.
  Value low = reach.ranges.front().first;
  Value high = e.max(reach.ranges.back().second, low);
  SmallVector<Value> values =
      emitRange(low, high, offset, tapOffset, pixels, mask, accumulators);
  Value step = e.mul(pixelStride(), window.strides[last]);
  for (int64_t p = 0; p < pixels; ++p) {
    auto [from, to] = reach.ranges[p];
    if (fill != 0)
      for (auto [first, end] :
           {std::pair(e.cst(0), from), std::pair(to, e.cst(size))})
        values[p] =
            emitPadding(last, first, end, tapOffset, mask, values[p])[0];
    if (pixels == 1)
      continue;
    Value at = e.add(offset, e.mul(step, p));
    for (auto [first, end] :
         {std::pair(from, e.min(low, to)), std::pair(high, to)})
      values[p] = emitRange(first, end, at, tapOffset, 1, mask, values[p])[0];
  }
  return values;
}

/// Kernel elements [kLow, kHigh) of the last dimension, for all pixels: some
/// unrolled at a time, or all if few and known.
SmallVector<Value> ChannelEmitter::emitRange(Value kLow, Value kHigh,
                                             Value offset, Value tapOffset,
                                             int64_t pixels, Value mask,
                                             ValueRange accumulators) {
  SmallVector<Value> values = llvm::to_vector(accumulators);
  std::optional<int64_t> known = constantOf(e.sub(kHigh, kLow));
  SmallVector<int64_t, 2> counts = {tuning::kUnrolledTaps, 1};
  if (pixels == 1)
    counts = {1};
  if (known && *known <= tuning::kMaxUnrolledKernel)
    counts = {std::max<int64_t>(*known, 1)};
  Value stride = e.mul(pixelStride(), window.dilations[last]);
  for (int64_t count : counts) {
    SmallVector<SmallVector<bool>> all(pixels, SmallVector<bool>(count, true));
    Value size = e.sub(kHigh, kLow);
    Value next = e.add(kLow, e.sub(size, e.rem(size, e.cst(count))));
    values =
        e.loop(kLow, next, count, values, [&](Value k, ValueRange carried) {
          return emitElements(e.add(offset, e.mul(k, stride)),
                              e.add(tapOffset, k), all, mask, carried);
        });
    kLow = next;
  }
  return values;
}

/// Unrolled kernel elements: each tap and each input is loaded once.
SmallVector<Value>
ChannelEmitter::emitElements(Value offset, Value tapOffset,
                             ArrayRef<SmallVector<bool>> inside, Value mask,
                             ValueRange accumulators) {
  int64_t dilation = window.dilations[last], stride = window.strides[last];
  SmallVector<Value> values = llvm::to_vector(accumulators);
  SmallVector<Value> loadedTaps(inside.front().size());
  // The pixels and kernel elements that read each input.
  std::map<int64_t, SmallVector<std::pair<int64_t, int64_t>>> readers;
  for (auto [p, elements] : llvm::enumerate(inside))
    for (auto [k, isInside] : llvm::enumerate(elements))
      if (isInside)
        readers[p * stride + k * dilation].push_back({p, k});
  for (const auto &[x, pixels] : readers) {
    Value loaded = inputAt(e.add(offset, e.mul(pixelStride(), x)), mask);
    for (auto [p, k] : pixels) {
      if (taps && !loadedTaps[k])
        loadedTaps[k] = tapAt(e.add(tapOffset, k), mask);
      values[p] = combine(values[p], loaded, loadedTaps[k]);
    }
  }
  if (fill == 0)
    return values;
  for (auto [p, elements] : llvm::enumerate(inside))
    for (auto [k, isInside] : llvm::enumerate(elements))
      if (!isInside)
        values[p] = combine(values[p], padding(),
                            loadedTaps[k] ? loadedTaps[k]
                                          : tapAt(e.add(tapOffset, k), mask));
  return values;
}

void hone::emitChannelWindow(Emitter &e, const CpuMachine &machine,
                             const FlatBuffer &input, const FlatBuffer *taps,
                             const Window &window,
                             const WindowReduction &reduction, Type accumulator,
                             Epilogue &epilogue, int64_t fill) {
  ChannelEmitter(e, machine, input, taps, window, reduction, accumulator,
                 epilogue, fill)
      .emit();
}
