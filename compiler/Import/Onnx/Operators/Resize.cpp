// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Resize and Upsample: one pass per resized axis, each a weighted sum of a few
// gathered neighbours. Positions and weights are small tensors that constant
// folding computes if the sizes are known.
#include "compiler/Import/Onnx/Builder/OpTable.h"

#include "mlir/IR/Matchers.h"

#include <cmath>

using namespace mlir;
using namespace hone::onnx;

namespace {

struct ResizeAxis {
  int64_t axis;
  Size from, to;
  std::optional<float> scale; ///< as given by the model; otherwise to / from
  Val roi;                    ///< the region of interest, if it is used
  int64_t roiStart, roiEnd;   ///< positions in `roi`
  Val scales = {};            ///< if the scale is only known at run time
  int64_t scaleAt = 0;
};

struct Resizer {
  NodeBuilder &n;
  StringRef mode, coordinates, nearest;
  float cubic, extrapolation;
  bool excludeOutside, antialias;
  bool legacyNearest = false; ///< opset 10: rounds down, up where it shrinks

  Scalar scaleOf(ScalarBuilder &s, const ResizeAxis &a) const {
    mlir::Type f32 = n.b.getF32Type();
    if (a.scale)
      return s.constant(f32, *a.scale);
    if (a.scales)
      return s.element(a.scales.value, a.scales.elem,
                       {s.indexConstant(a.scaleAt)});
    return s.toFloat(s.size(a.to), f32) / s.toFloat(s.size(a.from), f32);
  }

  /// The fractional position in the input of index `s.index(0)` of the result.
  Scalar source(ScalarBuilder &s, const ResizeAxis &a) const {
    mlir::Type f32 = n.b.getF32Type();
    Scalar x = s.toFloat(s.index(0), f32), scale = scaleOf(s, a);
    Scalar from = s.toFloat(s.size(a.from), f32);
    Scalar to = s.toFloat(s.size(a.to), f32);
    Scalar halfPixel = (x + 0.5) / scale - 0.5;
    if (coordinates == "align_corners") {
      // A scale yields a size that need not be an integer.
      Scalar size = a.scale || a.scales ? from * scale : to;
      return select(le(size, 1), s.like(x, 0),
                    x * (from - 1.0) / max(size - 1.0, s.like(x, 1)));
    }
    if (coordinates == "asymmetric")
      return x / scale;
    if (coordinates == "pytorch_half_pixel")
      return select(le(to, 1), s.like(x, 0), halfPixel);
    if (coordinates == "tf_half_pixel_for_nn")
      return (x + 0.5) / scale;
    if (coordinates == "half_pixel_symmetric") {
      Scalar adjustment = to / (scale * from);
      return from / 2.0 * (1.0 - adjustment) + halfPixel;
    }
    if (coordinates == "tf_crop_and_resize") {
      auto edge = [&](int64_t i) {
        return s.toFloat(
            s.element(a.roi.value, a.roi.elem, {s.indexConstant(i)}), f32);
      };
      Scalar start = edge(a.roiStart), end = edge(a.roiEnd);
      Scalar last = from - 1.0;
      return select(le(to, 1), 0.5 * (start + end) * last,
                    start * last +
                        x * (end - start) * last / max(to - 1.0, s.like(x, 1)));
    }
    return halfPixel;
  }

  /// An input index inside the axis.
  Scalar inside(ScalarBuilder &s, Scalar i, const ResizeAxis &a) const {
    Scalar last = s.size(a.from) - s.indexConstant(1);
    return max(min(i, last), s.indexConstant(0));
  }

  /// Index tensor of one tap: `place` gives the float position.
  Val indices(const ResizeAxis &a,
              function_ref<Scalar(ScalarBuilder &)> place) const {
    return n.compute({a.to}, ElementType::Int64, [&](ScalarBuilder &s) {
      return s.cast(inside(s, s.toIndex(place(s)), a), ElementType::Int64);
    });
  }

  Val gatherTap(Val x, const ResizeAxis &a, Val at) const {
    return n.gather(x, at, a.axis);
  }

  /// A vector along the axis, ready to broadcast.
  Val alongAxis(Val vector, Val x, const ResizeAxis &a) const {
    Sizes dims(x.rank(), n.index(1));
    dims[a.axis] = a.to;
    return n.reshape(vector, dims);
  }

