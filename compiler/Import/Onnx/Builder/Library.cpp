// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Calls of the runtime's library functions, and types of sequences.
#include "compiler/Import/Onnx/Builder/Library.h"
#include "compiler/Import/Onnx/Builder/AnyRank.h"
#include "compiler/Import/Onnx/Builder/GraphImporter.h"
#include "compiler/Import/Onnx/Builder/PackedTypes.h"
#include "dialects/Graph/Library.h"

#include "mlir/Dialect/UB/IR/UBOps.h"

using namespace mlir;
using namespace hone::onnx;
using hone::graph::LibraryFunction;
using hone::graph::LibraryKind;
using hone::graph::LibraryValue;

bool hone::onnx::isRuntimeNumber(ElementType elem) {
  return (isInteger(elem) && !isPacked(elem)) || elem == ElementType::Bool ||
         (isFloat(elem) && !isSmallFloat(elem));
}

namespace {

bool fits(const Val &v, LibraryKind kind) {
  ElementType elem = v.elem;
  switch (kind) {
  case LibraryKind::Any:
    return !isPacked(elem);
  case LibraryKind::Number:
    return isRuntimeNumber(elem);
  case LibraryKind::NumberOrText:
    return isRuntimeNumber(elem) || elem == ElementType::String;
  case LibraryKind::TokenOrText:
    return elem == ElementType::Int32 || elem == ElementType::Int64 ||
           elem == ElementType::String;
  case LibraryKind::KeyOrText:
    return elem == ElementType::Int64 || elem == ElementType::String;
  case LibraryKind::Int32:
    return elem == ElementType::Int32;
  case LibraryKind::Int:
    return elem == ElementType::Int32 || elem == ElementType::Int64;
  case LibraryKind::Int64:
    return elem == ElementType::Int64;
  case LibraryKind::Byte:
    return elem == ElementType::Uint8;
  case LibraryKind::Bool:
    return elem == ElementType::Bool;
  case LibraryKind::Float:
    return elem == ElementType::Float;
  case LibraryKind::FloatOrDouble:
    return elem == ElementType::Float || elem == ElementType::Double;
  case LibraryKind::Floating:
    return isFloat(elem) && !isSmallFloat(elem);
  case LibraryKind::Text:
    return elem == ElementType::String;
  case LibraryKind::Sequence:
    return isa<graph::SequenceType>(v.value.getType());
  case LibraryKind::Map:
    return isa<graph::MapType>(v.value.getType());
  case LibraryKind::Optional:
    return isa<graph::OptionalType>(v.value.getType());
  case LibraryKind::Value:
    return !v.isTensor() || !isPacked(elem);
  }
  llvm_unreachable("all are listed");
}

/// Whether a function accepts the operands; an error of the node otherwise.
bool takes(NodeBuilder &n, StringRef function, ArrayRef<Val> operands) {
  const LibraryFunction *signature = graph::findLibraryFunction(function);
  assert(signature && "a function that the runtime does not have");
  ArrayRef<LibraryValue> expected = signature->operands;
  for (auto [i, v] : llvm::enumerate(operands)) {
    if (i >= expected.size() && (expected.empty() || !expected.back().repeated))
      return n.fail("has more inputs than it takes"), false;
    const LibraryValue &wanted = expected[std::min(i, expected.size() - 1)];
    bool absent = !v || isa<NoneType>(v.value.getType());
    if (absent && wanted.optional)
      continue;
    if (absent)
      return n.fail("lacks an input that it needs"), false;
    bool isTensor = isTensorKind(wanted.kind);
    if (isTensor != v.isTensor() && wanted.kind != LibraryKind::Value)
      return n.fail(isTensor ? "needs a tensor where it has none"
                    : wanted.kind == LibraryKind::Map
                        ? "needs a map where it has none"
                        : "needs a sequence where it has none"),
             false;
    if (!fits(v, wanted.kind))
      return n.fail("does not take a tensor of " + elementTypeName(v.elem) +
                    " there"),
             false;
    if (isTensor && (v.rank() < wanted.minRank || v.rank() > wanted.maxRank))
      return n.fail("does not take a tensor of " + Twine(v.rank()) +
                    " dimensions there"),
             false;
    if (wanted.single && v.isStatic() && v.type().getNumElements() != 1)
      return n.fail("needs one number where it has " +
                    Twine(v.type().getNumElements())),
             false;
  }
  if (operands.size() < graph::requiredCount(expected))
    return n.fail("lacks an input that it needs"), false;
  return true;
}

} // namespace

LibraryCall &LibraryCall::tensor(ElementType elem, ArrayRef<int64_t> shape) {
  SmallVector<int64_t> dims;
  Sizes known;
  for (int64_t size : shape) {
    dims.push_back(size < 0 ? ShapedType::kDynamic : size);
    known.push_back(n.index(std::max<int64_t>(size, 0)));
  }
  return result(n.tensorType(elem, known).clone(dims), elem);
}

