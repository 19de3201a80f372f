// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Images read at positions between their elements: grids, regions of interest,
// deformed convolutions.
#include "compiler/Import/Onnx/Builder/OpTable.h"
#include "compiler/Import/Onnx/Operators/Windows.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace hone::onnx;

namespace {

bool isPlainFloat(Val v) { return isFloat(v.elem) && !isSmallFloat(v.elem); }

/// How a coordinate outside the image is read.
enum class Outside { Zeros, Border, Reflection };

/// One spatial dimension of the image while an element is computed.
struct Line {
  Scalar size;      ///< index
  Scalar low, high; ///< where reflection turns, float
};

Scalar reflect(const Scalar &x, const Line &line) {
  ScalarBuilder &s = *x.builder;
  Scalar range = line.high - line.low;
  Scalar safe = select(gt(range, 0), range, s.like(range, 1));
  Scalar distance = abs(x - line.low);
  Scalar turns = floor(distance / safe), rest = distance - turns * safe;
  Scalar odd = ne(turns - floor(turns * 0.5) * 2.0, 0);
  Scalar folded = select(odd, line.high - rest, line.low + rest);
  return select(gt(range, 0), folded, s.like(x, 0));
}

/// Element at integral coordinates (floats), by the rule for positions outside.
Scalar pixelAt(ScalarBuilder &s, Val x, Scalar batch, Scalar channel,
               ArrayRef<Scalar> at, ArrayRef<Line> lines, Outside outside) {
  SmallVector<Scalar> indices{batch, channel};
  Scalar inside = s.boolean(true);
  for (auto [coordinate, line] : llvm::zip(at, lines)) {
    Scalar place = coordinate;
    if (outside == Outside::Reflection)
      place = select(bitOr(lt(place, line.low), gt(place, line.high)),
                     trunc(reflect(place, line)), place);
    Scalar i = s.toIndex(place), last = line.size - 1,
           zero = s.indexConstant(0);
    if (outside == Outside::Zeros)
      inside = bitAnd(inside, bitAnd(ge(i, zero), le(i, last)));
    indices.push_back(max(min(i, last), zero));
  }
  Scalar value = s.element(x.value, x.elem, indices);
  return outside == Outside::Zeros ? select(inside, value, s.like(value, 0))
                                   : value;
}

/// Weights of the neighbours -1, 0, 1, 2 of a position with fraction `t`.
SmallVector<Scalar> cubicWeights(const Scalar &t) {
  const double a = -0.75;
  auto near = [&](const Scalar &d) {
    return ((a + 2) * d - (a + 3)) * d * d + 1.0;
  };
  auto far = [&](const Scalar &d) {
    return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
  };
  return {far(t + 1.0), near(t), near(1.0 - t), far(2.0 - t)};
}

/// Weighted sum over all combinations of the neighbours of each dimension.
Scalar interpolate(ScalarBuilder &s, Val x, Scalar batch, Scalar channel,
                   ArrayRef<Scalar> places, ArrayRef<Line> lines,
                   Outside outside, bool cubic) {
  SmallVector<SmallVector<std::pair<Scalar, Scalar>>>
      taps; // coordinate and weight, by dimension
  for (const Scalar &place : places) {
    Scalar base = floor(place), t = place - base;
    auto &own = taps.emplace_back();
    if (cubic) {
      for (auto [i, weight] : llvm::enumerate(cubicWeights(t)))
        own.emplace_back(base + (static_cast<double>(i) - 1), weight);
    } else {
      own.emplace_back(base, 1.0 - t);
      own.emplace_back(base + 1.0, t);
    }
  }
  Scalar total;
  SmallVector<size_t> which(places.size(), 0);
  while (true) {
    SmallVector<Scalar> at;
    Scalar weight;
    for (auto [d, i] : llvm::enumerate(which)) {
      at.push_back(taps[d][i].first);
      weight = d == 0 ? taps[d][i].second : weight * taps[d][i].second;
    }
    Scalar term = pixelAt(s, x, batch, channel, at, lines, outside);
    term = s.toFloat(term, weight.type()) * weight;
    total = total.builder ? total + term : term;
    size_t d = 0;
    while (d < which.size() && ++which[d] == taps[d].size())
      which[d++] = 0;
    if (d == which.size())
      return total;
  }
}

LogicalResult importGridSample(NodeBuilder &n) {
  Val x = n.in(0), grid = n.in(1);
  int64_t spatial = x.rank() - 2;
  if (spatial < 1 || spatial > 3 || grid.rank() != x.rank() ||
      !isPlainFloat(grid) || !x.type().getElementType().isIntOrFloat())
    return n.error("takes an image of 1 to 3 spatial dimensions and a grid of "
                   "as many coordinates");
  std::string mode =
      n.stringAttr("mode", n.opset < 20 ? "bilinear" : "linear").str();
  if (mode == "bilinear")
    mode = "linear";
  if (mode == "bicubic")
    mode = "cubic";
  if (mode != "nearest" && mode != "linear" && mode != "cubic")
    return n.error("has a mode that ONNX does not define: '" + mode + "'");
  StringRef padding = n.stringAttr("padding_mode", "zeros");
  Outside outside = padding == "border"       ? Outside::Border
                    : padding == "reflection" ? Outside::Reflection
                                              : Outside::Zeros;
  if (outside == Outside::Zeros && padding != "zeros")
    return n.error("has a padding_mode that ONNX does not define: '" + padding +
                   "'");
  bool corners = n.intAttr("align_corners");
  Sizes own = n.dims(x), sizes{own[0], own[1]}, gridSizes = n.dims(grid);
  gridSizes[0] = own[0];
  gridSizes.back() = n.index(spatial);
  grid = n.withDims(grid, gridSizes, "the batches of image and grid");
  sizes.append(gridSizes.begin() + 1, gridSizes.end() - 1);
  n.requireSource(ArrayRef(own).drop_front(2), sizes);
  if (n.failed())
    return failure();
  return n.out(n.compute(sizes, x.elem, [&](ScalarBuilder &s) {
    mlir::Type type =
        grid.elem == ElementType::Double || x.elem == ElementType::Double
            ? mlir::Type(s.builder.getF64Type())
            : mlir::Type(s.builder.getF32Type());
    SmallVector<Scalar> at{s.index(0)};
    for (int64_t i = 0; i < spatial; ++i)
      at.push_back(s.index(2 + i));
    at.push_back({});
    SmallVector<Scalar> places;
    SmallVector<Line> lines;
    for (int64_t i = 0; i < spatial; ++i) {
      // The grid names the last dimension first.
      at.back() = s.indexConstant(spatial - 1 - i);
      Scalar g = s.toFloat(s.element(grid.value, grid.elem, at), type);
      Line line{s.size(own[2 + i]), s.constant(type, corners ? 0 : -0.5), {}};
      Scalar size = s.toFloat(line.size, type);
      line.high = size - (corners ? 1.0 : 0.5);
      Scalar place = corners ? (g + 1.0) * 0.5 * (size - 1.0)
                             : ((g + 1.0) * size - 1.0) * 0.5;
      if (mode == "nearest")
        place = roundEven(place);
      Scalar beyond = bitOr(lt(place, line.low), gt(place, line.high));
      if (outside == Outside::Border)
        place =
            select(beyond, clampTo(place, s.like(place, 0), size - 1.0), place);
      else if (outside == Outside::Reflection)
        place = select(beyond, reflect(place, line), place);
      places.push_back(place);
      lines.push_back(line);
    }
    Scalar value =
        mode == "nearest"
            ? pixelAt(s, x, s.index(0), s.index(1), places, lines, outside)
            : interpolate(s, x, s.index(0), s.index(1), places, lines, outside,
                          mode == "cubic");
    return s.cast(value, x.elem);
  }));
}

LogicalResult importAffineGrid(NodeBuilder &n) {
  Val theta = n.in(0);
  std::optional<Sizes> size = n.elements(n.in(1));
  if (!size)
    return failure();
  int64_t spatial = static_cast<int64_t>(size->size()) - 2;
  if ((spatial != 2 && spatial != 3) || theta.rank() != 3 ||
      !isPlainFloat(theta))
    return n.error("takes matrices and a size of 4 or 5 numbers");
  Sizes matrix{(*size)[0], n.index(spatial), n.index(spatial + 1)};
  theta = n.withDims(theta, matrix, "the sizes of the matrices");
  if (n.failed())
    return failure();
  bool corners = n.intAttr("align_corners");
  Sizes sizes{(*size)[0]};
  sizes.append(size->begin() + 2, size->end());
  sizes.push_back(n.index(spatial));
  return n.out(n.compute(sizes, theta.elem, [&](ScalarBuilder &s) {
    mlir::Type type = computeType(s.builder.getContext(), theta.elem);
    Scalar batch = s.index(0), row = s.index(1 + spatial);
    Scalar total = s.element(theta.value, theta.elem,
                             {batch, row, s.indexConstant(spatial)});
    for (int64_t i = 0; i < spatial; ++i) {
      // Coordinate i of the matrix is the dimension counted from the last.
      int64_t dimension = spatial - 1 - i;
      Scalar at = s.toFloat(s.index(1 + dimension), type),
             length = s.toFloat(s.size(sizes[1 + dimension]), type);
      Scalar coordinate =
          corners ? at * 2.0 / max(length - 1.0, s.like(length, 1)) - 1.0
                  : (at * 2.0 + 1.0) / length - 1.0;
      total = total + s.element(theta.value, theta.elem,
                                {batch, row, s.indexConstant(i)}) *
                          coordinate;
    }
    return total;
  }));
}

/// Samples [first, end) along one dimension.
struct Samples {
  Scalar first, end;
};

/// A sum or maximum over a rectangle of samples whose size depends on data.
Scalar overSamples(
    ScalarBuilder &s, const Samples &rows, const Samples &columns,
    const Scalar &initial,
    function_ref<Scalar(ScalarBuilder &, Scalar, Scalar, Scalar)> step) {
  Value one = s.indexConstant(1).value;
  auto outer = scf::ForOp::create(s.builder, s.loc, rows.first.value,
                                  rows.end.value, one, initial.value);
  OpBuilder outerBody = OpBuilder::atBlockBegin(outer.getBody());
  auto inner =
      scf::ForOp::create(outerBody, s.loc, columns.first.value,
                         columns.end.value, one, outer.getRegionIterArgs());
  scf::YieldOp::create(outerBody, s.loc, inner.getResults());
  OpBuilder body = OpBuilder::atBlockBegin(inner.getBody());
  ScalarBuilder b(body, s.loc);
  Scalar next =
      step(b, b.wrap(outer.getInductionVar()), b.wrap(inner.getInductionVar()),
           b.wrap(inner.getRegionIterArg(0)));
  scf::YieldOp::create(body, s.loc, next.value);
  if (b.failed())
    s.fail(initial, b.problem);
  return s.wrap(outer.getResult(0));
}

LogicalResult importRoiAlign(NodeBuilder &n) {
  Val x = n.in(0), rois = n.in(1), batches = n.in(2);
  if (x.rank() != 4 || rois.rank() != 2 || batches.rank() != 1 ||
      !isPlainFloat(x) || rois.elem != x.elem || !isInteger(batches.elem))
    return n.error(
        "takes an image of 4 dimensions, regions, and the batch of each");
  StringRef mode = n.stringAttr("mode", "avg");
  if (mode != "avg" && mode != "max")
    return n.error("has a mode that ONNX does not define: '" + mode + "'");
  bool half = n.stringAttr("coordinate_transformation_mode",
                           n.opset < 16 ? "output_half_pixel" : "half_pixel") ==
              "half_pixel";
  int64_t height = n.intAttr("output_height", 1),
          width = n.intAttr("output_width", 1);
  int64_t ratio = n.intAttr("sampling_ratio", 0);
  double spatialScale = n.floatAttr("spatial_scale", 1);
  if (height < 1 || width < 1 || height > INT32_MAX || width > INT32_MAX ||
      ratio < 0 || ratio > 4096)
    return n.error(
        "has output sizes or a sampling_ratio that are out of range");
  Sizes own = n.dims(x), roiSizes{n.dim(batches, 0), n.index(4)};
  rois = n.withDims(rois, roiSizes, "the sizes of regions and batch indices");
  if (n.failed())
    return failure();
  Sizes sizes{roiSizes[0], own[1], n.index(height), n.index(width)};
  n.requireSource(own, sizes);
  return n.out(n.compute(sizes, x.elem, [&](ScalarBuilder &s) {
    mlir::Type type = computeType(s.builder.getContext(), x.elem);
    Scalar region = s.index(0), channel = s.index(1);
    Scalar batch = s.checkedIndex(
        s.element(batches.value, batches.elem, {region}), own[0]);
    auto edge = [&](int64_t i) {
      return s.element(rois.value, rois.elem, {region, s.indexConstant(i)}) *
                 spatialScale -
             (half ? 0.5 : 0.0);
    };
    Scalar left = edge(0), top = edge(1), regionWidth = edge(2) - left,
           regionHeight = edge(3) - top;
    if (!half) {
      // Regions without extent count as one element.
      regionWidth = max(regionWidth, s.like(left, 1));
      regionHeight = max(regionHeight, s.like(left, 1));
    }
    Scalar binHeight = regionHeight / static_cast<double>(height),
           binWidth = regionWidth / static_cast<double>(width);
    auto samples = [&](const Scalar &bin) {
      if (ratio > 0)
        return s.indexConstant(ratio);
      return clampTo(s.toIndex(ceil(bin)), s.indexConstant(0),
                     s.indexConstant(INT32_MAX));
    };
    Scalar rows = samples(binHeight), columns = samples(binWidth);
    Scalar startY = top + s.toFloat(s.index(2), type) * binHeight,
           startX = left + s.toFloat(s.index(3), type) * binWidth;
    Scalar stepY = binHeight / s.toFloat(rows, type),
           stepX = binWidth / s.toFloat(columns, type);
    // The number of samples of a large region is unlimited, but those outside
    // the image count as 0: only those that may be inside are taken, with two
    // more on each side to allow for rounding.
    Scalar all = s.boolean(true);
    auto inside = [&](const Scalar &count, const Scalar &start,
                      const Scalar &by, Size size) -> Samples {
      Scalar zero = s.indexConstant(0);
      if (ratio > 0)
        return {zero, count};
      Scalar low = (-1.0 - start) / by - 2.5,
             high = (s.toFloat(s.size(size), type) - start) / by + 1.5;
      Scalar first = clampTo(s.toIndex(floor(low)), zero, count);
      Scalar end = clampTo(s.toIndex(ceil(high)), first, count);
      all = bitAnd(all, bitAnd(eq(first, 0), eq(end, count)));
      return {first, end};
    };
    Samples takenRows = inside(rows, startY, stepY, own[2]),
            takenColumns = inside(columns, startX, stepX, own[3]);
    Scalar initial = s.constant(type, 0);
    if (mode == "max")
      initial = select(all, s.constant(type, -INFINITY), initial);
    Scalar total = overSamples(
        s, takenRows, takenColumns, initial,
        [&](ScalarBuilder &b, Scalar iy, Scalar ix, Scalar sum) {
          auto here = [&](const Scalar &v) { return b.wrap(v.value); };
          Scalar y = here(startY) + (b.toFloat(iy, type) + 0.5) * here(stepY);
          Scalar xx = here(startX) + (b.toFloat(ix, type) + 0.5) * here(stepX);
          Scalar h = b.size(own[2]), w = b.size(own[3]);
          Scalar fh = b.toFloat(h, type), fw = b.toFloat(w, type);
          Scalar beyond =
              bitOr(bitOr(lt(y, -1), gt(y, fh)), bitOr(lt(xx, -1), gt(xx, fw)));
          auto neighbours = [&](Scalar at, Scalar size, Scalar &low,
                                Scalar &high, Scalar &t) {
            at = max(at, b.like(at, 0));
            Scalar last = size - 1, first = b.toIndex(at);
            Scalar atEnd = ge(first, last);
            low = max(select(atEnd, last, first), b.indexConstant(0));
            high = max(select(atEnd, last, first + 1), b.indexConstant(0));
            t = select(atEnd, b.like(at, 0), at - b.toFloat(first, type));
          };
          Scalar y0, y1, ty, x0, x1, tx;
          neighbours(select(beyond, b.like(y, 0), y), h, y0, y1, ty);
          neighbours(select(beyond, b.like(xx, 0), xx), w, x0, x1, tx);
          auto corner = [&](const Scalar &cy, const Scalar &cx,
                            const Scalar &weight) {
            return b.element(x.value, x.elem,
                             {here(batch), here(channel), cy, cx}) *
                   weight;
          };
          Scalar hy = 1.0 - ty, hx = 1.0 - tx;
          Scalar a = corner(y0, x0, hy * hx), c = corner(y0, x1, hy * tx);
          Scalar d = corner(y1, x0, ty * hx), e = corner(y1, x1, ty * tx);
          Scalar none = b.like(sum, 0);
          if (mode == "max")
            return max(sum, select(beyond, none, max(max(a, c), max(d, e))));
          return sum + select(beyond, none, a + c + d + e);
        });
    if (mode == "max")
      return select(eq(total, -INFINITY), s.like(total, 0), total);
    Scalar count = max(rows * columns, s.indexConstant(1));
    return total / s.toFloat(count, type);
  }));
}

LogicalResult importMaxRoiPool(NodeBuilder &n) {
  Val x = n.in(0), rois = n.in(1);
  std::optional<Ints> shape = n.intsAttr("pooled_shape");
  if (x.rank() != 4 || rois.rank() != 2 || !isPlainFloat(x) ||
      rois.elem != x.elem || !shape || shape->size() != 2 || (*shape)[0] < 1 ||
      (*shape)[1] < 1)
    return n.error("takes an image of 4 dimensions, regions, and a "
                   "pooled_shape of two sizes");
  double scale = n.floatAttr("spatial_scale", 1);
  Sizes own = n.dims(x), roiSizes = n.dims(rois);
  rois =
      n.withDims(rois, {roiSizes[0], n.index(5)}, "the sizes of the regions");
  if (n.failed())
    return failure();
  Sizes sizes{roiSizes[0], own[1], n.index((*shape)[0]), n.index((*shape)[1])};
  return n.out(n.compute(sizes, x.elem, [&](ScalarBuilder &s) {
    mlir::Type type = computeType(s.builder.getContext(), x.elem);
    Scalar region = s.index(0), channel = s.index(1);
    auto number = [&](int64_t i) {
      return s.element(rois.value, rois.elem, {region, s.indexConstant(i)});
    };
    Scalar batch = s.checkedIndex(s.toIndex(number(0)), own[0]);
    // First and last element of the bin along one dimension.
    auto range = [&](int64_t low, int64_t high, int64_t axis, Scalar &from,
                     Scalar &to) {
      auto rounded = [&](int64_t i) { return floor(number(i) * scale + 0.5); };
      Scalar start = rounded(low), one = s.constant(type, 1);
      Scalar bin = max(rounded(high) - start + 1.0, one) /
                   static_cast<double>((*shape)[axis - 2]);
      Scalar at = s.toFloat(s.index(axis), type), zero = s.indexConstant(0),
             size = s.size(own[axis]);
      from = clampTo(s.toIndex(floor(at * bin) + start), zero, size);
      to = clampTo(s.toIndex(ceil((at + 1.0) * bin) + start), zero, size);
    };
    Scalar top, bottom, left, right;
    range(2, 4, 2, top, bottom);
    range(1, 3, 3, left, right);
    Scalar best = overSamples(
        s, {top, bottom}, {left, right}, s.constant(type, -INFINITY),
        [&](ScalarBuilder &b, Scalar y, Scalar xx, Scalar so_far) {
          return max(so_far, b.element(x.value, x.elem,
                                       {b.wrap(batch.value),
                                        b.wrap(channel.value), y, xx}));
        });
    return select(eq(best, -INFINITY), s.like(best, 0), best);
  }));
}

/// Reads the deformed image into columns, and multiplies those by the weights.
LogicalResult importDeformConv(NodeBuilder &n) {
  Val x = n.in(0), w = n.in(1), offset = n.in(2), mask = n.in(4);
  if (x.rank() != 4 || w.rank() != 4 || offset.rank() != 4 ||
      !isPlainFloat(x) || w.elem != x.elem || offset.elem != x.elem)
    return n.error("takes an image, weights and offsets of 4 dimensions");
  std::optional<Windows> windows =
      Windows::parse(n, x, kernelOf(n, w), /*resolvesAutoPad=*/false);
  if (!windows)
    return failure();
  int64_t groups = n.intAttr("offset_group", 1);
  if (groups < 1 || groups > INT32_MAX)
    return n.error("has an offset_group that is out of range");
  Sizes own = n.dims(x), weightSizes = n.dims(w);
  // A channel of the weights is one of each group of the input.
  own[1] = n.mul(weightSizes[1], windows->group);
  x = n.withDims(x, own, "the channels of input and weights");
  requireMultiple(n, own[1], groups, "channels");
  requireMultiple(n, weightSizes[0], windows->group, "output channels");
  if (n.failed())
    return failure();
  int64_t taps = windows->kernel[0] * windows->kernel[1],
          columns = windows->kernel[1];
  Size rows = windows->outputSize(n, own[2], 0, false),
       cols = windows->outputSize(n, own[3], 1, false);
  offset = n.withDims(offset, {own[0], n.index(groups * taps * 2), rows, cols},
                      "the sizes of the offsets");
  if (n.has(4)) {
    if (mask.rank() != 4 || mask.elem != x.elem)
      return n.error("has a mask that does not fit its input");
    mask = n.withDims(mask, {own[0], n.index(groups * taps), rows, cols},
                      "the sizes of the mask");
  }
  if (n.failed())
    return failure();
  n.requireSource(ArrayRef(own).drop_front(2), {own[0], rows, cols});
  Size perGroup = weightSizes[1],
       perOffset = n.floorDiv(own[1], n.index(groups));
  ElementType wide = widenedType(x.elem);
  Columns windowed{
      own[0], wide, perGroup, n.sizes(windows->kernel), {rows, cols}};
  auto element = [&](ScalarBuilder &s) {
    mlir::Type type = computeType(s.builder.getContext(), x.elem);
    Scalar batch = s.index(0),
           channel = s.index(1) * s.size(perGroup) + s.index(2);
    Scalar tap[] = {s.index(3), s.index(4)},
           position[] = {s.index(5), s.index(6)};
    Scalar group = floorDiv(channel, s.size(perOffset));
    Scalar entry = group * s.indexConstant(taps) +
                   tap[0] * s.indexConstant(columns) + tap[1];
    SmallVector<Scalar> at;
    SmallVector<Line> lines;
    for (int64_t i = 0; i < 2; ++i) {
      Scalar base = position[i] * s.indexConstant(windows->strides[i]) -
                    s.indexConstant(windows->pads[i]) +
                    tap[i] * s.indexConstant(windows->dilations[i]);
      Scalar moved = s.element(
          offset.value, x.elem,
          {batch, entry * 2 + s.indexConstant(i), position[0], position[1]});
      at.push_back(s.toFloat(base, type) + moved);
      lines.push_back({s.size(own[2 + i]), {}, {}});
    }
    Scalar value = interpolate(s, x, batch, channel, at, lines, Outside::Zeros,
                               /*cubic=*/false);
    return n.has(4)
               ? value * s.element(mask.value, x.elem,
                                   {batch, entry, position[0], position[1]})
               : value;
  };
  Val y = productOfColumns(n, weightsOfGroups(n, n.widened(w), windows->group),
                           windowed, element);
  if (n.failed())
    return failure();
  return n.out(addChannelBias(n, y, n.in(3), x.elem));
}

} // namespace

void hone::onnx::addSampling(OpTable &table) {
  table.add("GridSample", importGridSample, 2);
  table.add("AffineGrid", importAffineGrid, 2);
  table.add("RoiAlign", importRoiAlign, 3);
  table.add("MaxRoiPool", importMaxRoiPool, 2);
  table.add("DeformConv", importDeformConv, 3, 5);
}
