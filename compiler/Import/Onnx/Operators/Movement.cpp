// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Data movement with positions that do not depend on data: transpose, slice,
// concatenate, split, tile.
#include "compiler/Import/Onnx/Builder/OpTable.h"
#include "hone/abi.h"

using namespace mlir;
using namespace hone::onnx;

namespace {

LogicalResult importTranspose(NodeBuilder &n) {
  Val x = n.in(0);
  Ints permutation;
  if (std::optional<Ints> given = n.intsAttr("perm")) {
    permutation = *given;
  } else {
    for (int64_t i = x.rank() - 1; i >= 0; --i)
      permutation.push_back(i);
  }
  if (static_cast<int64_t>(permutation.size()) != x.rank())
    return n.error("permutes " + Twine(permutation.size()) +
                   " dimensions of a tensor that has " + Twine(x.rank()));
  for (int64_t &axis : permutation)
    axis = n.axis(axis, x.rank());
  Ints sorted = permutation;
  llvm::sort(sorted);
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end())
    return n.error("has a permutation that names a dimension twice");
  if (n.failed())
    return failure();
  return n.out(n.transpose(x, permutation));
}

LogicalResult importConcat(NodeBuilder &n) {
  Val first = n.in(0);
  if (!n.hasAttr("axis") && n.opset >= 4)
    return n.error("lacks the attribute 'axis'");
  int64_t axis = n.axisAttr("axis", 1, first.rank());
  for (Val v : n.allInputs()) {
    if (!v || v.rank() != first.rank() || v.elem != first.elem)
      return n.error(
          "joins tensors of different types or numbers of dimensions");
  }
  if (n.failed())
    return failure();
  Val joined = n.concat(n.allInputs(), axis);
  return n.failed() ? failure() : n.out(joined);
}

LogicalResult importSplit(NodeBuilder &n) {
  Val x = n.in(0);
  int64_t axis = n.axisAttr("axis", 0, x.rank());
  if (n.failed())
    return failure();
  Size size = n.dim(x, axis);
  size_t count = n.numOutputs();
  Sizes parts;
  if (n.opset < 2 && n.has(1)) {
    std::optional<SmallVector<double>> given = n.knownNumbers(n.in(1));
    if (!given)
      return n.error("needs the sizes of its parts at compile time; make them "
                     "a constant or an attribute");
    for (double part : *given)
      parts.push_back(n.index(static_cast<int64_t>(part)));
  } else if (n.opset >= 13 && n.has(1)) {
    std::optional<Sizes> given = n.elements(n.in(1), count);
    if (!given)
      return failure();
    parts = *given;
  } else if (std::optional<Ints> given = n.intsAttr("split")) {
    parts = n.sizes(*given);
  } else {
    int64_t chunks = n.intAttr("num_outputs", count);
    if (chunks < 1 || chunks != static_cast<int64_t>(count))
      return n.error("has a num_outputs that is not the number of its outputs");
    Size chunk = n.ceilDiv(size, n.index(chunks));
    std::optional<int64_t> whole = NodeBuilder::known(size);
    if (n.opset < 18 && whole && *whole % chunks != 0) {
      n.fault("splits a dimension of " + Twine(*whole) + " into " +
              Twine(chunks) + " equal parts");
      return failure();
    }
    parts.assign(chunks, chunk);
    Scalar rest = n.host().size(n.sub(size, n.mul(chunk, chunks - 1)));
    parts.back() = n.toSize(max(rest, n.host().indexConstant(0)));
  }
  if (parts.size() < count)
    return n.error("has more outputs than sizes");
  // The parts make up the whole: then each is inside.
  Size total = n.index(0);
  for (Size part : parts) {
    std::optional<int64_t> number = NodeBuilder::known(part);
    if (number && *number < 0)
      return n.error("has a part of " + Twine(*number));
    Scalar length = n.host().size(part);
    if (!number && !isKnownNonNegative(length.value))
      n.require(ge(length, 0), "no part is negative");
    total = n.add(total, part);
  }
  std::optional<int64_t> sum = NodeBuilder::known(total),
                         whole = NodeBuilder::known(size);
  if (sum && whole && *sum != *whole) {
    n.fault("splits " + Twine(*whole) + " elements into parts of " +
            Twine(*sum) + " together");
    return failure();
  }
  if (!n.same(total, size))
    n.require(eq(n.host().size(total), n.host().size(size)),
              "the parts make up the whole");
  Size from = n.index(0);
  for (size_t i = 0; i < count; ++i) {
    n.out(i, n.sliceAxis(x, axis, from, parts[i]));
    from = n.add(from, parts[i]);
  }
  return success();
}

