// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Operators that read or write at indices that depend on data.
#include "compiler/Import/Onnx/Builder/OpTable.h"

using namespace mlir;
using namespace hone::onnx;
using hone::graph::ScatterKind;

namespace {

bool isIndexTensor(Val v) {
  return v.elem == ElementType::Int64 || v.elem == ElementType::Int32;
}

LogicalResult importGather(NodeBuilder &n) {
  Val x = n.in(0), indices = n.in(1);
  if (!isIndexTensor(indices))
    return n.error("takes indices of int32 or int64");
  int64_t axis = n.axisAttr("axis", 0, x.rank());
  if (n.failed())
    return failure();
  Val result = n.gather(x, indices, axis);
  return n.failed() ? failure() : n.out(result);
}

LogicalResult importGatherElements(NodeBuilder &n) {
  Val x = n.in(0), indices = n.in(1);
  int64_t axis = n.axisAttr("axis", 0, x.rank());
  if (!isIndexTensor(indices) || indices.rank() != x.rank() || n.failed())
    return n.error(
        "takes indices of int32 or int64 with as many dimensions as its input");
  Sizes own = n.dims(x), sizes = n.dims(indices);
  for (int64_t i = 0; i < x.rank(); ++i)
    if (i != axis && !n.same(own[i], sizes[i]))
      n.require(le(n.host().size(sizes[i]), n.host().size(own[i])),
                "the indices are inside its input");
  if (n.failed())
    return failure();
  return n.out(n.move(sizes, x.elem, [&](ScalarBuilder &s) {
    SmallVector<Scalar> at;
    for (int64_t i = 0; i < x.rank(); ++i)
      at.push_back(s.index(i));
    Scalar place = s.element(indices.value, indices.elem, at);
    at[axis] = s.checkedIndex(place, own[axis], /*wrap=*/true);
    return s.extract(x.value, at);
  }));
}

/// The length of the last dimension, by which an index tensor addresses.
std::optional<int64_t> tupleLength(NodeBuilder &n, Val indices, int64_t limit) {
  if (indices.rank() == 0 || !isIndexTensor(indices)) {
    n.fail("takes indices of int32 or int64 with at least 1 dimension");
    return std::nullopt;
  }
  std::optional<int64_t> length =
      NodeBuilder::known(n.dim(indices, indices.rank() - 1));
  if (!length || *length > limit) {
    n.fail("has indices whose last dimension is not known, or longer "
           "than its input has dimensions");
    return std::nullopt;
  }
  return length;
}

LogicalResult importGatherND(NodeBuilder &n) {
  Val x = n.in(0), indices = n.in(1);
  int64_t batch = n.intAttr("batch_dims", 0);
  if (batch < 0 || batch >= std::min(x.rank(), indices.rank()))
    return n.error("has batch_dims outside its inputs");
  std::optional<int64_t> length = tupleLength(n, indices, x.rank() - batch);
  if (!length)
    return failure();
  Sizes own = n.dims(x), places = n.dims(indices),
        sizes(places.begin(), places.end() - 1);
  for (int64_t i = 0; i < batch; ++i)
    if (!n.agree(own[i], places[i], "its batch sizes"))
      return failure();
  sizes.append(own.begin() + batch + *length, own.end());
  return n.out(n.move(sizes, x.elem, [&](ScalarBuilder &s) {
    SmallVector<Scalar> at, tuple;
    for (int64_t i = 0; i < indices.rank() - 1; ++i)
      tuple.push_back(s.index(i));
    for (int64_t i = 0; i < batch; ++i)
      at.push_back(n.same(own[i], places[i])
                       ? tuple[i]
                       : s.checkedIndex(tuple[i], own[i]));
    tuple.push_back({});
    for (int64_t i = 0; i < *length; ++i) {
      tuple.back() = s.indexConstant(i);
      at.push_back(s.checkedIndex(s.element(indices.value, indices.elem, tuple),
                                  own[batch + i], /*wrap=*/true));
    }
    for (int64_t i = indices.rank() - 1; i < static_cast<int64_t>(sizes.size());
         ++i)
      at.push_back(s.index(i));
    return s.extract(x.value, at);
  }));
}

std::optional<ScatterKind> scatterKind(NodeBuilder &n, ElementType elem) {
  StringRef name = n.stringAttr("reduction", "none");
  bool isUnsignedType = isUnsigned(elem) || elem == ElementType::Bool;
  if (name == "none")
    return ScatterKind::Assign;
  if (!isInteger(elem) && (!isFloat(elem) || isSmallFloat(elem))) {
    n.fail("combines elements of " + elementTypeName(elem) +
           ", which are not numbers");
    return std::nullopt;
  }
  if (name == "add")
    return ScatterKind::Sum;
  if (name == "mul")
    return ScatterKind::Prod;
  if (name == "max")
    return isUnsignedType ? ScatterKind::UMax : ScatterKind::Max;
  if (name == "min")
    return isUnsignedType ? ScatterKind::UMin : ScatterKind::Min;
  n.fail("has a reduction that ONNX does not define: '" + name + "'");
  return std::nullopt;
}

LogicalResult scatter(NodeBuilder &n, Val x, Val indices, Val updates,
                      ScatterKind kind, std::optional<int64_t> axis) {
  IntegerAttr axisAttr = axis ? n.b.getI64IntegerAttr(*axis) : IntegerAttr();
  return n.out(
      {graph::ScatterOp::create(n.b, n.loc, x.type(), x.value, indices.value,
                                updates.value, kind, axisAttr),
       x.elem});
}

LogicalResult importScatterElements(NodeBuilder &n) {
  Val x = n.in(0), indices = n.in(1), updates = n.in(2);
  int64_t axis = n.axisAttr("axis", 0, x.rank());
  if (!isIndexTensor(indices) || indices.rank() != x.rank() ||
      updates.rank() != x.rank() || updates.elem != x.elem || n.failed())
    return n.error(
        "takes indices and updates with as many dimensions as its input");
  std::optional<ScatterKind> kind = scatterKind(n, x.elem);
  if (!kind)
    return failure();
  updates =
      n.withDims(updates, n.dims(indices), "the sizes of indices and updates");
  Sizes own = n.dims(x), places = n.dims(indices);
  for (int64_t i = 0; i < x.rank(); ++i) {
    std::optional<int64_t> have = NodeBuilder::known(own[i]),
                           want = NodeBuilder::known(places[i]);
    if (i != axis && have && want && *want > *have)
      return n.error("has more indices along dimension " + Twine(i) +
                     " than its input has elements");
  }
  if (n.failed())
    return failure();
  return scatter(n, x, indices, updates, *kind, axis);
}

LogicalResult importScatterND(NodeBuilder &n) {
  Val x = n.in(0), indices = n.in(1), updates = n.in(2);
  // The rank of the updates tells how many dimensions an index addresses.
  int64_t taken = x.rank() + indices.rank() - 1 - updates.rank();
  if (indices.rank() > 0 && taken >= 0 && taken <= x.rank() &&
      !NodeBuilder::known(n.dim(indices, indices.rank() - 1)))
    indices = n.withSize(indices, indices.rank() - 1, n.index(taken),
                         "the lengths of indices and what updates leave");
  std::optional<int64_t> length = tupleLength(n, indices, x.rank());
  if (!length)
    return failure();
  std::optional<ScatterKind> kind = scatterKind(n, x.elem);
  if (!kind)
    return failure();
  Sizes own = n.dims(x), places = n.dims(indices),
        sizes(places.begin(), places.end() - 1);
  sizes.append(own.begin() + *length, own.end());
  if (updates.elem != x.elem ||
      updates.rank() != static_cast<int64_t>(sizes.size()))
    return n.error("has updates that do not fit its input and indices");
  updates = n.withDims(updates, sizes, "the sizes of updates and indices");
  if (n.failed())
    return failure();
  return scatter(n, x, indices, updates, *kind, std::nullopt);
}

LogicalResult importTensorScatter(NodeBuilder &n) {
  Val past = n.in(0), update = n.in(1);
  int64_t axis = n.axisAttr("axis", -2, past.rank());
  bool circular = n.stringAttr("mode", "linear") == "circular";
  if (n.failed() || axis == 0 || update.rank() != past.rank() ||
      update.elem != past.elem)
    return n.error("takes a cache and an update with as many dimensions, and "
                   "an axis that is not the batch");
  Sizes own = n.dims(past), sizes = own;
  sizes[axis] = n.dim(update, axis);
  update = n.withDims(update, sizes, "the sizes of cache and update");
  Val starts = n.in(2);
  if (n.has(2)) {
    if (starts.rank() != 1 || !isIndexTensor(starts))
      return n.error("takes one start per batch, of int64");
    starts = n.withDims(starts, {own[0]}, "the sizes of batch and starts");
  }
  if (n.failed())
    return failure();
  Size room = n.add(n.sub(own[axis], sizes[axis]), 1);
  return n.out(n.move(own, past.elem, [&](ScalarBuilder &s) {
    SmallVector<Scalar> at;
    for (int64_t i = 0; i < past.rank(); ++i)
      at.push_back(s.index(i));
    Scalar from = s.indexConstant(0), count = s.size(sizes[axis]),
           size = s.size(own[axis]);
    if (n.has(2))
      from = s.toIndex(s.element(starts.value, starts.elem, {at[0]}));
    // The whole update is inside a linear cache.
    if (!circular)
      from = s.checkedIndex(from, room);
    // The position in the update, if it covers this element; it may wrap around
    // in a circular cache.
    Scalar place = at[axis] - from;
    if (circular)
      place = floorMod(place, size);
    Scalar hit = bitAnd(ge(place, 0), lt(place, count));
    Scalar old = s.wrap(s.extract(past.value, at));
    at[axis] = place;
    return s.extractWhere(hit, update.value, at, old);
  }));
}

LogicalResult importOneHot(NodeBuilder &n) {
  Val indices = n.in(0), depth = n.in(1), values = n.in(2);
  int64_t axis = n.axisAttr("axis", -1, indices.rank() + 1);
  mlir::Type element = computeType(n.b.getContext(), indices.elem);
  if (n.failed() || !element || !element.isIntOrFloat() ||
      indices.elem == ElementType::Bool || values.rank() != 1 ||
      depth.rank() > 1)
    return n.error("takes numbers, a depth, and the two values 'off' and 'on'");
  values = n.withSize(values, 0, n.index(2), "the values 'off' and 'on' and 2");
  if (n.failed())
    return failure();
  Scalar count = n.hostScalar(depth);
  ScalarBuilder &host = n.host();
  if (count.isFloat())
    count = host.toInt(count, n.b.getIndexType(), false);
  Size size = n.toSize(count);
  Sizes sizes = n.dims(indices);
  sizes.insert(sizes.begin() + axis, size);
  return n.out(n.move(sizes, values.elem, [&](ScalarBuilder &s) {
    SmallVector<Scalar> at;
    for (int64_t i = 0; i < static_cast<int64_t>(sizes.size()); ++i)
      if (i != axis)
        at.push_back(s.index(i));
    Scalar index = s.element(indices.value, indices.elem, at);
    index = index.isFloat() ? s.toInt(index, s.builder.getIndexType(), false)
                            : s.toIndex(index);
    index = select(lt(index, 0), index + s.size(size), index);
    Scalar hit = eq(index, s.index(axis));
    return s.extract(values.value,
                     {select(hit, s.indexConstant(1), s.indexConstant(0))});
  }));
}

} // namespace

void hone::onnx::addGather(OpTable &table) {
  table.add("Gather", importGather, 2);
  table.add("GatherElements", importGatherElements, 2);
  table.add("GatherND", importGatherND, 2);
  table.add("Scatter", importScatterElements, 3);
  table.add("ScatterElements", importScatterElements, 3);
  table.add("ScatterND", importScatterND, 3);
  table.add("TensorScatter", importTensorScatter, 2, 3);
  table.add("OneHot", importOneHot, 3);
}
