// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Turns convolutions over buffers into launches.
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Emit/Contraction.h"
#include "passes/Emit/ConvPoint.h"
#include "passes/Emit/WindowReduction.h"
#include "passes/Gpu/Passes.h"
#include "passes/Gpu/Product/TileLoader.h"
#include "passes/Machine/GpuTuning.h"

namespace hone {
#define GEN_PASS_DEF_GPULOWERCONVOLUTIONSPASS
#include "passes/Gpu/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;
using namespace hone::graph;

static Value sizeOf(Emitter &e, ValueRange sizes) {
  Value count = e.cst(1);
  for (Value size : sizes)
    count = e.mul(count, size);
  return count;
}

namespace {
/// Channels last, filter in panels: a product of pixels x (kernel elements and
/// input channels) with the filter, whose left-hand side is formed while it is
/// read.
class ImplicitProduct {
public:
  ImplicitProduct(Emitter &e, KernelConvOp op);
  void emit();

private:
  static SmallVector<int64_t> coordinateGroups(KernelConvOp op);
  TileSource pixels(Value group);

  Emitter &e;
  KernelConvOp op;
  FlatBuffer input, filter;
  bool merges; ///< Pixels are one coordinate of the output space.
  Epilogue epilogue;
  SmallVector<Value> outSizes;
  Window window;
  Value taps, depth, groupIn, groupOut;
};
} // namespace

SmallVector<int64_t> ImplicitProduct::coordinateGroups(KernelConvOp op) {
  int64_t rank = cast<ShapedType>(op.getInput().getType()).getRank();
  if (Epilogue::canMerge(op, 0, rank - 2))
    return {rank - 1, 1};
  return SmallVector<int64_t>(rank, 1);
}

ImplicitProduct::ImplicitProduct(Emitter &e, KernelConvOp op)
    : e(e), op(op),
      input(leftOperand(e, op.getInput(), op.getAccumulatorType())),
      filter(FlatBuffer::get(e, op.getFilter())),
      epilogue(e, op, coordinateGroups(op)) {
  merges = epilogue.rank() == 2;
  Value out = op.getOuts().front();
  for (size_t i = 0; i < input.sizes.size(); ++i)
    outSizes.push_back(e.dim(out, i));
  window = Window::get(e, op, input, outSizes);
  int64_t count = 1;
  for (int64_t size : window.kernel)
    count *= size;
  taps = e.cst(count);
  groupIn = e.div(window.channels, e.cst(op.getGroup()));
  groupOut = e.div(outSizes.back(), e.cst(op.getGroup()));
  depth = e.mul(groupIn, count);
}

TileSource ImplicitProduct::pixels(Value group) {
  TileSource source;
  source.buffer = input;
  source.lines = sizeOf(e, ArrayRef(outSizes).drop_back());
  source.depth = depth;
  source.contiguity = contiguityOf(groupIn);
  // Where the pixel's windows start: an offset, and one position per spatial
  // dimension.
  source.enter = [this, group](Value pixel) {
    SmallVector<Value> place =
        e.delinearize(pixel, ArrayRef(outSizes).drop_back());
    SmallVector<Value> line = {
        e.add(e.mul(place[0], input.strides[0]), e.mul(group, groupIn))};
    for (size_t d = 0; d < window.spatial(); ++d)
      line.push_back(window.start(e, d, place[d + 1]));
    return line;
  };
  source.at = [this](ValueRange line, TileSource::KSlice slice, Value inside) {
    TileSource::Place place{line[0], nullptr};
    Value k = e.add(slice.first, inside), channel = k;
    SmallVector<Value> tap(window.spatial(), e.cst(0));
    if (constantOf(taps) != 1) {
      // A slice within one kernel element, which is the same for all threads.
      std::optional<int64_t> channels = constantOf(groupIn);
      bool oneTap = channels && *channels % slice.depth == 0;
      SmallVector<Value> sizes;
      for (int64_t size : window.kernel)
        sizes.push_back(e.cst(size));
      Value number = oneTap ? slice.first : k;
      channel = e.rem(number, groupIn);
      if (oneTap)
        channel = e.add(channel, inside);
      tap = e.delinearize(e.div(number, groupIn), sizes);
    }
    for (size_t d = 0; d < window.spatial(); ++d) {
      Value at = e.add(line[d + 1], e.mul(tap[d], window.dilations[d]));
      place.offset =
          e.add(place.offset, e.mul(at, input.strides[window.bufferDim(d)]));
      bool unpadded = window.kernel[d] == 1 && window.pads[d] == 0 &&
                      window.pads[window.spatial() + d] == 0;
      if (!unpadded && !window.neverLeaves(d))
        place.inside = both(e, place.inside,
                            e.cmp(arith::CmpIPredicate::ult, at, window.in[d]));
    }
    place.offset = e.add(place.offset, channel);
    return place;
  };
  return source;
}

void ImplicitProduct::emit() {
  Value panels = e.ceilDiv(groupOut, op.getPacked()->getNr());
  Product product;
  product.m = sizeOf(e, ArrayRef(outSizes).drop_back());
  product.n = groupOut;
  product.k = depth;
  product.batch = {e.cst(op.getGroup())};
  product.leftType = input.elementType();
  product.rightType = filter.elementType();
  product.accumulator = op.getAccumulatorType();
  product.rightAlongK = false;
  product.epilogue = &epilogue;
  product.operands = [&](ValueRange batch) {
    return std::pair(pixels(batch[0]),
                     packedSource(e, filter, *op.getPacked(), panels, depth,
                                  e.mul(batch[0], panels)));
  };
  product.coordinates = [&](ValueRange batch, Value row, Value column) {
    SmallVector<Value> place = {row};
    if (!merges)
      place = e.delinearize(row, ArrayRef(outSizes).drop_back());
    place.push_back(e.add(e.mul(batch[0], groupOut), column));
    return place;
  };
  emitProduct(e, product);
}

namespace {
/// Channels last, one filter per channel: a thread computes some adjacent
/// channels of one pixel.
class DepthwiseEmitter {
public:
  DepthwiseEmitter(Emitter &e, KernelConvOp op)
      : e(e), input(leftOperand(e, op.getInput(), op.getAccumulatorType())),
        filter(FlatBuffer::get(e, op.getFilter())),
        epilogue(e, op, SmallVector<int64_t>(input.sizes.size(), 1)),
        window(Window::get(e, op, input, epilogue.sizes)),
        accumulator(op.getAccumulatorType()), fill(op.getFill().value_or(0)) {}
  void emit();

private:
  void emitChannels(ArrayRef<Value> place, int64_t width);
  Value emitTaps(size_t d, Value offset, Value tap, int64_t width, Value sum);
  Value emitPadding(size_t d, Value tap, int64_t width, Value sum);
  Value load(const FlatBuffer &buffer, Value at, int64_t width) const;
  Value tapAt(Value tap, int64_t width) const {
    return load(filter, e.add(e.mul(tap, window.channels), channel), width);
  }