/// Tables of positions and masks are constants that a model slices to its free
/// sizes: such a slice is inside the table, or the model does not fit its
/// input. Then the sizes are those that the model names, and not their minimum
/// with the table's, which nothing else would equal.
std::optional<std::pair<Size, Size>> tableRange(NodeBuilder &n, Val table,
                                                Size start, Size end,
                                                int64_t step, Size size) {
  std::optional<int64_t> whole = NodeBuilder::known(size);
  auto *constant = table.value.getDefiningOp();
  bool known = NodeBuilder::known(start) && NodeBuilder::known(end);
  auto usable = [&](Size at) {
    std::optional<int64_t> number = NodeBuilder::known(at);
    return number ? *number >= 0 && *number <= *whole : NodeBuilder::isFree(at);
  };
  while (auto slice = llvm::dyn_cast_or_null<graph::SliceOp>(constant))
    constant = slice.getInput().getDefiningOp();
  if (!llvm::isa_and_nonnull<graph::ConstantOp>(constant) || known || !whole ||
      step != 1 || !usable(start) || !usable(end))
    return std::nullopt;
  ScalarBuilder &s = n.host();
  Scalar first = s.size(start), last = s.size(end);
  Scalar inside = le(last, static_cast<double>(*whole));
  Size count = n.sub(end, start);
  if (!isKnownNonNegative(first.value))
    inside = bitAnd(inside, ge(first, 0));
  if (auto value = llvm::dyn_cast<Value>(count);
      value && !isKnownNonNegative(value))
    inside = bitAnd(inside, le(first, last));
  n.require(inside, "the sizes lie inside the table that is cut to them");
  return std::make_pair(start, count);
}

/// Where a slice starts along a dimension, and how many elements it takes.
std::pair<Size, Size> sliceRange(NodeBuilder &n, Size start, Size end,
                                 int64_t step, Size size) {
  ScalarBuilder &s = n.host();
  Scalar d = s.size(size), zero = s.indexConstant(0);
  auto fromEnd = [&](Size at) {
    std::optional<int64_t> number = NodeBuilder::known(at);
    Scalar v = s.size(at);
    if (number)
      return *number < 0 ? d + v : v;
    if (isKnownNonNegative(v.value))
      return v;
    return select(lt(v, zero), v + d, v);
  };
  Scalar first = fromEnd(start), last = fromEnd(end);
  if (step > 0) {
    first = min(max(first, zero), d);
    last = min(max(last, zero), d);
    Scalar count =
        max(s.size(n.ceilDiv(n.toSize(last - first), n.index(step))), zero);
    return {n.toSize(first), n.toSize(count)};
  }
  Scalar top = d - 1;
  first = min(max(first, s.indexConstant(-1)), top);
  // "Beyond the start" is expressed by the lowest numbers; with the size added
  // they still are beyond.
  last = max(min(last, top), s.indexConstant(-1));
  Scalar count =
      max(s.size(n.ceilDiv(n.toSize(first - last), n.index(-step))), zero);
  // An empty slice reads nothing, wherever it starts.
  return {n.toSize(max(first, zero)), n.toSize(count)};
}

/// A step beyond any size takes one element, as does one of that size.
constexpr int64_t kMaxStep = int64_t(1) << 47;

