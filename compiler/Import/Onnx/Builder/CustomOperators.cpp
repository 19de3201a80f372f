// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Calls shape functions of the user for sizes that may not be known, and
// records what the runtime will pass them.
#include "compiler/Import/Onnx/Builder/CustomOperators.h"
#include "compiler/Import/Onnx/Builder/GraphImporter.h"
#include "compiler/Import/Onnx/Builder/Library.h"
#include "dialects/Rt/Rt.h"

#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace hone::onnx;

/// What a shape function gets for a size that is not known: numbers so far
/// apart that arithmetic hardly makes one of another.
static constexpr int64_t kFirstUnknown = -(int64_t(1) << 30), kStep = 4099;
/// Larger than any size; products of such numbers are.
static constexpr int64_t kLargestSize = int64_t(1) << 48;

static const hone_custom_operator *find(const CustomOperatorSet &operators,
                                        const Node &node, int64_t opset) {
  // No name of a table has a NUL.
  if (node.domain.contains('\0') || node.opType.contains('\0'))
    return nullptr;
  return hone_custom_find(operators.table, node.domain.str().c_str(),
                          node.opType.str().c_str(), opset);
}

bool hone::onnx::isCustom(const CustomOperatorSet &operators, const Node &node,
                          int64_t opset) {
  return find(operators, node, opset) ||
         operators.named.contains((node.domain + ":" + node.opType).str());
}

namespace {

/// One node: its shape function is called, and becomes a call at run time.
class CustomNode {
public:
  /// `op` is null if the compiler does not have it.
  CustomNode(NodeBuilder &n, const hone_custom_operator *op) : n(n), op(op) {}

  LogicalResult import();

private:
  LogicalResult readInputs();
  LogicalResult readAttributes();
  LogicalResult callShape();
  LogicalResult readOutput(size_t i);
  LogicalResult declareOutput(size_t i);
  std::optional<Size> sizeOf(int64_t given);
  LogicalResult makeCall();

  NodeBuilder &n;
  const hone_custom_operator *op;
  SmallVector<SmallVector<int64_t>> inputDims;
  SmallVector<hone_tensor> inputs, outputs;
  SmallVector<std::array<int64_t, HONE_MAX_RANK>> outputDims;
  Sizes unknown; ///< that a shape function has a number for
  /// Of each output; a size that is known at run time only is empty.
  SmallVector<SmallVector<std::optional<Size>>> sizes;

  SmallVector<hone_attribute> attributes;
  SmallVector<std::vector<hone_string>> texts;
  NamedAttrList recorded;
};

} // namespace

LogicalResult CustomNode::readInputs() {
  for (size_t i = 0; i < n.numInputs(); ++i) {
    SmallVector<int64_t> &dims = inputDims.emplace_back();
    if (!n.has(i))
      continue;
    Val v = n.in(i);
    if (!v.isTensor() || !isRuntimeNumber(v.elem))
      return n.error("a custom operator takes tensors of numbers and bool, and "
                     "its input " +
                     Twine(i) + " is none");
    for (Size size : n.dims(v)) {
      std::optional<int64_t> known = NodeBuilder::known(size);
      auto same = llvm::find_if(
          unknown, [&](Size other) { return n.same(size, other); });
      if (!known && same == unknown.end()) {
        unknown.push_back(size);
        same = std::prev(unknown.end());
      }
      dims.push_back(known
                         ? *known
                         : kFirstUnknown - kStep * static_cast<int64_t>(
                                                       same - unknown.begin()));
    }
  }
  for (size_t i = 0; i < n.numInputs(); ++i) {
    bool has = n.has(i);
    inputs.push_back(
        {nullptr, inputDims[i].data(),
         static_cast<int32_t>(inputDims[i].size()),
         static_cast<int32_t>(has ? n.in(i).elem : ElementType::Undefined)});
  }
  return success();
}

