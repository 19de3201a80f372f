// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Operators that select elements by their values: TopK, and those whose result
// sizes depend on data.
#include "compiler/Import/Onnx/Builder/Library.h"
#include "compiler/Import/Onnx/Builder/OpTable.h"

using namespace mlir;
using namespace hone::onnx;

namespace {

LogicalResult importTopK(NodeBuilder &n) {
  Val x = n.in(0);
  if (!isInteger(x.elem) && !isFloat(x.elem))
    return n.error("orders a tensor of " + elementTypeName(x.elem));
  int64_t axis = n.axisAttr("axis", -1, x.rank());
  if (n.failed())
    return failure();
  Size k;
  if (n.opset < 10) {
    if (!n.hasAttr("k"))
      return n.error("lacks the attribute 'k'");
    k = n.index(n.intAttr("k"));
  } else {
    if (!n.has(1))
      return n.error("lacks its input 'K'");
    std::optional<Sizes> given = n.elements(n.in(1), 1);
    if (!given || given->size() != 1)
      return n.error("needs K to be one number");
    k = given->front();
  }
  std::optional<int64_t> known = n.known(k), size = n.known(n.dim(x, axis));
  if (known && (*known < 0 || (size && *known > *size))) {
    n.fault("takes " + Twine(*known) + " of " +
            (size ? Twine(*size) : Twine("fewer")) + " elements");
    return failure();
  }
  if (!known || !size)
    n.require(le(n.host().size(k), n.host().size(n.dim(x, axis))),
              "there are K elements");
  Sizes dims = n.dims(x);
  dims[axis] = k;
  mlir::Type types[] = {n.tensorType(x.elem, dims),
                        n.tensorType(ElementType::Int64, dims)};
  auto op = graph::TopKOp::create(
      n.b, n.loc, types[0], types[1], x.value, n.dynamic(dims), axis,
      /*smallest=*/n.intAttr("largest", 1) == 0, isUnsigned(x.elem));
  n.out(0, {op.getValues(), x.elem});
  n.out(1, {op.getIndices(), ElementType::Int64});
  return success();
}

LogicalResult importNonZero(NodeBuilder &n) {
  Val x = n.in(0);
  return n.out(LibraryCall(n, "nonzero")
                   .setType("type", x.elem)
                   .tensor(ElementType::Int64, {x.rank(), -1})({x}));
}

LogicalResult importCompress(NodeBuilder &n) {
  Val x = n.in(0), condition = n.in(1);
  if (condition.elem != ElementType::Bool || condition.rank() != 1)
    return n.error("needs a condition that is a vector of bool");
  bool flat = !n.hasAttr("axis");
  int64_t axis = flat ? 0 : n.axisAttr("axis", 0, x.rank());
  if (n.failed())
    return failure();
  SmallVector<int64_t> shape{-1};
  if (!flat) {
    shape.assign(x.shape().begin(), x.shape().end());
    for (int64_t &size : shape)
      size = ShapedType::isDynamic(size) ? -1 : size;
    shape[axis] = -1;
  }
  return n.out(LibraryCall(n, "compress")
                   .set("axis", axis)
                   .set("flat", flat)
                   .tensor(x.elem, shape)({x, condition}));
}

LogicalResult importUnique(NodeBuilder &n) {
  Val x = n.in(0);
  bool flat = !n.hasAttr("axis");
  int64_t axis = flat ? 0 : n.axisAttr("axis", 0, x.rank());
  if (n.failed())
    return failure();
  SmallVector<int64_t> shape{-1};
  if (!flat) {
    shape.assign(x.shape().begin(), x.shape().end());
    for (int64_t &size : shape)
      size = ShapedType::isDynamic(size) ? -1 : size;
    shape[axis] = -1;
  }
  SmallVector<Val> results = LibraryCall(n, "unique")
                                 .set("axis", axis)
                                 .set("flat", flat)
                                 .set("sorted", n.intAttr("sorted", 1))
                                 .setType("type", x.elem)
                                 .tensor(x.elem, shape)
                                 .tensor(ElementType::Int64, {-1})
                                 .tensor(ElementType::Int64, {-1})
                                 .tensor(ElementType::Int64, {-1})
                                 .call({x});
  for (auto [i, v] : llvm::enumerate(results))
    n.out(i, v);
  return success();
}

LogicalResult importNonMaxSuppression(NodeBuilder &n) {
  if (n.in(0).elem != ElementType::Float || n.in(0).rank() != 3 ||
      n.in(1).elem != ElementType::Float || n.in(1).rank() != 3)
    return n.error("needs float boxes and scores of three dimensions");
  if ((n.has(2) && n.in(2).elem != ElementType::Int64) ||
      (n.has(3) && n.in(3).elem != ElementType::Float) ||
      (n.has(4) && n.in(4).elem != ElementType::Float))
    return n.error("needs a number of boxes of int64, and float thresholds");
  SmallVector<Val> operands{n.in(0), n.in(1)};
  operands.push_back(n.has(2) ? n.in(2) : n.scalar(ElementType::Int64, 0));
  operands.push_back(n.has(3) ? n.in(3) : n.scalar(ElementType::Float, 0));
  if (n.has(4))
    operands.push_back(n.in(4));
  return n.out(LibraryCall(n, "non_max_suppression")
                   .set("center_point_box", n.intAttr("center_point_box"))
                   .tensor(ElementType::Int64, {-1, 3})(operands));
}

} // namespace

void hone::onnx::addSearch(OpTable &table) {
  table.add("TopK", importTopK, 1, 2);
  table.add("NonZero", importNonZero, 1);
  table.add("Compress", importCompress, 2);
  table.add("Unique", importUnique, 1);
  table.add("NonMaxSuppression", importNonMaxSuppression, 2, 5);
}
