// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Counts what an ONNX file holds.
#include "compiler/Import/Onnx/Inspection.h"
#include "compiler/Import/ModelFile.h"
#include "compiler/Import/Onnx/Builder/CustomOperators.h"
#include "compiler/Import/Onnx/Builder/OpTable.h"
#include "compiler/Import/Onnx/Reader/Reader.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/Path.h"

using namespace hone::onnx;
using llvm::StringRef;

static const char *kindName(TypeKind kind) {
  switch (kind) {
  case TypeKind::None:
    return "none";
  case TypeKind::Tensor:
    return "tensor";
  case TypeKind::Sequence:
    return "sequence";
  case TypeKind::Optional:
    return "optional";
  case TypeKind::Map:
    return "map";
  case TypeKind::SparseTensor:
    return "sparse_tensor";
  case TypeKind::Opaque:
    return "opaque";
  }
  return "none";
}

static std::string typeText(const TypeProto &type) {
  std::string inner = type.inner ? typeText(*type.inner) : "?";
  if (type.kind == TypeKind::Map)
    return "map(" + elementTypeName(type.element) + ", " + inner + ")";
  if (type.kind == TypeKind::Sequence || type.kind == TypeKind::Optional)
    return std::string(kindName(type.kind)) + "(" + inner + ")";
  if (type.kind == TypeKind::None || type.kind == TypeKind::Opaque)
    return kindName(type.kind);
  std::string text = elementTypeName(type.element);
  if (!type.hasShape)
    return text;
  text += '[';
  for (size_t i = 0; i < type.shape.size(); ++i) {
    const Dimension &dim = type.shape[i];
    text += i ? "," : "";
    text += dim.size >= 0      ? std::to_string(dim.size)
            : dim.name.empty() ? "?"
                               : dim.name.str();
  }
  return text + "]";
}

static InspectedValue inspectValue(const ValueInfo &info) {
  InspectedValue value;
  value.name = info.name;
  value.kind = kindName(info.type.kind);
  const TypeProto *type = &info.type;
  while (type->inner)
    type = type->inner.get();
  value.type = elementTypeName(type->element);
  value.text = typeText(info.type);
  if (!info.type.hasShape)
    return value;
  value.dims.emplace();
  for (const Dimension &dim : info.type.shape)
    value.dims->push_back({dim.size, dim.name.str()});
  return value;
}

namespace {

class Inspector {
public:
  Inspector(const Model &model, const CustomOperatorSet &custom,
            Inspection &result)
      : model(model), custom(custom), result(result) {}
  void run();

private:
  void addGraph(const Graph &graph);
  void addNodes(llvm::ArrayRef<Node> nodes);
  void addWeight(const Tensor &tensor);
  OperatorKind kindOf(const Node &node) const;

  const Model &model;
  const CustomOperatorSet &custom;
  Inspection &result;
  std::map<std::pair<StringRef, StringRef>, InspectedOperator> operators;
};

} // namespace

OperatorKind Inspector::kindOf(const Node &node) const {
  bool isFunction = llvm::any_of(model.functions, [&](const Function &f) {
    return f.domain == node.domain && f.name == node.opType;
  });
  if (isFunction)
    return OperatorKind::Function;
  if (OpTable::get().find(node.domain, node.opType))
    return OperatorKind::Supported;
  return isCustom(custom, node, INT64_MAX) ? OperatorKind::Custom
                                           : OperatorKind::Unsupported;
}

/// Sizes in a file can be any numbers.
static void addSaturated(int64_t &sum, int64_t part) {
  if (llvm::AddOverflow(sum, std::max<int64_t>(part, 0), sum))
    sum = std::numeric_limits<int64_t>::max();
}

/// The size in the file: data that is missing counts as well.
void Inspector::addWeight(const Tensor &tensor) {
  InspectedWeights &weights = result.weights[elementTypeName(tensor.type)];
  int64_t elements = elementCount(tensor.dims);
  int64_t bytes = elements < 0 ? -1 : packedBytes(tensor.type, elements);
  for (StringRef text : tensor.strings)
    addSaturated(bytes, text.size());
  ++weights.tensors;
  addSaturated(weights.elements, elements);
  addSaturated(weights.bytes, bytes);
}

void Inspector::addNodes(llvm::ArrayRef<Node> nodes) {
  for (const Node &node : nodes) {
    auto [entry, isNew] = operators.try_emplace({node.domain, node.opType});
    if (isNew)
      entry->second = {node.domain.str(), node.opType.str(), kindOf(node)};
    ++entry->second.count;
    ++result.nodes;
    for (const AttributeProto &attribute : node.attributes) {
      for (const Tensor &tensor : attribute.tensors)
        addWeight(tensor);
      for (const Graph &graph : attribute.graphs)
        addGraph(graph);
    }
  }
}

void Inspector::addGraph(const Graph &graph) {
  for (const Tensor &tensor : graph.initializers)
    addWeight(tensor);
  addNodes(graph.nodes);
}

void Inspector::run() {
  result.irVersion = model.irVersion;
  result.producer = model.producer;
  result.graph = model.graph.name;
  for (const OpsetImport &opset : model.opsets)
    result.opsets.push_back({opset.domain.str(), opset.version});
  llvm::StringSet<> constants;
  for (const Tensor &tensor : model.graph.initializers)
    constants.insert(tensor.name);
  for (const ValueInfo &input : model.graph.inputs)
    if (!constants.contains(input.name))
      result.inputs.push_back(inspectValue(input));
  for (const ValueInfo &output : model.graph.outputs)
    result.outputs.push_back(inspectValue(output));
  addGraph(model.graph);
  for (const Function &function : model.functions)
    addNodes(function.nodes);
  result.functions = model.functions.size();
  for (auto &[key, found] : operators)
    result.operators.push_back(found);
  llvm::sort(result.operators,
             [](const InspectedOperator &a, const InspectedOperator &b) {
               return std::tuple(-a.count, a.domain, a.name) <
                      std::tuple(-b.count, b.domain, b.name);
             });
  result.externalFiles = {model.externalFiles.begin(),
                          model.externalFiles.end()};
  for (const auto &[name, value] : model.metadata)
    result.metadata.push_back({name.str(), value.str()});
}

llvm::Expected<Inspection>
hone::onnx::inspectOnnx(StringRef path, const CustomOperatorSet &custom) {
  auto file = openModelFile(path, /*isText=*/false);
  if (!file)
    return file.takeError();
  StringRef folder = llvm::sys::path::parent_path(path);
  llvm::Expected<Model> model = readModel(
      (*file)->getBuffer(), path, folder.empty() ? StringRef(".") : folder);
  if (!model)
    return model.takeError();
  Inspection result;
  result.fileBytes = (*file)->getBufferSize();
  Inspector(*model, custom, result).run();
  return result;
}