  Val nearestPass(Val x, const ResizeAxis &a) const {
    return gatherTap(x, a, indices(a, [&](ScalarBuilder &s) {
                       Scalar at = source(s, a);
                       if (legacyNearest)
                         return select(lt(scaleOf(s, a), 1), ceil(at),
                                       floor(at));
                       if (nearest == "floor")
                         return floor(at);
                       if (nearest == "ceil")
                         return ceil(at);
                       if (nearest == "round_prefer_ceil")
                         return floor(at + 0.5);
                       return ceil(at - 0.5);
                     }));
  }

  /// How often each element is repeated along the axis, if that is all that the
  /// formula of `nearestPass` does, and not often.
  std::optional<int64_t> repeats(const ResizeAxis &a) const {
    std::optional<int64_t> from = n.known(a.from), to = n.known(a.to);
    int64_t times = 0;
    if (a.scale && *a.scale >= 1 && *a.scale <= 16)
      times = int64_t(*a.scale);
    else if (!a.scale && !a.scales && from && to && *from > 0)
      times = *to / *from;
    if (times < 2 || times > 16 || (a.scale && *a.scale != float(times)) ||
        !n.same(a.to, n.mul(a.from, n.index(times))))
      return std::nullopt;
    // Element i comes from the integer part of i / times: no position is as
    // close to a boundary as a rounding error.
    bool isWhole = legacyNearest || nearest == "floor"
                       ? coordinates == "asymmetric" ||
                             coordinates == "tf_half_pixel_for_nn"
                       : StringRef(nearest).starts_with("round_prefer") &&
                             (coordinates == "half_pixel" ||
                              coordinates == "pytorch_half_pixel" ||
                              coordinates == "half_pixel_symmetric");
    return isWhole ? std::optional<int64_t>(times) : std::nullopt;
  }

  /// Repeats elements along all axes at once, so often along each.
  Val repeatElements(Val x, ArrayRef<int64_t> times) const {
    Sizes dims = n.dims(x), single, wide, result(dims);
    for (auto [i, dim] : llvm::enumerate(dims)) {
      single.push_back(dim);
      wide.push_back(dim);
      if (times[i] == 1)
        continue;
      single.push_back(n.index(1));
      wide.push_back(n.index(times[i]));
      result[i] = n.mul(dim, n.index(times[i]));
    }
    return n.reshape(n.expand(n.reshape(x, single), wide), result);
  }

  /// The weight of a tap at distance `d` (in input elements).
  Scalar kernelWeight(Scalar d) const {
    ScalarBuilder &s = *d.builder;
    d = abs(d);
    if (mode == "linear")
      return max(1.0 - d, s.like(d, 0));
    double a = cubic;
    Scalar near = ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0;
    Scalar far = ((a * d - 5.0 * a) * d + 8.0 * a) * d - 4.0 * a;
    return select(le(d, 1), near, select(lt(d, 2), far, s.like(d, 0)));
  }

  /// The scale of an axis on the host.
  Scalar hostScale(const ResizeAxis &a) const {
    if (a.scales)
      return n.hostScalar(
          n.sliceAxis(a.scales, 0, n.index(a.scaleAt), n.index(1)));
    return scaleOf(n.host(), a);
  }

  /// The weight of the tap `tap` elements after the integer part of the
  /// position, before normalization.
  Scalar rawWeight(ScalarBuilder &s, const ResizeAxis &a, const Scalar &tap,
                   const Scalar &stretch) const {
    Scalar at = source(s, a), place = floor(at) + tap;
    Scalar weight = kernelWeight((place - at) * stretch);
    if (!excludeOutside)
      return weight;
    Scalar i = s.toIndex(place);
    Scalar outside = bitOr(lt(i, 0), ge(i, s.size(a.from)));
    return select(outside, s.like(weight, 0), weight);
  }

  double support() const { return mode == "linear" ? 1 : 2; }

