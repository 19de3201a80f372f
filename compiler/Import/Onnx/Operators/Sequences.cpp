// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sequences and optionals: values of the session that library functions create
// and take apart.
#include "compiler/Import/Onnx/Builder/AnyRank.h"
#include "compiler/Import/Onnx/Builder/Library.h"
#include "compiler/Import/Onnx/Builder/Loops.h"
#include "compiler/Import/Onnx/Builder/OpTable.h"

#include "compiler/Import/Onnx/Builder/GraphImporter.h"

using namespace mlir;
using namespace hone::onnx;

namespace {

/// The element type of a sequence; null (and an error) for anything else.
mlir::Type elementOf(NodeBuilder &n, Val v) {
  if (auto type =
          v ? dyn_cast<graph::SequenceType>(v.value.getType()) : nullptr)
    return type.getElementType();
  n.fail("needs a sequence");
  return {};
}

/// An element's type if its rank is known.
mlir::Type rankedElement(NodeBuilder &n, Val sequence) {
  mlir::Type type = elementOf(n, sequence);
  if (!type || isa<RankedTensorType>(type))
    return type;
  n.fail("takes from a sequence whose elements have a number of "
         "dimensions that is not known");
  return {};
}

LogicalResult importConstruct(NodeBuilder &n) {
  mlir::Type type;
  for (Val v : n.allInputs()) {
    if (!v || !v.isTensor() || v.elem != n.in(0).elem)
      return n.error("joins values of different types");
    mlir::Type own = sequenceOf(v.value.getType());
    type = type ? commonType(type, own) : own;
    if (!type)
      return n.error("joins tensors of different numbers of dimensions");
  }
  return n.out(
      LibraryCall(n, "sequence_construct")
          .setType("type", n.in(0).elem)
          .result(type, n.in(0).elem)(SmallVector<Val>(n.allInputs())));
}

LogicalResult importEmpty(NodeBuilder &n) {
  auto elem = static_cast<ElementType>(
      n.intAttr("dtype", static_cast<int64_t>(ElementType::Float)));
  mlir::Type element = storageType(n.b.getContext(), elem);
  if (!element)
    return n.error("makes a sequence of " + elementTypeName(elem) +
                   ", which is not supported");
  return n.out(
      LibraryCall(n, "sequence_empty")
          .result(sequenceOf(UnrankedTensorType::get(element)), elem)({}));
}

LogicalResult importAt(NodeBuilder &n) {
  mlir::Type type = rankedElement(n, n.in(0));
  if (!type)
    return failure();
  return n.out(LibraryCall(n, "sequence_at")
                   .result(type, n.in(0).elem)({n.in(0), n.in(1)}));
}

LogicalResult importInsert(NodeBuilder &n) {
  Val v = n.in(1);
  mlir::Type type = elementOf(n, n.in(0));
  if (!type || !v || !v.isTensor())
    return n.error("needs a sequence and a tensor");
  mlir::Type result =
      commonType(n.in(0).value.getType(), sequenceOf(v.value.getType()));
  if (!result || v.elem != n.in(0).elem)
    return n.error("inserts a tensor unlike those of the sequence");
  SmallVector<Val> operands{n.in(0), v};
  if (n.has(2))
    operands.push_back(n.in(2));
  return n.out(LibraryCall(n, "sequence_insert")
                   .setType("type", v.elem)
                   .result(result, v.elem)(operands));
}

LogicalResult importErase(NodeBuilder &n) {
  if (!elementOf(n, n.in(0)))
    return failure();
  SmallVector<Val> operands{n.in(0)};
  if (n.has(1))
    operands.push_back(n.in(1));
  return n.out(LibraryCall(n, "sequence_erase")
                   .result(n.in(0).value.getType(), n.in(0).elem)(operands));
}

LogicalResult importLength(NodeBuilder &n) {
  if (!elementOf(n, n.in(0)))
    return failure();
  return n.out(LibraryCall(n, "sequence_length")
                   .tensor(ElementType::Int64, {})({n.in(0)}));
}

LogicalResult importConcat(NodeBuilder &n) {
  auto element = dyn_cast_or_null<RankedTensorType>(rankedElement(n, n.in(0)));
  if (!element)
    return failure();
  bool newAxis = n.intAttr("new_axis") != 0;
  int64_t rank = element.getRank() + (newAxis ? 1 : 0);
  int64_t axis = n.axisAttr("axis", 0, rank);
  if (n.failed())
    return failure();
  SmallVector<int64_t> shape(rank, -1);
  return n.out(LibraryCall(n, "concat_from_sequence")
                   .set("axis", axis)
                   .set("new_axis", newAxis)
                   .tensor(n.in(0).elem, shape)({n.in(0)}));
}

LogicalResult importSplit(NodeBuilder &n) {
  Val x = n.in(0);
  if (!x.isTensor())
    return n.error("splits a value that is not a tensor");
  int64_t axis = n.axisAttr("axis", 0, x.rank());
  bool keepdims = n.has(1) || n.intAttr("keepdims", 1) != 0;
  if (n.failed())
    return failure();
  SmallVector<int64_t> shape(x.rank() - (keepdims ? 0 : 1),
                             ShapedType::kDynamic);
  mlir::Type element = RankedTensorType::get(shape, x.type().getElementType());
  SmallVector<Val> operands{x};
  if (n.has(1))
    operands.push_back(n.in(1));
  return n.out(LibraryCall(n, "split_to_sequence")
                   .set("axis", axis)
                   .set("keepdims", keepdims)
                   .setType("type", x.elem)
                   .result(sequenceOf(element), x.elem)(operands));
}

//===- Optionals ----------------------------------------------------------===//

LogicalResult importOptional(NodeBuilder &n) {
  if (!n.has(0)) {
    const auto *type = n.attr("type");
    if (!type || !type->type)
      return n.error("has neither a value nor a type");
    ElementType elem;
    std::string problem;
    mlir::Type inner =
        n.importer.convertType(*type->type, elem, nullptr, problem);
    if (!inner)
      return n.error("has a type that " + problem);
    return n.out(LibraryCall(n, "optional_empty")
                     .result(graph::OptionalType::get(n.b.getContext(), inner),
                             elem)({}));
  }
  Val v = n.in(0);
  if (isAnyRank(v.value.getType()))
    return n.out(v);
  return n.out(
      LibraryCall(n, "optional_make")
          .setType("type", v.isTensor() ? v.elem : ElementType::Undefined)
          .result(graph::OptionalType::get(n.b.getContext(), v.value.getType()),
                  v.elem)({v}));
}

LogicalResult importHasElement(NodeBuilder &n) {
  // Tensors and sequences are always present.
  if (!n.has(0))
    return n.out(n.scalar(ElementType::Bool, 0));
  if (!isa<graph::OptionalType>(n.in(0).value.getType()))
    return n.out(n.scalar(ElementType::Bool, 1));
  return n.out(LibraryCall(n, "optional_has_element")
                   .tensor(ElementType::Bool, {})({n.in(0)}));
}

LogicalResult importGetElement(NodeBuilder &n) {
  auto type = dyn_cast<graph::OptionalType>(n.in(0).value.getType());
  if (!type)
    return n.out(n.in(0));
  // Values of any rank stay in place; they are checked when used at run time.
  if (isAnyRank(type))
    return n.out(n.in(0));
  return n.out(LibraryCall(n, "optional_get_element")
                   .result(type.getElementType(), n.in(0).elem)({n.in(0)}));
}

} // namespace

void hone::onnx::addSequences(OpTable &table) {
  constexpr uint64_t sequence = 1; // or an optional: the first input
  table.add("SequenceConstruct", importConstruct, 1, kVariadic);
  table.add("SequenceEmpty", importEmpty, 0);
  table.addAny("SequenceAt", importAt, 2, 2, sequence);
  table.addAny("SequenceInsert", importInsert, 2, 3, sequence);
  table.addAny("SequenceErase", importErase, 1, 2, sequence);
  table.addAny("SequenceLength", importLength, 1, 1, sequence);
  table.addAny("ConcatFromSequence", importConcat, 1, 1, sequence);
  table.add("SplitToSequence", importSplit, 1, 2);
  table.addAny("Optional", importOptional, 0, 1, sequence);
  table.addAny("OptionalHasElement", importHasElement, 0, 1, sequence);
  table.addAny("OptionalGetElement", importGetElement, 1, 1, sequence);
}