/// A slice whose axes or steps are only known at run time: for each dimension a
/// start, a step and a size, all values of the host.
LogicalResult sliceAtRun(NodeBuilder &n) {
  Val x = n.in(0);
  ScalarBuilder &s = n.host();
  // Each of the vectors tells their length; if none does, the rank is the
  // limit, and the number that counts is known at run time.
  std::optional<int64_t> length;
  for (size_t i : {1, 2, 3, 4})
    if (n.has(i) && n.in(i).isStatic())
      length = n.in(i).type().getNumElements();
  int64_t count = length.value_or(x.rank());
  if (count > x.rank())
    return n.error("slices " + Twine(count) + " axes of " + Twine(x.rank()));
  auto read = [&](size_t input, int64_t fill) {
    return length ? n.elements(n.in(input), count)
                  : n.elementsUpTo(n.in(input), count, fill);
  };
  std::optional<Sizes> starts = read(1, 0), ends = read(2, 0), steps, axes;
  if (n.has(4))
    steps = read(4, 1);
  else
    steps = Sizes(count, n.index(1));
  if (n.has(3)) {
    axes = read(3, 0);
  } else {
    axes.emplace();
    for (int64_t i = 0; i < count; ++i)
      axes->push_back(n.index(i));
  }
  auto fits = [&](const std::optional<Sizes> &vector) {
    return vector && static_cast<int64_t>(vector->size()) == count;
  };
  if (!fits(starts) || !fits(ends) || !fits(steps) || !fits(axes))
    return n.error("has starts, ends, axes and steps of different lengths");
  for (size_t i : {2, 3, 4})
    if (!length && n.has(i))
      n.require(eq(s.size(n.dim(n.in(i), 0)), s.size(n.dim(n.in(1), 0))),
                "starts, ends, axes and steps are equally long");
  Sizes sizes = n.dims(x), firsts(x.rank(), n.index(0)),
        by(x.rank(), n.index(1));
  Scalar zero = s.indexConstant(0), one = s.indexConstant(1);
  for (int64_t i = 0; i < count; ++i) {
    Scalar axis = s.size((*axes)[i]), step = s.size((*steps)[i]);
    axis = select(lt(axis, 0), axis + static_cast<double>(x.rank()), axis);
    n.require(bitAnd(ge(axis, 0), lt(axis, static_cast<double>(x.rank()))),
              "the axes are inside its input");
    n.require(ne(step, 0), "no step is 0");
    step = clampTo(step, s.indexConstant(-kMaxStep), s.indexConstant(kMaxStep));
    for (int64_t d = 0; d < x.rank(); ++d) {
      Scalar hit = eq(axis, static_cast<double>(d));
      if (!length)
        hit =
            bitAnd(hit, gt(s.size(n.dim(n.in(1), 0)), static_cast<double>(i)));
      Scalar size = s.size(n.dim(x, d)), last = size - 1;
      auto place = [&](Size at) {
        Scalar v = s.size(at);
        return select(lt(v, 0), v + size, v);
      };
      Scalar forward = gt(step, 0), minusOne = s.indexConstant(-1);
      Scalar first = place((*starts)[i]), end = place((*ends)[i]);
      first = select(forward, clampTo(first, zero, size),
                     clampTo(first, minusOne, last));
      end = select(forward, clampTo(end, zero, size),
                   clampTo(end, minusOne, last));
      Scalar length = select(forward, end - first, first - end);
      Scalar width = max(select(forward, step, zero - step), one);
      Scalar count =
          max(s.size(n.ceilDiv(n.toSize(length), n.toSize(width))), zero);
      sizes[d] = n.toSize(select(hit, count, s.size(sizes[d])));
      firsts[d] = n.toSize(select(hit, first, s.size(firsts[d])));
      by[d] = n.toSize(select(hit, step, s.size(by[d])));
    }
  }
  return n.out(n.move(sizes, x.elem, [&](ScalarBuilder &body) {
    SmallVector<Scalar> at;
    for (int64_t d = 0; d < x.rank(); ++d)
      at.push_back(body.size(firsts[d]) + body.index(d) * body.size(by[d]));
    return body.extract(x.value, at);
  }));
}

LogicalResult importSlice(NodeBuilder &n) {
  Val x = n.in(0);
  std::optional<Sizes> starts, ends;
  std::optional<Ints> axes, steps;
  // DynamicSlice was the experiment that became Slice of opset 10.
  if (n.opset >= 10 || n.has(1)) {
    if (!n.has(1) || !n.has(2))
      return n.error("lacks starts or ends");
    if ((n.has(3) && !n.knownInts(n.in(3))) ||
        (n.has(4) && !n.knownInts(n.in(4))) || !n.in(1).isStatic() ||
        !n.in(2).isStatic())
      return sliceAtRun(n);
    starts = n.elements(n.in(1));
    ends = n.elements(n.in(2));
    axes = n.requireInts(3, "axes");
    steps = n.requireInts(4, "steps");
    if (n.failed())
      return failure();
  } else {
    std::optional<Ints> from = n.intsAttr("starts"), to = n.intsAttr("ends");
    if (!from || !to)
      return n.error("lacks starts or ends");
    starts = n.sizes(*from);
    ends = n.sizes(*to);
    axes = n.intsAttr("axes");
  }
  size_t count = starts->size();
  if (!axes) {
    axes.emplace();
    for (size_t i = 0; i < count; ++i)
      axes->push_back(i);
  }
  if (!steps)
    steps = Ints(count, 1);
  if (ends->size() != count || axes->size() != count || steps->size() != count)
    return n.error("has starts, ends, axes and steps of different lengths");
  Sizes offsets(x.rank(), n.index(0)), sizes = n.dims(x);
  Ints by(x.rank(), 1);
  llvm::SmallBitVector seen(x.rank());
  for (size_t i = 0; i < count; ++i) {
    int64_t axis = n.axis((*axes)[i], x.rank());
    if (n.failed())
      return failure();
    if (seen.test(axis))
      return n.error("names axis " + Twine(axis) + " twice");
    seen.set(axis);
    if ((*steps)[i] == 0)
      return n.error("has a step of 0");
    by[axis] = std::clamp((*steps)[i], -kMaxStep, kMaxStep);
    std::optional<std::pair<Size, Size>> range =
        tableRange(n, x, (*starts)[i], (*ends)[i], by[axis], sizes[axis]);
    std::tie(offsets[axis], sizes[axis]) =
        range ? *range
              : sliceRange(n, (*starts)[i], (*ends)[i], by[axis], sizes[axis]);
  }
  return n.out(n.slice(x, offsets, sizes, by));
}