  /// Antialiasing widens the kernel where the axis shrinks. For many taps, or a
  /// number only known at run time: they get a dimension of their own, which is
  /// summed up.
  Val widePass(Val x, const ResizeAxis &a) const {
    ScalarBuilder &host = n.host();
    mlir::Type f32 = n.b.getF32Type();
    Scalar one = host.constant(f32, 1), scale = hostScale(a);
    // Nothing is computed for an empty result.
    scale = select(eq(host.size(a.to), 0), one, min(scale, one));
    Size reach =
        n.toSize(host.toIndex(ceil(host.constant(f32, support()) / scale)));
    Sizes dims{a.to, n.mul(reach, 2)};
    auto tapOf = [&](ScalarBuilder &s) {
      return s.toFloat(s.index(1) + s.indexConstant(1) - s.size(reach), f32);
    };
    Val at = n.compute(dims, ElementType::Int64, [&](ScalarBuilder &s) {
      Scalar place = floor(source(s, a)) + tapOf(s);
      return s.cast(inside(s, s.toIndex(place), a), ElementType::Int64);
    });
    Val raw = n.compute(dims, ElementType::Float, [&](ScalarBuilder &s) {
      Scalar stretch = min(scaleOf(s, a), s.constant(f32, 1));
      return rawWeight(s, a, tapOf(s), stretch);
    });
    Val weight = n.map({raw, n.sum(raw, {1}, /*keepdims=*/true)}, raw.elem,
                       [](ArrayRef<Scalar> v) { return v[0] / v[1]; });
    Sizes along(x.rank() + 1, n.index(1));
    along[a.axis] = dims[0];
    along[a.axis + 1] = dims[1];
    Val terms = n.map({n.gather(x, at, a.axis), n.reshape(weight, along)},
                      x.elem, [](ArrayRef<Scalar> v) {
                        return v[0] * v[0].builder->toFloat(v[1], v[0].type());
                      });
    return n.failed() ? x : n.sum(terms, {a.axis + 1}, /*keepdims=*/false);
  }

  /// A weighted sum of the neighbours.
  Val filteredPass(Val x, const ResizeAxis &a) const {
    constexpr int64_t kMostReach = 8; // worth a term per tap
    double stretch = 1;
    if (antialias) {
      std::optional<float> scale = a.scale;
      if (!scale && !a.scales && n.known(a.to) && n.known(a.from) &&
          *n.known(a.from) > 0)
        scale = static_cast<float>(*n.known(a.to)) / *n.known(a.from);
      if (!scale || (*scale > 0 && support() / *scale > kMostReach))
        return widePass(x, a);
      // Nothing is computed for an empty result.
      if (*scale > 0)
        stretch = std::min(1.0, static_cast<double>(*scale));
    }
    int64_t reach = static_cast<int64_t>(std::ceil(support() / stretch));
    auto rawWeight = [&](ScalarBuilder &s, int64_t tap) {
      mlir::Type f32 = n.b.getF32Type();
      return this->rawWeight(s, a, s.constant(f32, tap),
                             s.constant(f32, stretch));
    };
    bool normalize = excludeOutside || antialias;
    Val total;
    for (int64_t tap = 1 - reach; tap <= reach; ++tap) {
      Val at = indices(a, [&](ScalarBuilder &s) {
        return floor(source(s, a)) + static_cast<double>(tap);
      });
      Val weight = n.compute({a.to}, ElementType::Float, [&](ScalarBuilder &s) {
        Scalar own = rawWeight(s, tap);
        if (!normalize)
          return own;
        Scalar sum = s.like(own, 0);
        for (int64_t other = 1 - reach; other <= reach; ++other)
          sum = sum + rawWeight(s, other);
        return own / sum;
      });
      Val term = n.map({gatherTap(x, a, at), alongAxis(weight, x, a)}, x.elem,
                       [](ArrayRef<Scalar> v) {
                         return v[0] * v[0].builder->toFloat(v[1], v[0].type());
                       });
      total = total ? n.map({total, term}, x.elem,
                            [](ArrayRef<Scalar> v) { return v[0] + v[1]; })
                    : term;
    }
    return total;
  }