LibraryCall &LibraryCall::sized(ElementType elem, ArrayRef<Size> dims) {
  known.emplace_back(types.size(), Sizes(dims));
  return result(n.tensorType(elem, dims), elem);
}

SmallVector<Val> LibraryCall::call(ArrayRef<Val> operands) {
  if (!takes(n, function, operands)) {
    // Some values of these types, to continue after an error.
    SmallVector<Val> results;
    for (auto [type, elem] : llvm::zip(types, elems))
      results.push_back({ub::PoisonOp::create(n.b, n.loc, type), elem});
    return results;
  }
  SmallVector<mlir::Value> values;
  for (const Val &operand : operands)
    values.push_back(operand.value);
  DictionaryAttr dictionary =
      config.empty() ? DictionaryAttr() : n.b.getDictionaryAttr(config);
  auto op = graph::LibraryOp::create(
      n.b, n.loc, types, n.b.getStringAttr(function), values, dictionary);
  SmallVector<Val> results;
  for (auto [value, elem] : llvm::zip(op.getResults(), elems))
    results.push_back({value, elem});
  for (const auto &[i, dims] : known)
    n.dimBuilder.learn(results[i].value, dims);
  return results;
}

Val hone::onnx::texts(NodeBuilder &n, ArrayRef<StringRef> values) {
  auto type = RankedTensorType::get({static_cast<int64_t>(values.size())},
                                    graph::StringType::get(n.b.getContext()));
  return {graph::ConstantOp::create(n.b, n.loc,
                                    DenseStringElementsAttr::get(type, values)),
          ElementType::String};
}

Val hone::onnx::tensorAttr(NodeBuilder &n, StringRef name) {
  const Tensor *tensor = n.tensorAttr(name);
  if (!tensor)
    return {};
  std::string problem;
  if (std::optional<Val> value = n.importer.constant(*tensor, n.loc, problem))
    return *value;
  n.fail("its attribute '" + name + "': " + problem);
  return {};
}

Val hone::onnx::absentOperand(NodeBuilder &n) {
  return {ub::PoisonOp::create(n.b, n.loc, n.b.getNoneType())};
}

mlir::Type hone::onnx::sequenceOf(mlir::Type element) {
  if (auto tensor = dyn_cast<RankedTensorType>(element))
    element = RankedTensorType::get(
        SmallVector<int64_t>(tensor.getRank(), ShapedType::kDynamic),
        tensor.getElementType());
  return hone::graph::SequenceType::get(element.getContext(), element);
}

/// A type for the elements of two sequences or optionals, which may hold
/// tensors of different ranks.
static mlir::Type commonElement(mlir::Type a, mlir::Type b) {
  auto x = dyn_cast<TensorType>(a), y = dyn_cast<TensorType>(b);
  bool isOneRank =
      x && y && x.hasRank() && y.hasRank() && x.getRank() == y.getRank();
  if (!x || !y || isOneRank)
    return commonType(a, b);
  return x.getElementType() == y.getElementType()
             ? UnrankedTensorType::get(x.getElementType())
             : mlir::Type();
}

mlir::Type hone::onnx::commonType(mlir::Type a, mlir::Type b) {
  if (a == b)
    return a;
  auto left = dyn_cast<graph::SequenceType>(a);
  auto right = dyn_cast<graph::SequenceType>(b);
  if (left && right) {
    mlir::Type x = left.getElementType(), y = right.getElementType();
    // An empty sequence has elements of any rank.
    if (isa<UnrankedTensorType>(x))
      return b;
    if (isa<UnrankedTensorType>(y))
      return a;
    mlir::Type element = commonElement(x, y);
    return element ? graph::SequenceType::get(a.getContext(), element)
                   : mlir::Type();
  }
  auto leftOptional = dyn_cast<graph::OptionalType>(a);
  auto rightOptional = dyn_cast<graph::OptionalType>(b);
  if (leftOptional && rightOptional) {
    mlir::Type element = commonElement(leftOptional.getElementType(),
                                       rightOptional.getElementType());
    return element ? graph::OptionalType::get(a.getContext(), element)
                   : mlir::Type();
  }
  // A value that may be absent, and one that never is.
  if (leftOptional || rightOptional) {
    mlir::Type element =
        commonElement(leftOptional ? leftOptional.getElementType() : a,
                      rightOptional ? rightOptional.getElementType() : b);
    return element ? graph::OptionalType::get(a.getContext(), element)
                   : mlir::Type();
  }
  auto x = dyn_cast<RankedTensorType>(a), y = dyn_cast<RankedTensorType>(b);
  if (!x || !y || x.getElementType() != y.getElementType())
    return {};
  if (x.getRank() != y.getRank())
    return anyRankOf(x.getElementType());
  SmallVector<int64_t> shape;
  for (auto [p, q] : llvm::zip(x.getShape(), y.getShape()))
    shape.push_back(p == q ? p : ShapedType::kDynamic);
  return RankedTensorType::get(shape, x.getElementType());
}
