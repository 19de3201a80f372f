// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Pooling over windows and over whole images.
#include "compiler/Import/Onnx/Operators/Windows.h"

#include <numeric>

using namespace mlir;
using namespace hone::onnx;
using hone::graph::PoolKind;
using hone::graph::ReduceKind;

namespace {

std::optional<Windows> windowsOf(NodeBuilder &n, Val x) {
  if (x.rank() < 3 || x.rank() > 5 ||
      !x.type().getElementType().isIntOrFloat() || isSmallFloat(x.elem)) {
    n.fail("takes a tensor of numbers with 3 to 5 dimensions");
    return std::nullopt;
  }
  std::optional<Ints> kernel = n.intsAttr("kernel_shape");
  if (!kernel) {
    n.fail("lacks the attribute 'kernel_shape'");
    return std::nullopt;
  }
  std::optional<Windows> windows = Windows::parse(n, x, kernel);
  if (windows && llvm::any_of(windows->pads, [](int64_t p) { return p < 0; })) {
    n.fail("has negative pads");
    return std::nullopt;
  }
  return windows;
}

/// Never the result of a maximum, except over nothing else.
double lowest(ElementType elem) {
  if (isFloat(elem))
    return -std::numeric_limits<double>::infinity();
  return isUnsigned(elem) ? 0 : -std::ldexp(1.0, elementBits(elem) - 1);
}

/// Indices into the padded input converted to those into the input. If padding
/// is as large as everything else in a window, it stands for the first of its
/// elements.
Val placesInInput(NodeBuilder &n, Val places, ArrayRef<Size> own,
                  ArrayRef<Size> padded, const Windows &w) {
  Ints order(own.size());
  std::iota(order.begin(), order.end(), 0);
  if (n.intAttr("storage_order") != 0 && order.size() >= 4)
    std::swap(order[order.size() - 2], order.back());
  return n.map(places, [&](Scalar place) {
    ScalarBuilder &s = *place.builder;
    Scalar rest = s.toIndex(place), zero = s.indexConstant(0), result = zero,
           stride = s.indexConstant(1);
    for (int64_t axis : llvm::reverse(order)) {
      Scalar size = s.size(padded[axis]), at = truncMod(rest, size);
      rest = floorDiv(rest, size);
      if (axis >= 2) {
        Scalar step = s.indexConstant(w.dilations[axis - 2]);
        at = at - s.size(w.runLow[axis - 2]);
        Scalar missing = max(zero - at, zero);
        at = at + ceilDiv(missing, step) * step;
      }
      result = result + at * stride;
      stride = stride * s.size(own[axis]);
    }
    return s.cast(result, ElementType::Int64);
  });
}

/// The pooled tensor, and for max the indices if requested.
std::pair<Val, Val> pool(NodeBuilder &n, Val x, const Windows &w, PoolKind kind,
                         bool includePad, bool indices) {
  bool ceil = n.intAttr("ceil_mode");
  Sizes sizes{n.dim(x, 0), n.dim(x, 1)}, own = n.dims(x);
  for (int64_t i = 2; i < x.rank(); ++i)
    sizes.push_back(w.outputSize(n, n.dim(x, i), i - 2, ceil));
  if (n.failed())
    return {x, x};
  x = w.padded(n, x, kind == PoolKind::Max ? lowest(x.elem) : 0);
  mlir::Type indexType =
      indices ? n.tensorType(ElementType::Int64, sizes) : mlir::Type();
  auto op = graph::PoolOp::create(
      n.b, n.loc, n.tensorType(x.elem, sizes), indexType, x.value,
      n.dynamic(sizes), kind, w.kernel, w.strides, w.dilations, w.pads,
      includePad, /*channelsLast=*/false, n.intAttr("storage_order") != 0,
      isUnsigned(x.elem));
  Val places{op.getIndices(), ElementType::Int64};
  if (indices && !w.runTotal.empty())
    places = placesInInput(n, places, own, n.dims(x), w);
  return {{op.getResult(), x.elem}, places};
}

LogicalResult importMaxPool(NodeBuilder &n) {
  std::optional<Windows> windows = windowsOf(n, n.in(0));
  if (!windows)
    return failure();
  auto [result, indices] =
      pool(n, n.in(0), *windows, PoolKind::Max, false, n.wants(1));
  n.out(0, result);
  if (n.wants(1))
    n.out(1, indices);
  return success(!n.failed());
}

} // namespace

