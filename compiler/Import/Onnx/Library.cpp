// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Calls of the runtime's library functions, and types of sequences.
#include "compiler/Import/Onnx/Library.h"
#include "compiler/Import/Onnx/GraphImporter.h"

#include "mlir/Dialect/UB/IR/UBOps.h"

using namespace mlir;
using namespace hone::onnx;

LibraryCall &LibraryCall::tensor(ElementType elem, ArrayRef<int64_t> shape) {
  SmallVector<int64_t> dims;
  for (int64_t size : shape)
    dims.push_back(size < 0 ? ShapedType::kDynamic : size);
  return result(
      RankedTensorType::get(dims, storageType(n.b.getContext(), elem)), elem);
}

LibraryCall &LibraryCall::sized(ElementType elem, ArrayRef<Size> dims) {
  known.emplace_back(types.size(), Sizes(dims));
  return result(n.tensorType(elem, dims), elem);
}

SmallVector<Val> LibraryCall::call(ArrayRef<Val> operands) {
  SmallVector<Value> values;
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
    mlir::Type element = commonType(x, y);
    // Tensors of different ranks are one sequence still.
    auto p = dyn_cast<RankedTensorType>(x), q = dyn_cast<RankedTensorType>(y);
    if (!element && p && q && p.getElementType() == q.getElementType())
      element = UnrankedTensorType::get(p.getElementType());
    return element ? graph::SequenceType::get(a.getContext(), element)
                   : mlir::Type();
  }
  auto leftOptional = dyn_cast<graph::OptionalType>(a);
  auto rightOptional = dyn_cast<graph::OptionalType>(b);
  if (leftOptional && rightOptional) {
    mlir::Type element = commonType(leftOptional.getElementType(),
                                    rightOptional.getElementType());
    return element ? graph::OptionalType::get(a.getContext(), element)
                   : mlir::Type();
  }
  auto x = dyn_cast<RankedTensorType>(a), y = dyn_cast<RankedTensorType>(b);
  if (!x || !y || x.getRank() != y.getRank() ||
      x.getElementType() != y.getElementType())
    return {};
  SmallVector<int64_t> shape;
  for (auto [p, q] : llvm::zip(x.getShape(), y.getShape()))
    shape.push_back(p == q ? p : ShapedType::kDynamic);
  return RankedTensorType::get(shape, x.getElementType());
}
