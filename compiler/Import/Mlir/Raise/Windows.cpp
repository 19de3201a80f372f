// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reductions over windows that move along an operand: convolutions and pools.
#include "compiler/Import/Mlir/Raise/Structured.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace hone;
using namespace hone::raise;

namespace {
struct Window {
  unsigned result, kernel; ///< loops
  int64_t stride = 1, dilation = 1;
};

/// How an operand is read: along plain loops, and in windows.
struct WindowedAccess {
  SmallVector<unsigned> plain;
  SmallVector<Window> windows;
  /// Axes of the operand.
  llvm::SmallDenseMap<unsigned, int64_t> axisOf; ///< of a plain loop
  SmallVector<int64_t> windowAxes;
};
} // namespace

/// Of strides and dilations, so that sizes computed with them do not overflow.
static constexpr int64_t kLargestFactor = int64_t(1) << 31;

/// A loop and its factor.
static std::optional<std::pair<unsigned, int64_t>> scaledLoop(AffineExpr expr) {
  if (auto loop = dyn_cast<AffineDimExpr>(expr))
    return std::pair(loop.getPosition(), int64_t(1));
  auto product = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!product || product.getKind() != AffineExprKind::Mul)
    return std::nullopt;
  auto loop = dyn_cast<AffineDimExpr>(product.getLHS());
  auto factor = dyn_cast<AffineConstantExpr>(product.getRHS());
  if (!loop || !factor || factor.getValue() <= 0 ||
      factor.getValue() > kLargestFactor)
    return std::nullopt;
  return std::pair(loop.getPosition(), factor.getValue());
}

static std::optional<WindowedAccess> windowsOf(Structured &s, AffineMap map) {
  WindowedAccess access;
  for (auto [axis, expr] : llvm::enumerate(map.getResults())) {
    if (auto loop = dyn_cast<AffineDimExpr>(expr)) {
      access.plain.push_back(loop.getPosition());
      access.axisOf[loop.getPosition()] = axis;
      continue;
    }
    auto sum = dyn_cast<AffineBinaryOpExpr>(expr);
    if (!sum || sum.getKind() != AffineExprKind::Add)
      return std::nullopt;
    auto a = scaledLoop(sum.getLHS()), b = scaledLoop(sum.getRHS());
    if (!a || !b || s.isReduction(a->first) == s.isReduction(b->first))
      return std::nullopt;
    if (s.isReduction(a->first))
      std::swap(a, b);
    access.windows.push_back({a->first, b->first, a->second, b->second});
    access.windowAxes.push_back(axis);
  }
  if (access.windows.empty() || access.windows.size() > 3)
    return std::nullopt;
  return access;
}

/// The axes in another order; a pad stays the last movement, as it may become
/// that of the window.
static Value movedInput(Raiser &r, Value v, ArrayRef<int64_t> permutation) {
  auto pad = v.getDefiningOp<graph::PadOp>();
  if (!pad)
    return r.transpose(v, permutation);
  Value inner = r.transpose(pad.getInput(), permutation);
  auto type = cast<RankedTensorType>(v.getType());
  return graph::PadOp::create(
      r.b, r.loc, type.clone(applyPermutation(type.getShape(), permutation)),
      inner, pad.getValue(), applyPermutation(pad.getLow(), permutation),
      applyPermutation(pad.getHigh(), permutation));
}

/// [first, second, spatial...] with the axes of these loops.
static Value windowInput(Structured &s, Value v, const WindowedAccess &access,
                         ArrayRef<unsigned> first, ArrayRef<unsigned> second) {
  Raiser &r = s.r;
  Ints permutation;
  for (ArrayRef<unsigned> loops : {first, second})
    for (unsigned loop : loops)
      permutation.push_back(access.axisOf.lookup(loop));
  llvm::append_range(permutation, access.windowAxes);
  Value moved = movedInput(r, v, permutation);
  Sizes own = r.sizesOf(moved);
  Sizes sizes{r.dims.product(r.b, r.loc, s.space(first).sizes),
              r.dims.product(r.b, r.loc, s.space(second).sizes)};
  sizes.append(own.end() - access.windows.size(), own.end());
  return r.reshape(moved, sizes);
}

/// What a window operation needs beside its operands.
struct WindowSizes {
  Ints kernel, strides, dilations, pads;
  Sizes result; ///< spatial
};

