// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Pad: constants, edges, reflections and repetitions around a tensor.
#include "compiler/Import/Onnx/Builder/OpTable.h"

using namespace mlir;
using namespace hone::onnx;

namespace {

/// Position of coordinate `i` of the padded tensor among `size` elements.
Scalar reflected(ScalarBuilder &s, Scalar i, Scalar size, StringRef mode) {
  Scalar zero = s.indexConstant(0), last = size - 1;
  if (mode == "edge")
    return clampTo(i, zero, last);
  Scalar one = s.indexConstant(1);
  if (mode == "wrap")
    return floorMod(i, max(size, one));
  // Back and forth with a period of twice the distance between the ends.
  Scalar period = max(last * 2, one);
  Scalar folded = floorMod(i, period);
  return select(gt(folded, last), period - folded, folded);
}

/// The low and then the high pads of all dimensions, assigned to dimensions at
/// run time.
std::optional<Sizes> padsAtRun(NodeBuilder &n, int64_t rank, Val axes) {
  Val pads = n.in(1);
  if (pads.rank() != 1 || axes.rank() != 1 || !isInteger(axes.elem)) {
    n.fail("has pads or axes that are not vectors of integers");
    return std::nullopt;
  }
  // Half of the pads belong to each end.
  Size count = n.dim(axes, 0);
  if (!NodeBuilder::known(count) && NodeBuilder::known(n.dim(pads, 0)))
    count = n.floorDiv(n.dim(pads, 0), n.index(2));
  axes = n.withSize(axes, 0, count, "the numbers of pads and axes");
  pads = n.withSize(pads, 0, n.mul(count, 2), "the numbers of pads and axes");
  if (n.failed())
    return std::nullopt;
  std::optional<Sizes> named = n.elementsUpTo(axes, rank, rank);
  std::optional<Sizes> ends[2];
  for (int64_t end = 0; end < 2; ++end)
    ends[end] =
        n.elementsUpTo(n.sliceAxis(pads, 0, n.mul(count, end), count), rank, 0);
  if (!named || !ends[0] || !ends[1])
    return std::nullopt;
  ScalarBuilder &s = n.host();
  Sizes spread(2 * rank, n.index(0));
  Scalar inRange = s.boolean(true), once = inRange;
  SmallVector<Scalar> seen(rank, s.boolean(false));
  for (auto [i, place] : llvm::enumerate(*named)) {
    Scalar axis = s.size(place);
    axis = select(lt(axis, 0), axis + static_cast<double>(rank), axis);
    Scalar isNamed = gt(s.size(count), static_cast<double>(i));
    inRange = bitAnd(
        inRange, bitOr(bitNot(isNamed), bitAnd(ge(axis, 0), lt(axis, rank))));
    for (int64_t d = 0; d < rank; ++d) {
      Scalar hit = bitAnd(isNamed, eq(axis, static_cast<double>(d)));
      once = bitAnd(once, bitNot(bitAnd(hit, seen[d])));
      seen[d] = bitOr(seen[d], hit);
      for (int64_t end = 0; end < 2; ++end) {
        Size &pad = spread[end * rank + d];
        pad = n.toSize(select(hit, s.size((*ends[end])[i]), s.size(pad)));
      }
    }
  }
  n.require(inRange, "the axes are dimensions of the input");
  n.require(once, "no axis is named twice");
  return spread;
}

LogicalResult importPad(NodeBuilder &n) {
  Val x = n.in(0);
  StringRef mode = n.stringAttr("mode", "constant");
  if (mode != "constant" && mode != "reflect" && mode != "edge" &&
      mode != "wrap")
    return n.error("has a mode that ONNX does not define: '" + mode + "'");
  std::optional<Sizes> pads;
  Val places; // if the padded dimensions are only known at run time
  if (n.opset >= 11) {
    if (!n.has(1))
      return n.error("lacks pads");
    places = n.opset >= 18 ? n.in(3) : Val();
    if (places && n.knownInts(places))
      places = {};
    if (!places) {
      int64_t count = n.opset >= 18 && n.has(3)
                          ? n.in(3).type().getNumElements()
                          : x.rank();
      pads = n.elements(n.in(1), 2 * count);
    } else {
      pads = padsAtRun(n, x.rank(), places);
    }
  } else if (std::optional<Ints> given =
                 n.intsAttr(n.hasAttr("paddings") ? "paddings" : "pads")) {
    pads = n.sizes(*given);
  }
  if (!pads)
    return n.error("lacks pads");
  Sizes low(x.rank(), n.index(0)), high = low;
  std::optional<Ints> axes;
  if (!places)
    axes = n.axes("axes", n.opset >= 18 ? 3 : SIZE_MAX, x.rank(),
                  /*sorted=*/false);
  if (!axes) {
    axes.emplace();
    for (int64_t i = 0; i < x.rank(); ++i)
      axes->push_back(i);
  }
  if (n.failed())
    return failure();
  if (pads->size() != 2 * axes->size())
    return n.error("has " + Twine(pads->size()) + " pads for " +
                   Twine(axes->size()) + " axes");
  bool allKnown = true;
  Ints lowInts(x.rank(), 0), highInts(x.rank(), 0);
  for (auto [i, axis] : llvm::enumerate(*axes)) {
    low[axis] = (*pads)[i];
    high[axis] = (*pads)[axes->size() + i];
    std::optional<int64_t> l = NodeBuilder::known(low[axis]),
                           h = NodeBuilder::known(high[axis]);
    allKnown &= l && h;
    lowInts[axis] = l.value_or(0);
    highInts[axis] = h.value_or(0);
    if (std::abs(lowInts[axis]) > INT32_MAX ||
        std::abs(highInts[axis]) > INT32_MAX)
      return n.error("has pads that are out of range");
  }
  // The value to pad with, in storage type.
  auto padding = [&](ScalarBuilder &s) -> Value {
    if (n.opset >= 11 && n.has(2))
      return s.extract(n.in(2).value,
                       SmallVector<Scalar>(n.in(2).rank(), s.indexConstant(0)));
    mlir::Type element = x.type().getElementType();
    if (!element.isIntOrFloat())
      return s
          .fail(s.boolean(false),
                "pads " + elementTypeName(x.elem) + " with no value")
          .value;
    return s.constant(element, n.opset < 11 ? n.floatAttr("value", 0) : 0)
        .value;
  };
  if (n.has(2) && (n.in(2).elem != x.elem || n.in(2).rank() > 1))
    return n.error(
        "pads with a value that is not a scalar of the input's type");
  if (mode == "constant" && allKnown) {
    // A value only known at run time is read inside the map below.
    std::optional<SmallVector<double>> number;
    if (n.opset < 11 || !n.has(2))
      number = {n.opset < 11 ? n.floatAttr("value", 0) : 0.0};
    else if (elementBits(x.elem) <= 32)
      number = n.knownNumbers(n.in(2));
    mlir::Type element = x.type().getElementType();
    if (number && number->size() == 1 && element.isIntOrFloat())
      return n.out(n.pad(x, n.host().constant(element, number->front()).value,
                         lowInts, highInts));
  }
  Sizes own = n.dims(x), sizes;
  for (int64_t i = 0; i < x.rank(); ++i)
    sizes.push_back(n.add(n.add(own[i], low[i]), high[i]));
  if (mode == "constant")
    return n.out(n.padAtRun(x, low, sizes, padding));
  n.requireSource(own, sizes);
  auto isPadded = [&](int64_t i) {
    return NodeBuilder::known(low[i]) != 0 || NodeBuilder::known(high[i]) != 0;
  };
  return n.out(n.move(sizes, x.elem, [&](ScalarBuilder &s) {
    // Between its pads, a row is copied unchanged.
    int64_t last = x.rank() - 1;
    SmallVector<Scalar> indices;
    for (int64_t i = 0; i < x.rank(); ++i) {
      Scalar at = s.index(i);
      if (NodeBuilder::known(low[i]) != 0)
        at = at - s.size(low[i]);
      if (isPadded(i) && i < last)
        at = reflected(s, at, s.size(own[i]), mode);
      indices.push_back(at);
    }
    if (last < 0 || !isPadded(last))
      return s.extract(x.value, indices);
    Scalar size = s.size(own[last]);
    return s.extractEither(
        bitAnd(ge(indices[last], 0), lt(indices[last], size)), x.value, indices,
        [&](ScalarBuilder &other, SmallVector<Scalar> &places) {
          places[last] =
              reflected(other, places[last], other.wrap(size.value), mode);
        });
  }));
}

} // namespace

void hone::onnx::addPadding(OpTable &table) {
  table.add("Pad", importPad, 1, 4);
}