  Emitter &e;
  FlatBuffer input, filter;
  Epilogue epilogue;
  Window window;
  Type accumulator;
  int64_t fill; ///< What padding reads as.

  // Of the current channels:
  SmallVector<Value> starts;
  Value channel;
};
} // namespace

void DepthwiseEmitter::emit() {
  int64_t bits = std::max(input.elementType().getIntOrFloatBitWidth(),
                          filter.elementType().getIntOrFloatBitWidth());
  int64_t width =
      std::min({epilogue.vectorWidth(kAccessBytes), kAccessBytes * 8 / bits,
                contiguityOf(window.channels)});
  SmallVector<Value> sizes = epilogue.sizes;
  sizes.back() = e.div(sizes.back(), e.cst(width));
  emitThreads(e, sizeOf(e, sizes), tuning::kGpuThreads, [&](Value index) {
    SmallVector<Value> place = e.delinearize(index, sizes);
    place.back() = e.mul(place.back(), width);
    emitChannels(place, width);
  });
}

void DepthwiseEmitter::emitChannels(ArrayRef<Value> place, int64_t width) {
  channel = place.back();
  starts.clear();
  for (size_t d = 0; d < window.spatial(); ++d)
    starts.push_back(window.start(e, d, place[d + 1]));
  Type type = accumulator;
  if (width > 1)
    type = VectorType::get({width}, accumulator);
  Value offset = e.add(e.mul(place[0], input.strides[0]), channel);
  Value sum = emitTaps(0, offset, e.cst(0), width, e.zero(type));
  Epilogue::Cursor cursor = epilogue.at(place);
  if (width == 1)
    return epilogue.emitScalar(cursor, sum);
  epilogue.setAligned(true);
  epilogue.emitTile(cursor, 0, 1, 1, {{sum}}, nullptr);
  epilogue.setAligned(false);
}

Value DepthwiseEmitter::load(const FlatBuffer &buffer, Value at,
                             int64_t width) const {
  Value value =
      width == 1
          ? buffer.load(e, at)
          : buffer.load(e, at, width, nullptr,
                        width * buffer.elementType().getIntOrFloatBitWidth() /
                            8);
  return buffer.extend(e, value, accumulator);
}

/// Loops over the kernel elements from dimension `d` on.
Value DepthwiseEmitter::emitTaps(size_t d, Value offset, Value tap,
                                 int64_t width, Value sum) {
  if (d == window.spatial()) {
    WindowReduction reduction{WindowReduction::Weighted, /*fma=*/true};
    return reduction.combine(e, sum, load(input, offset, width),
                             tapAt(tap, width));
  }
  tap = e.mul(tap, window.kernel[d]);
  auto [low, high] = window.kernelRange(e, d, starts[d]);
  sum = e.loop(
      low, high, 1, sum,
      [&](Value k, ValueRange carried) -> SmallVector<Value> {
        Value at = e.add(starts[d], e.mul(k, window.dilations[d]));
        Value inner =
            e.add(offset, e.mul(at, input.strides[window.bufferDim(d)]));
        return {emitTaps(d + 1, inner, e.add(tap, k), width, carried[0])};
      })[0];
  if (fill == 0)
    return sum;
  auto emitRest = [&](Value k, ValueRange carried) -> SmallVector<Value> {
    return {emitPadding(d + 1, e.add(tap, k), width, carried[0])};
  };
  sum = e.loop(e.cst(0), low, 1, sum, emitRest)[0];
  return e.loop(high, e.cst(window.kernel[d]), 1, sum, emitRest)[0];
}

/// The same over padding, whatever the dimensions from `d` on.
Value DepthwiseEmitter::emitPadding(size_t d, Value tap, int64_t width,
                                    Value sum) {
  if (d == window.spatial()) {
    Value padding =
        e.splat(sum.getType(), e.builder.getIntegerAttr(accumulator, fill));
    WindowReduction reduction{WindowReduction::Weighted, /*fma=*/true};
    return reduction.combine(e, sum, padding, tapAt(tap, width));
  }
  tap = e.mul(tap, window.kernel[d]);
  return e.loop(e.cst(0), e.cst(window.kernel[d]), 1, sum,
                [&](Value k, ValueRange carried) -> SmallVector<Value> {
                  return {emitPadding(d + 1, e.add(tap, k), width, carried[0])};
                })[0];
}

/// One thread per element.
static void emitPlainConvolution(Emitter &e, KernelConvOp op) {
  ConvPoint point(e, op, /*fma=*/true);
  const Window &window = point.getWindow();
  emitThreads(e, sizeOf(e, point.sizes()), tuning::kGpuThreads,
              [&](Value index) {
                SmallVector<Value> place = e.delinearize(index, point.sizes());
                SmallVector<Value> out;
                for (size_t d = 0; d < window.spatial(); ++d)
                  out.push_back(place[window.bufferDim(d)]);
                point.enter(place[0], place[window.channelDim()]);
                point.emit(out);
              });
}

namespace {
struct GpuLowerConvolutionsPass
    : hone::impl::GpuLowerConvolutionsPassBase<GpuLowerConvolutionsPass> {
  using Base::Base;

  void runOnOperation() override {
    auto lower = [](Emitter &e, KernelConvOp op) -> LogicalResult {
      if (op.getPacked())
        ImplicitProduct(e, op).emit();
      else if (op.getDepthwise())
        DepthwiseEmitter(e, op).emit();
      else
        emitPlainConvolution(e, op);
      return success();
    };
    if (failed(lowerEach<KernelConvOp>(getOperation(), lower)))
      signalPassFailure();
  }
};
} // namespace