/// Cuts off what no window reads, so that the sizes of the result follow.
static FailureOr<WindowSizes>
fitWindows(Structured &s, const WindowedAccess &access, Value &input) {
  Raiser &r = s.r;
  WindowSizes sizes;
  Sizes wanted = r.sizesOf(input);
  for (auto [i, window] : llvm::enumerate(access.windows)) {
    std::optional<int64_t> kernel = Raiser::known(s.loops[window.kernel]);
    if (!kernel || *kernel <= 0 || *kernel > kLargestFactor)
      return r.fail(s.op, "the size of its window is not known, or too large");
    Size result = s.loops[window.result], &own = wanted[2 + i];
    int64_t span = (*kernel - 1) * window.dilation + 1;
    Size windows = r.dims.add(
        r.b, r.loc,
        r.dims.floorDiv(r.b, r.loc, r.dims.sub(r.b, r.loc, own, r.index(span)),
                        r.index(window.stride)),
        r.index(1));
    if (!r.same(windows, result)) {
      Size last =
          r.dims.mul(r.b, r.loc, r.dims.sub(r.b, r.loc, result, r.index(1)),
                     r.index(window.stride));
      Size needed = r.dims.add(r.b, r.loc, last, r.index(span));
      std::optional<int64_t> have = Raiser::known(own),
                             need = Raiser::known(needed);
      if (have && need && *need > *have)
        return r.fail(s.op, "its windows leave the operand");
      if (!have || !need)
        r.require(arith::CmpIOp::create(r.b, r.loc, arith::CmpIPredicate::sge,
                                        r.value(own), r.value(needed)),
                  "windows stay inside their operand");
      own = needed;
    }
    sizes.kernel.push_back(*kernel);
    sizes.strides.push_back(window.stride);
    sizes.dilations.push_back(window.dilation);
    sizes.result.push_back(result);
  }
  Sizes offsets(wanted.size(), r.index(0));
  input = r.slice(input, offsets, wanted);
  sizes.pads.assign(2 * access.windows.size(), 0);
  return sizes;
}

FailureOr<bool> hone::raise::raiseConvolution(Structured &s) {
  std::optional<Product> product = productOf(s);
  AffineMap result = s.outputs.front().map;
  if (!product || !result.isProjectedPermutation() ||
      !product->rightOperand->map.isProjectedPermutation())
    return false;
  AffineMap filterMap = product->rightOperand->map;
  std::optional<WindowedAccess> access =
      windowsOf(s, product->leftOperand->map);
  if (!access)
    return false;
  SmallVector<unsigned> batch, depth, outputChannels, inputChannels, kernel,
      spatial;
  for (const Window &window : access->windows) {
    spatial.push_back(window.result);
    kernel.push_back(window.kernel);
    if (!result.isFunctionOfDim(window.result) ||
        filterMap.isFunctionOfDim(window.result) ||
        !filterMap.isFunctionOfDim(window.kernel))
      return false;
  }
  for (unsigned loop = 0; loop < s.loops.size(); ++loop) {
    if (llvm::is_contained(spatial, loop) || llvm::is_contained(kernel, loop))
      continue;
    bool inInput = access->axisOf.contains(loop),
         inFilter = filterMap.isFunctionOfDim(loop);
    if (!inInput && !inFilter)
      return false;
    if (s.isReduction(loop)) {
      if (!inInput || !inFilter)
        return false;
      inputChannels.push_back(loop);
    } else if (inInput && inFilter) {
      if (!Raiser::known(s.loops[loop]))
        return false;
      depth.push_back(loop);
    } else {
      (inInput ? batch : outputChannels).push_back(loop);
    }
  }
  Raiser &r = s.r;
  Operand image, filter;
  if (failed(factorsOf(s, *product, image, filter)))
    return failure();
  auto joined = [](ArrayRef<unsigned> a, ArrayRef<unsigned> b,
                   ArrayRef<unsigned> c = {}) {
    SmallVector<unsigned> all(a);
    all.append(b.begin(), b.end());
    all.append(c.begin(), c.end());
    return all;
  };
  auto total = [&](ArrayRef<unsigned> loops) {
    return r.dims.product(r.b, r.loc, s.space(loops).sizes);
  };
  Value input = windowInput(s, image.tensor, *access, batch,
                            joined(depth, inputChannels));
  FailureOr<WindowSizes> sizes = fitWindows(s, *access, input);
  if (failed(sizes))
    return failure();
  SmallVector<unsigned> channels = joined(depth, outputChannels);
  Sizes filterSizes{total(channels), total(inputChannels)};
  llvm::append_range(filterSizes, s.space(kernel).sizes);
  Value weights = r.reshape(s.order(filter.tensor, filterMap,
                                    joined(channels, inputChannels, kernel)),
                            filterSizes);
  Sizes resultSizes{total(batch), total(channels)};
  llvm::append_range(resultSizes, sizes->result);
  Value made = graph::ConvOp::create(
      r.b, r.loc, r.tensorType(product->sum, resultSizes), input, weights,
      r.dynamic(resultSizes), sizes->strides, sizes->dilations, sizes->pads,
      *Raiser::known(total(depth)), /*channelsLast=*/false, graph::PackedAttr(),
      /*depthwise=*/false, sizes->kernel,
      /*fill=*/IntegerAttr());
  SmallVector<unsigned> order = joined(batch, channels, spatial);
  Value arranged =
      s.arrange(r.reshape(made, s.space(order).sizes), order, result);
  if (failed(s.defineReduced(s.outputs[0], arranged,
                             *s.combinationOf(s.outputs[0]))))
    return failure();
  return true;
}