Val hone::onnx::maxPool(NodeBuilder &n, Val x) {
  std::optional<Windows> windows = windowsOf(n, x);
  return windows ? pool(n, x, *windows, PoolKind::Max, false, false).first : x;
}

Val hone::onnx::averagePool(NodeBuilder &n, Val x) {
  std::optional<Windows> windows = windowsOf(n, x);
  if (!windows)
    return x;
  if (!isFloat(x.elem)) {
    n.fail("takes only floats");
    return x;
  }
  bool includePad = n.intAttr("count_include_pad") != 0;
  if (windows->runTotal.empty() || includePad)
    return pool(n, x, *windows, PoolKind::Average, includePad, false).first;
  // The number of padding elements in a window is known at run time.
  Val sums = pool(n, n.widened(x), *windows, PoolKind::Sum, false, false).first;
  if (n.failed())
    return x;
  Sizes own = n.dims(x);
  Val counts = n.compute(n.dims(sums), sums.elem, [&](ScalarBuilder &s) {
    Scalar zero = s.indexConstant(0), count = s.indexConstant(1);
    for (int64_t i = 0; i < x.rank() - 2; ++i) {
      Scalar step = s.indexConstant(windows->dilations[i]);
      Scalar start = s.index(2 + i) * s.indexConstant(windows->strides[i]) -
                     s.size(windows->runLow[i]);
      // Steps before the first element and up to the last one.
      Scalar first = ceilDiv(max(zero - start, zero), step);
      Scalar end = min(ceilDiv(s.size(own[2 + i]) - start, step),
                       s.indexConstant(windows->kernel[i]));
      count = count * max(end - first, zero);
    }
    return s.cast(count, sums.elem);
  });
  return n.map({sums, counts}, x.elem,
               [](ArrayRef<Scalar> v) { return v[0] / v[1]; });
}