LogicalResult importTile(NodeBuilder &n) {
  Val x = n.in(0);
  std::optional<Sizes> repeats;
  if (n.opset >= 6 && n.numInputs() > 2)
    return n.error("has more inputs than it takes");
  if (n.opset < 6) {
    // One axis; both inputs may be floats.
    std::optional<SmallVector<double>> tiles = n.knownNumbers(n.in(1)),
                                       axes = n.knownNumbers(n.in(2));
    if (!tiles || !axes || tiles->size() != 1 || axes->size() != 1)
      return n.error("needs its tiles and its axis at compile time; make them "
                     "constants of one number");
    int64_t axis = n.axis(static_cast<int64_t>(axes->front()), x.rank());
    if (n.failed())
      return failure();
    repeats.emplace(x.rank(), n.index(1));
    (*repeats)[axis] = n.index(static_cast<int64_t>(tiles->front()));
  } else {
    repeats = n.elements(n.in(1), x.rank());
  }
  if (!repeats)
    return failure();
  if (static_cast<int64_t>(repeats->size()) != x.rank())
    return n.error("has " + Twine(repeats->size()) + " repeats for " +
                   Twine(x.rank()) + " dimensions");
  Sizes own = n.dims(x), sizes;
  bool onlyOnes = true;
  for (auto [size, repeat] : llvm::zip(own, *repeats)) {
    std::optional<int64_t> number = NodeBuilder::known(repeat);
    if (number && *number < 0) {
      n.fault("repeats " + Twine(*number) + " times");
      return failure();
    }
    onlyOnes &= number == 1 || NodeBuilder::known(size) == 1;
    sizes.push_back(n.mul(size, repeat));
  }
  if (onlyOnes)
    return n.out(n.expand(x, sizes));
  // A repeated dimension becomes two: the repetition, and itself. All rows are
  // copies.
  Sizes given, spread;
  for (auto [size, repeat] : llvm::zip(own, *repeats)) {
    bool isOne = NodeBuilder::known(size) == 1;
    if (NodeBuilder::known(repeat) != 1) {
      given.push_back(n.index(1));
      spread.push_back(repeat);
      if (isOne)
        continue;
    }
    given.push_back(size);
    spread.push_back(size);
  }
  if (spread.size() <= HONE_MAX_RANK)
    return n.out(n.reshape(n.expand(n.reshape(x, given), spread), sizes));
  return n.out(n.move(sizes, x.elem, [&](ScalarBuilder &s) {
    SmallVector<Scalar> indices;
    for (int64_t i = 0; i < x.rank(); ++i) {
      Scalar at = s.index(i);
      if (NodeBuilder::known(own[i]) == 1)
        at = s.indexConstant(0);
      else if (NodeBuilder::known((*repeats)[i]) != 1)
        at = truncMod(at, s.size(own[i]));
      indices.push_back(at);
    }
    return s.extract(x.value, indices);
  }));
}

LogicalResult importDepthToSpace(NodeBuilder &n) {
  Val x = n.in(0);
  int64_t block = n.intAttr("blocksize", 0);
  if (x.rank() != 4 || block < 1 || block > INT32_MAX)
    return n.error("takes a tensor of 4 dimensions and a positive blocksize");
  Sizes own = n.dims(x);
  std::optional<int64_t> channels = NodeBuilder::known(own[1]);
  if (channels && *channels % (block * block) != 0)
    return n.error(
        "has channels that are not a multiple of the square of its blocksize");
  Size depth = n.floorDiv(own[1], n.index(block * block)), by = n.index(block);
  bool columnsFirst = n.stringAttr("mode", "DCR") == "CRD";
  Val split = columnsFirst
                  ? n.reshape(x, {own[0], depth, by, by, own[2], own[3]})
                  : n.reshape(x, {own[0], by, by, depth, own[2], own[3]});
  Val moved = n.transpose(split, columnsFirst ? Ints{0, 1, 4, 2, 5, 3}
                                              : Ints{0, 3, 4, 1, 5, 2});
  return n.out(n.reshape(
      moved, {own[0], depth, n.mul(own[2], block), n.mul(own[3], block)}));
}