/// A pad whose elements lose against the initial ones, or add nothing, becomes
/// that of the windows.
static void foldPad(Structured &s, graph::PoolKind kind, Value &input,
                    MutableArrayRef<int64_t> pads) {
  auto pad = input.getDefiningOp<graph::PadOp>();
  if (!pad)
    return;
  size_t spatial = pads.size() / 2;
  for (auto [i, low, high] : llvm::enumerate(pad.getLow(), pad.getHigh()))
    if (low < 0 || high < 0 || (i < 2 && (low || high)))
      return;
  Attribute value;
  if (!matchPattern(pad.getValue(), m_Constant(&value)))
    return;
  auto number = dyn_cast<FloatAttr>(value);
  bool isLowest = number && number.getValue().isInfinity() &&
                  number.getValue().isNegative();
  bool folds = kind == graph::PoolKind::Max
                   ? isLowest || value == s.initialValue(s.outputs[0])
                   : number && number.getValue().isPosZero();
  if (!folds)
    return;
  for (size_t i = 0; i < spatial; ++i) {
    pads[i] = pad.getLow()[2 + i];
    pads[spatial + i] = pad.getHigh()[2 + i];
  }
  input = pad.getInput();
}

FailureOr<bool> hone::raise::raisePooling(Structured &s) {
  std::optional<Combination> part =
      s.outputs.size() == 1 ? s.combinationOf(s.outputs[0]) : std::nullopt;
  AffineMap result = s.outputs.front().map;
  if (!part || part->skipsNan || !result.isProjectedPermutation())
    return false;
  graph::PoolKind kind;
  switch (part->kind) {
  case graph::ReduceKind::Sum:
    kind = graph::PoolKind::Sum;
    break;
  case graph::ReduceKind::Max:
  case graph::ReduceKind::UMax:
    kind = graph::PoolKind::Max;
    break;
  default:
    return false;
  }
  auto image = llvm::find_if(s.inputs, [&](const Operand &input) {
    return input.tensor && part->element == input.argument;
  });
  // Sums of floats only: others wrap around in their type.
  if (image == s.inputs.end() || (kind == graph::PoolKind::Sum &&
                                  !isa<FloatType>(part->element.getType())))
    return false;
  std::optional<WindowedAccess> access = windowsOf(s, image->map);
  if (!access)
    return false;
  SmallVector<unsigned> spatial, kernel;
  for (const Window &window : access->windows) {
    spatial.push_back(window.result);
    kernel.push_back(window.kernel);
    if (!result.isFunctionOfDim(window.result))
      return false;
  }
  for (unsigned loop = 0; loop < s.loops.size(); ++loop)
    if (!llvm::is_contained(spatial, loop) &&
        !llvm::is_contained(kernel, loop) &&
        (s.isReduction(loop) || !access->axisOf.contains(loop)))
      return false;
  Raiser &r = s.r;
  ArrayRef<unsigned> plain = access->plain;
  ArrayRef<unsigned> batch = plain.take_front(plain.empty() ? 0 : 1),
                     channels = plain.drop_front(batch.size());
  Value input = windowInput(s, image->tensor, *access, batch, channels);
  FailureOr<WindowSizes> sizes = fitWindows(s, *access, input);
  if (failed(sizes))
    return failure();
  foldPad(s, kind, input, sizes->pads);
  Sizes resultSizes{r.dims.product(r.b, r.loc, s.space(batch).sizes),
                    r.dims.product(r.b, r.loc, s.space(channels).sizes)};
  llvm::append_range(resultSizes, sizes->result);
  auto made = graph::PoolOp::create(
      r.b, r.loc, r.tensorType(getElementTypeOrSelf(input), resultSizes),
      Type(), input, r.dynamic(resultSizes), kind, sizes->kernel,
      sizes->strides, sizes->dilations, sizes->pads,
      /*countIncludePad=*/false, /*channelsLast=*/false,
      /*columnMajor=*/false, part->kind == graph::ReduceKind::UMax);
  SmallVector<unsigned> order(plain);
  llvm::append_range(order, spatial);
  Value arranged = s.arrange(r.reshape(made.getResult(), s.space(order).sizes),
                             order, result);
  if (failed(s.defineReduced(s.outputs[0], arranged, *part)))
    return failure();
  return true;
}