namespace {

LogicalResult importAveragePool(NodeBuilder &n) {
  Val result = averagePool(n, n.in(0));
  return n.failed() ? failure() : n.out(result);
}

/// The exponent of a norm; in the first operator set it is a float.
double normPower(NodeBuilder &n) {
  return n.opset < 2 ? n.floatAttr("p", 2) : n.intAttr("p", 2);
}

/// |x|^p in the widened type, and the root after the sum.
Val power(NodeBuilder &n, Val x, double p) {
  return n.map(n.widened(x), [&](Scalar v) {
    Scalar size = abs(v);
    return p == 1   ? size
           : p == 2 ? v * v
                    : pow(size, size.builder->like(size, p));
  });
}

Val root(NodeBuilder &n, Val x, double p, ElementType elem) {
  return n.map(x, elem, [&](Scalar v) {
    return p == 1 ? v : p == 2 ? sqrt(v) : pow(v, v.builder->like(v, 1 / p));
  });
}

LogicalResult importLpPool(NodeBuilder &n) {
  std::optional<Windows> windows = windowsOf(n, n.in(0));
  if (!windows)
    return failure();
  double p = normPower(n);
  Val sums =
      pool(n, power(n, n.in(0), p), *windows, PoolKind::Sum, false, false)
          .first;
  return n.out(n.failed() ? sums : root(n, sums, p, n.in(0).elem));
}

LogicalResult importGlobalAverage(NodeBuilder &n) {
  if (n.in(0).rank() < 2)
    return n.error("takes a tensor of at least 2 dimensions");
  return n.out(n.mean(n.in(0), spatialAxes(n.in(0)), /*keepdims=*/true));
}

LogicalResult importGlobalMax(NodeBuilder &n) {
  if (n.in(0).rank() < 2)
    return n.error("takes a tensor of at least 2 dimensions");
  return n.out(n.reduce(ReduceKind::Max, n.in(0), spatialAxes(n.in(0)),
                        /*keepdims=*/true));
}

LogicalResult importGlobalLp(NodeBuilder &n) {
  if (n.in(0).rank() < 2)
    return n.error("takes a tensor of at least 2 dimensions");
  double p = normPower(n);
  return n.out(root(
      n, n.sum(power(n, n.in(0), p), spatialAxes(n.in(0)), /*keepdims=*/true),
      p, n.in(0).elem));
}

/// Puts each element where its index says, everything else 0.
LogicalResult importMaxUnpool(NodeBuilder &n) {
  Val x = n.in(0), indices = n.in(1);
  if (x.rank() < 3 || indices.rank() != x.rank() ||
      indices.elem != ElementType::Int64)
    return n.error(
        "takes a tensor of at least 3 dimensions and indices of its shape");
  std::optional<Ints> kernel = n.intsAttr("kernel_shape");
  std::optional<Windows> w =
      Windows::parse(n, x, kernel, /*resolvesAutoPad=*/false);
  if (!w)
    return n.error("lacks the attribute 'kernel_shape'");
  Sizes natural{n.dim(x, 0), n.dim(x, 1)};
  int64_t spatial = x.rank() - 2;
  for (int64_t i = 0; i < spatial; ++i)
    natural.push_back(n.add(n.mul(n.add(n.dim(x, 2 + i), -1), w->strides[i]),
                            w->kernel[i] - w->pads[i] - w->pads[spatial + i]));
  Sizes sizes = natural;
  if (n.has(2)) {
    std::optional<Sizes> wanted = n.elements(n.in(2), x.rank());
    if (!wanted || wanted->size() != natural.size())
      return n.error("has an output_shape of another length than its input's");
    sizes = *wanted;
  }
  // Indices count in a tensor of the natural sizes: a larger one holds it in
  // its first corner.
  Sizes flat{n.product(natural)}, updates{n.product(n.dims(x))};
  Val zeros = n.filled(x.elem, flat, 0);
  Val places = n.reshape(
      n.withDims(indices, n.dims(x), "the sizes of input and indices"),
      updates);
  Val values = n.reshape(x, updates);
  Val scattered{graph::ScatterOp::create(n.b, n.loc, zeros.type(), zeros.value,
                                         places.value, values.value,
                                         graph::ScatterKind::Assign,
                                         n.b.getI64IntegerAttr(0)),
                x.elem};
  Val result = n.reshape(scattered, natural);
  for (auto [own, size] : llvm::zip(natural, sizes))
    n.require(ge(n.host().size(size), n.host().size(own)),
              "the output shape holds all that is unpooled");
  bool same = llvm::all_of(llvm::zip(natural, sizes), [&](auto pair) {
    return n.same(std::get<0>(pair), std::get<1>(pair));
  });
  if (same)
    return n.out(result);
  return n.out(n.move(sizes, x.elem, [&](ScalarBuilder &s) {
    SmallVector<Scalar> at;
    Scalar inside = s.boolean(true);
    for (auto [i, own] : llvm::enumerate(natural)) {
      Scalar fits = lt(s.index(i), s.size(own));
      inside = bitAnd(inside, fits);
      at.push_back(select(fits, s.index(i), s.indexConstant(0)));
    }
    Scalar value = s.wrap(s.extract(result.value, at));
    return select(inside, value, s.like(value, 0)).value;
  }));
}

} // namespace

void hone::onnx::addPooling(OpTable &table) {
  table.add("MaxPool", importMaxPool, 1);
  table.add("AveragePool", importAveragePool, 1);
  table.add("LpPool", importLpPool, 1);
  table.add("GlobalAveragePool", importGlobalAverage, 1);
  table.add("GlobalMaxPool", importGlobalMax, 1);
  table.add("GlobalLpPool", importGlobalLp, 1);
  table.add("MaxUnpool", importMaxUnpool, 2, 3);
}