  /// tf_crop_and_resize: places outside the input get a fixed value.
  Val extrapolate(Val x, const ResizeAxis &a) const {
    Val outside = n.compute({a.to}, ElementType::Bool, [&](ScalarBuilder &s) {
      Scalar at = source(s, a);
      Scalar last = s.toFloat(s.size(a.from), n.b.getF32Type()) - 1.0;
      return bitOr(lt(at, 0), gt(at, last));
    });
    return n.map(
        {x, alongAxis(outside, x, a)}, x.elem, [&](ArrayRef<Scalar> v) {
          return select(v[1], v[0].builder->like(v[0], extrapolation), v[0]);
        });
  }

  LogicalResult run(Val x, ArrayRef<ResizeAxis> axes) const {
    if (mode != "nearest" && mode != "linear" && mode != "cubic")
      return n.error("has the unknown mode '" + mode + "'");
    ElementType elem = x.elem;
    if (!isFloat(elem) && !isInteger(elem))
      return n.error("resizes a tensor of " + elementTypeName(elem));
    Val result = x;
    if (mode != "nearest" && elem != ElementType::Double)
      result = n.cast(x, ElementType::Float);
    // Rows that grow do so before they are copied; those that shrink, after.
    auto shrinks = [&](const ResizeAxis &a) {
      std::optional<int64_t> from = n.known(a.from), to = n.known(a.to);
      return a.scale.value_or(1) < 1 || (from && to && *to < *from);
    };
    SmallVector<ResizeAxis> ordered(axes);
    if (mode == "nearest" && llvm::none_of(axes, shrinks))
      std::reverse(ordered.begin(), ordered.end());
    if (mode == "nearest") {
      SmallVector<int64_t> times(x.rank(), 1);
      llvm::erase_if(ordered, [&](const ResizeAxis &a) {
        std::optional<int64_t> repeated = repeats(a);
        times[a.axis] = repeated.value_or(1);
        return repeated.has_value();
      });
      if (ordered.size() < axes.size())
        result = repeatElements(result, times);
    }
    for (const ResizeAxis &a : ordered) {
      if (n.same(a.from, a.to) && !a.scales && a.scale.value_or(1) == 1 &&
          coordinates != "tf_crop_and_resize")
        continue;
      auto pass = [&] {
        return mode == "nearest" ? nearestPass(result, a)
                                 : filteredPass(result, a);
      };
      bool isKnown = n.known(a.from) && n.known(a.to);
      if (isKnown || a.scale || a.scales ||
          coordinates == "tf_crop_and_resize") {
        result = pass();
      } else {
        // The axis may turn out unchanged at run time.
        Sizes sizes = n.dims(result);
        sizes[a.axis] = a.to;
        Scalar stays = eq(n.host().size(a.from), n.host().size(a.to));
        result =
            n.choose(stays, result.elem, sizes, [&] { return result; }, pass);
      }
      if (n.failed())
        return failure();
    }
    if (coordinates == "tf_crop_and_resize")
      for (const ResizeAxis &a : axes)
        result = extrapolate(result, a);
    if (result.elem != elem && !isFloat(elem))
      result = n.map(result, [](Scalar v) { return roundEven(v); });
    return n.out(n.cast(result, elem));
  }
};

/// floor(size * scale), in float as the format defines it.
Size scaled(NodeBuilder &n, Size size, float scale) {
  if (std::optional<int64_t> known = n.known(size))
    return n.index(
        static_cast<int64_t>(std::floor(static_cast<float>(*known) * scale)));
  if (scale == std::floor(scale))
    return n.mul(size, static_cast<int64_t>(scale));
  ScalarBuilder s(n.b, n.loc);
  mlir::Type f32 = n.b.getF32Type();
  Scalar product = s.toFloat(s.wrap(n.value(size)), f32) * scale;
  return n.toSize(s.toIndex(floor(product)));
}

LogicalResult resizeByScales(NodeBuilder &n, Resizer &resizer, Val x,
                             ArrayRef<double> scales) {
  if (static_cast<int64_t>(scales.size()) != x.rank())
    return n.error("has " + Twine(scales.size()) + " scales for " +
                   Twine(x.rank()) + " dimensions");
  SmallVector<ResizeAxis> axes;
  for (int64_t i = 0; i < x.rank(); ++i) {
    float scale = scales[i];
    if (!(scale > 0) || scale > 65536)
      return n.error("has a scale that is not a positive number");
    Size from = n.dim(x, i);
    axes.push_back({i, from, scaled(n, from, scale), scale, {}, 0, 0});
  }
  return resizer.run(x, axes);
}

/// Scales only known at run time, one per axis.
LogicalResult resizeAtRun(NodeBuilder &n, Resizer &resizer, Val scales,
                          ArrayRef<int64_t> order, Val roi) {
  Val x = n.in(0);
  int64_t count = order.size();
  if (scales.elem != ElementType::Float || scales.rank() != 1 ||
      (scales.isStatic() && scales.shape()[0] != count))
    return n.error("takes one float scale for each of " + Twine(count) +
                   " dimensions");
  scales = n.withSize(scales, 0, n.index(count),
                      "the numbers of scales and dimensions");
  SmallVector<ResizeAxis> axes;
  for (int64_t i = 0; i < count; ++i) {
    Size from = n.dim(x, order[i]);
    Scalar scale = n.hostScalar(n.sliceAxis(scales, 0, n.index(i), n.index(1)));
    ScalarBuilder &s = n.host();
    n.require(bitAnd(gt(scale, 0), le(scale, 65536)),
              "the scales are positive numbers");
    Scalar to = floor(s.toFloat(s.size(from), n.b.getF32Type()) * scale);
    axes.push_back({order[i], from, n.toSize(s.toIndex(to)), std::nullopt, roi,
                    i, i + count, scales, i});
  }
  return resizer.run(x, axes);
}

LogicalResult importResize(NodeBuilder &n) {
  Val x = n.in(0);
  StringRef mode = n.stringAttr("mode", "nearest");
  Resizer resizer{n,
                  mode == "bilinear" ? "linear" : mode,
                  n.stringAttr("coordinate_transformation_mode", "half_pixel"),
                  n.stringAttr("nearest_mode", "round_prefer_floor"),
                  n.floatAttr("cubic_coeff_a", -0.75f),
                  n.floatAttr("extrapolation_value", 0),
                  n.intAttr("exclude_outside") != 0,
                  n.intAttr("antialias") != 0};
  if (n.opset < 11) {
    resizer.coordinates = "asymmetric";
    resizer.legacyNearest = true;
    std::optional<SmallVector<double>> scales = n.knownNumbers(n.in(1));
    Ints all;
    for (int64_t i = 0; i < x.rank(); ++i)
      all.push_back(i);
    if (!scales)
      return resizeAtRun(n, resizer, n.in(1), all, {});
    return resizeByScales(n, resizer, x, *scales);
  }
  Ints order;
  for (int64_t i = 0; i < x.rank(); ++i)
    order.push_back(i);
  if (std::optional<Ints> axes = n.axes("axes", 99, x.rank(), false))
    order = *axes;
  if (n.failed())
    return failure();

  bool cropped = resizer.coordinates == "tf_crop_and_resize";
  Val roi = n.in(1);
  int64_t count = order.size();
  if (cropped) {
    if (roi.rank() != 1 || !isFloat(roi.elem) ||
        n.known(n.dim(roi, 0)).value_or(2 * count) != 2 * count)
      return n.error("needs a region of interest: a start and an end for each "
                     "axis");
    roi = n.withSize(roi, 0, n.index(2 * count),
                     "the numbers of starts and ends and of the axes");
  }
  SmallVector<ResizeAxis> axes;
  auto add = [&](int64_t i, Size to, std::optional<float> scale) {
    axes.push_back(
        {order[i], n.dim(x, order[i]), to, scale, roi, i, i + count});
  };
  bool hasScales =
      n.has(2) && !(n.in(2).isStatic() && n.in(2).type().getNumElements() == 0);
  if (hasScales) {
    std::optional<SmallVector<double>> scales = n.knownNumbers(n.in(2));
    if (!scales)
      return resizeAtRun(n, resizer, n.in(2), order, roi);
    if (static_cast<int64_t>(scales->size()) != count)
      return n.error("has " + Twine(scales->size()) + " scales for " +
                     Twine(count) + " dimensions");
    for (int64_t i = 0; i < count; ++i) {
      float scale = (*scales)[i];
      if (!(scale > 0) || scale > 65536)
        return n.error("has a scale that is not a positive number");
      add(i, scaled(n, n.dim(x, order[i]), scale), scale);
    }
    return resizer.run(x, axes);
  }
  if (!n.has(3))
    return n.error("has neither scales nor sizes");
  std::optional<Sizes> sizes = n.elements(n.in(3), count);
  if (!sizes)
    return failure();
  if (static_cast<int64_t>(sizes->size()) != count)
    return n.error("has " + Twine(sizes->size()) + " sizes for " +
                   Twine(count) + " dimensions");
  StringRef policy = n.stringAttr("keep_aspect_ratio_policy", "stretch");
  if (policy == "stretch") {
    for (int64_t i = 0; i < count; ++i)
      add(i, n.max((*sizes)[i], n.index(0)), std::nullopt);
    return resizer.run(x, axes);
  }
  if (policy != "not_larger" && policy != "not_smaller")
    return n.error("has the unknown keep_aspect_ratio_policy '" + policy + "'");
  // The smallest or largest of the ratios, the same for all axes.
  ScalarBuilder &s = n.host();
  mlir::Type f32 = n.b.getF32Type();
  auto number = [&](Size size) { return s.toFloat(s.size(size), f32); };
  Scalar scale;
  for (int64_t i = 0; i < count; ++i) {
    Scalar ratio = number((*sizes)[i]) / number(n.dim(x, order[i]));
    if (i == 0)
      scale = ratio;
    else
      scale =
          select(policy == "not_larger" ? lt(ratio, scale) : gt(ratio, scale),
                 ratio, scale);
  }
  APFloat known(0.0f);
  bool isKnown = matchPattern(scale.value, m_ConstantFloat(&known));
  Val shared = isKnown ? Val() : n.fromHost(scale, {1}, ElementType::Float);
  for (int64_t i = 0; i < count; ++i) {
    Scalar size = floor(number(n.dim(x, order[i])) * scale + 0.5);
    add(i, n.toSize(s.toIndex(size)),
        isKnown ? std::optional<float>(known.convertToFloat()) : std::nullopt);
    axes.back().scales = shared;
  }
  return resizer.run(x, axes);
}

LogicalResult importUpsample(NodeBuilder &n) {
  Val x = n.in(0);
  StringRef mode = n.stringAttr("mode", "nearest");
  Resizer resizer{n,
                  mode == "bilinear" ? "linear" : mode,
                  "asymmetric",
                  "floor",
                  -0.75f,
                  0,
                  false,
                  false};
  if (n.has(1)) {
    std::optional<SmallVector<double>> scales = n.knownNumbers(n.in(1));
    Ints all;
    for (int64_t i = 0; i < x.rank(); ++i)
      all.push_back(i);
    if (!scales)
      return resizeAtRun(n, resizer, n.in(1), all, {});
    return resizeByScales(n, resizer, x, *scales);
  }
  if (n.opset < 7) {
    double scales[] = {1, 1, n.floatAttr("height_scale"),
                       n.floatAttr("width_scale")};
    return resizeByScales(n, resizer, x, scales);
  }
  std::optional<SmallVector<float>> attribute = n.floatsAttr("scales");
  if (!attribute)
    return n.error("has no scales");
  SmallVector<double> scales(attribute->begin(), attribute->end());
  return resizeByScales(n, resizer, x, scales);
}

/// By integers, for a tensor with blocked channels.
LogicalResult importBlockedUpsample(NodeBuilder &n) {
  std::optional<Ints> factors = n.intsAttr("scales");
  if (!factors || n.in(0).elem != ElementType::Float)
    return n.error("takes a float tensor and scales");
  Resizer resizer{n,
                  n.stringAttr("mode", "nearest"),
                  n.stringAttr("coordinate_transformation_mode", "asymmetric"),
                  "floor",
                  -0.75f,
                  0,
                  false,
                  false};
  SmallVector<double> scales(factors->begin(), factors->end());
  return resizeByScales(n, resizer, n.in(0), scales);
}

} // namespace

void hone::onnx::addResize(OpTable &table) {
  table.add("Resize", importResize, 1, 4);
  table.add("Upsample", importUpsample, 1, 2);
  table.setDomain("com.microsoft.nchwc");
  table.add("Upsample", importBlockedUpsample, 1);
  table.setDomain("");
}