LogicalResult CustomNode::readAttributes() {
  texts.reserve(n.node.attributes.size());
  for (const AttributeProto &own : n.node.attributes) {
    const AttributeProto *attr = n.attr(own.name);
    if (!attr) // the enclosing function's, which is not given
      continue;
    if (recorded.get(own.name))
      return n.error("has the attribute '" + own.name + "' twice");
    StringAttr name = n.b.getStringAttr(own.name);
    auto add = [&](hone_attribute_kind kind, const void *data, size_t count,
                   Attribute value) {
      attributes.push_back(
          {name.getValue().data(), data, static_cast<int64_t>(count), kind, 0});
      recorded.set(name, value);
    };
    auto addInts = [&](ArrayRef<int64_t> values) {
      add(HONE_ATTRIBUTE_INTS, values.data(), values.size(),
          n.b.getDenseI64ArrayAttr(values));
    };
    auto addFloats = [&](ArrayRef<float> values) {
      add(HONE_ATTRIBUTE_FLOATS, values.data(), values.size(),
          n.b.getDenseF32ArrayAttr(values));
    };
    auto addTexts = [&](ArrayRef<StringRef> values) {
      std::vector<hone_string> &strings = texts.emplace_back();
      for (StringRef text : values)
        strings.push_back({text.data(), text.size()});
      add(HONE_ATTRIBUTE_STRINGS, strings.data(), strings.size(),
          n.b.getStrArrayAttr(values));
    };
    switch (attr->kind) {
    case AttributeKind::Int:
      addInts(attr->i);
      break;
    case AttributeKind::Ints:
      addInts(attr->ints);
      break;
    case AttributeKind::Float:
      addFloats(attr->f);
      break;
    case AttributeKind::Floats:
      addFloats(attr->floats);
      break;
    case AttributeKind::String:
      addTexts(attr->s);
      break;
    case AttributeKind::Strings:
      addTexts(attr->strings);
      break;
    default:
      return n.error("the attribute '" + own.name +
                     "' is none of integers, floats and strings, which are "
                     "what a custom operator can have");
    }
  }
  return success();
}

LogicalResult CustomNode::callShape() {
  outputDims.resize(n.numOutputs());
  for (auto &dims : outputDims) {
    dims.fill(HONE_DIM_UNKNOWN);
    outputs.push_back({nullptr, dims.data(), -1, HONE_TYPE_UNDEFINED});
  }
  char message[256] = "";
  hone_custom_call call = {};
  call.size = sizeof call;
  call.input_count = inputs.size();
  call.output_count = outputs.size();
  call.attribute_count = attributes.size();
  call.inputs = inputs.data();
  call.outputs = outputs.data();
  call.output_dims =
      reinterpret_cast<int64_t (*)[HONE_MAX_RANK]>(outputDims.data());
  call.attributes = attributes.data();
  call.threads = 1;
  call.message = message;
  call.message_bytes = sizeof message;
  call.op = op;
  if (op->shape(&call) == 0)
    return success();
  message[sizeof message - 1] = 0;
  return n.error(*message ? message : "its shape function failed");
}

/// The size that a shape function means; nothing for one that is known at run
/// time only.
std::optional<Size> CustomNode::sizeOf(int64_t given) {
  if (given >= 0)
    return given > kLargestSize && !unknown.empty()
               ? std::nullopt
               : std::optional<Size>(n.index(given));
  if (given > kFirstUnknown || (kFirstUnknown - given) % kStep != 0)
    return std::nullopt;
  size_t number = (kFirstUnknown - given) / kStep;
  return number < unknown.size() ? std::optional<Size>(unknown[number])
                                 : std::nullopt;
}