LogicalResult importSpaceToDepth(NodeBuilder &n) {
  Val x = n.in(0);
  int64_t block = n.intAttr("blocksize", 0);
  if (x.rank() != 4 || block < 1 || block > INT32_MAX)
    return n.error("takes a tensor of 4 dimensions and a positive blocksize");
  Sizes own = n.dims(x);
  for (Size size : ArrayRef(own).drop_front(2))
    if (std::optional<int64_t> number = NodeBuilder::known(size);
        number && *number % block != 0)
      return n.error("has sizes that are not a multiple of its blocksize");
  Size by = n.index(block), rows = n.floorDiv(own[2], by),
       columns = n.floorDiv(own[3], by);
  bool columnsFirst = n.stringAttr("mode", "DCR") == "CRD";
  Val moved = n.transpose(n.reshape(x, {own[0], own[1], rows, by, columns, by}),
                          columnsFirst ? Ints{0, 1, 3, 5, 2, 4}
                                       : Ints{0, 3, 5, 1, 2, 4});
  return n.out(
      n.reshape(moved, {own[0], n.mul(own[1], block * block), rows, columns}));
}

LogicalResult importTrilu(NodeBuilder &n) {
  Val x = n.in(0);
  mlir::Type element = x.type().getElementType();
  if (x.rank() < 2 || !element.isIntOrFloat())
    return n.error("takes a tensor of numbers with at least 2 dimensions");
  bool upper = n.intAttr("upper", 1);
  Size k = n.index(0);
  if (n.has(1)) {
    if (!isInteger(n.in(1).elem) || n.in(1).rank() > 1)
      return n.error("takes a diagonal that is an integer");
    k = n.toSize(n.hostScalar(n.in(1)));
  }
  Sizes sizes = n.dims(x);
  return n.out(n.move(sizes, x.elem, [&](ScalarBuilder &s) {
    SmallVector<Scalar> at;
    for (int64_t i = 0; i < x.rank(); ++i)
      at.push_back(s.index(i));
    Scalar diagonal = s.size(k), own = at[x.rank() - 1] - at[x.rank() - 2];
    Scalar keeps = upper ? ge(own, diagonal) : le(own, diagonal);
    Scalar value = s.wrap(s.extract(x.value, at));
    return select(keeps, value, s.constant(element, 0)).value;
  }));
}

LogicalResult importReverseSequence(NodeBuilder &n) {
  Val x = n.in(0), lengths = n.in(1);
  int64_t time = n.axisAttr("time_axis", 0, x.rank()),
          batch = n.axisAttr("batch_axis", 1, x.rank());
  if (n.failed() || time == batch || lengths.rank() != 1 ||
      lengths.elem != ElementType::Int64)
    return n.error("takes two different axes and one int64 length per batch");
  Sizes sizes = n.dims(x);
  lengths =
      n.withDims(lengths, {sizes[batch]}, "the sizes of batch and lengths");
  Size limit = n.add(sizes[time], 1);
  return n.out(n.move(sizes, x.elem, [&](ScalarBuilder &s) {
    SmallVector<Scalar> at;
    for (int64_t i = 0; i < x.rank(); ++i)
      at.push_back(s.index(i));
    Scalar length =
        s.toIndex(s.element(lengths.value, lengths.elem, {at[batch]}));
    Scalar last = s.checkedIndex(length, limit) - 1;
    at[time] = select(le(at[time], last), last - at[time], at[time]);
    return s.extract(x.value, at);
  }));
}

} // namespace

void hone::onnx::addMovement(OpTable &table) {
  table.add("Transpose", importTranspose, 1);
  table.add("Concat", importConcat, 1, kVariadic);
  table.add("Split", importSplit, 1, 2);
  table.add("Slice", importSlice, 1, 5);
  table.add("DynamicSlice", importSlice, 3, 4);
  table.add("Tile", importTile, 2, 3);
  table.add("DepthToSpace", importDepthToSpace, 1);
  table.add("SpaceToDepth", importSpaceToDepth, 1);
  table.add("Trilu", importTrilu, 1, 2);
  table.add("ReverseSequence", importReverseSequence, 2);
}