LogicalResult CustomNode::readOutput(size_t i) {
  const hone_tensor &given = outputs[i];
  auto type = static_cast<ElementType>(given.type);
  std::string what = "its shape function gives output " + std::to_string(i);
  if (given.type <= 0 || given.type >= HONE_TYPE_COUNT ||
      !isRuntimeNumber(type))
    return n.error(what + " the type " + Twine(given.type) +
                   ", which is none of numbers and bool");
  if (given.rank < 0 || given.rank > HONE_MAX_RANK)
    return n.error(what + " the rank " + Twine(given.rank));
  SmallVector<std::optional<Size>> &own = sizes.emplace_back();
  for (int64_t size : ArrayRef(outputDims[i]).take_front(given.rank))
    own.push_back(sizeOf(size));
  return success();
}

LogicalResult CustomNode::makeCall() {
  LibraryCall call(n, hone::rt::kCustomFunction);
  SmallVector<int32_t> types;
  for (const hone_tensor &input : inputs)
    types.push_back(input.type);
  for (auto [output, dims] : llvm::zip_equal(outputs, sizes)) {
    types.push_back(output.type);
    SmallVector<int64_t> shape;
    for (std::optional<Size> size : dims)
      shape.push_back(size ? NodeBuilder::known(*size).value_or(-1) : -1);
    call.tensor(static_cast<ElementType>(output.type), shape);
  }
  SmallVector<NamedAttribute> entries = {
      n.b.getNamedAttr("domain", n.b.getStringAttr(n.node.domain)),
      n.b.getNamedAttr("name", n.b.getStringAttr(n.node.opType)),
      n.b.getNamedAttr("version", n.b.getI64IntegerAttr(n.opset)),
      n.b.getNamedAttr("types", n.b.getDenseI32ArrayAttr(types)),
      n.b.getNamedAttr("attributes", recorded.getDictionary(n.b.getContext()))};
  if (op)
    entries.push_back(n.b.getNamedAttr("linked", n.b.getUnitAttr()));
  call.set("node", n.importer.addCustomNode(n.b.getDictionaryAttr(entries)));

  SmallVector<Val> operands;
  for (size_t i = 0; i < n.numInputs(); ++i)
    operands.push_back(n.has(i) ? n.in(i) : absentOperand(n));
  SmallVector<Val> results = call.call(operands);
  for (auto [i, result] : llvm::enumerate(results)) {
    Sizes dims = n.dims(result);
    for (auto [axis, size] : llvm::enumerate(sizes[i]))
      dims[axis] = size.value_or(dims[axis]);
    n.out(i, n.withDims(result, dims, "sizes of its output"));
  }
  return failure(n.failed());
}

/// The type that the file gives an output.
LogicalResult CustomNode::declareOutput(size_t i) {
  StringRef name = n.node.outputs[i];
  const TypeProto *type = n.importer.declaredType(name);
  if (!type || type->kind != TypeKind::Tensor || !type->hasShape ||
      !isRuntimeNumber(type->element))
    return n.error("the file does not say what tensor its output '" + name +
                   "' is (value_info, with a rank); the compiler does not have "
                   "the operator, and cannot tell");
  if (type->shape.size() > HONE_MAX_RANK)
    return n.error("its output '" + name + "' has more than " +
                   Twine(HONE_MAX_RANK) + " dimensions");
  SmallVector<std::optional<Size>> &own = sizes.emplace_back();
  for (const Dimension &dim : type->shape) {
    if (dim.size >= 0)
      own.push_back(n.index(dim.size));
    else
      own.push_back(n.importer.sizeNamed(dim.name));
  }
  outputs.push_back({nullptr, nullptr, static_cast<int32_t>(own.size()),
                     static_cast<int32_t>(type->element)});
  return success();
}

LogicalResult CustomNode::import() {
  if (failed(readInputs()) || failed(readAttributes()) ||
      (op && failed(callShape())))
    return failure();
  for (size_t i = 0; i < n.numOutputs(); ++i)
    if (failed(op ? readOutput(i) : declareOutput(i)))
      return failure();
  return makeCall();
}

LogicalResult hone::onnx::importCustom(NodeBuilder &n,
                                       const CustomOperatorSet &operators) {
  return CustomNode(n, find(operators, n.node, n.opset)).import();
}
