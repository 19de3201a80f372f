// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reads ONNX's protobuf messages. The only file of the importer compiled with
// exceptions: protozero throws them for bytes that are not protobuf, and
// parseModel turns them into an llvm::Error.
#include "compiler/Import/Onnx/Reader/Reader.h"
#include "compiler/Import/ForeignFile.h"
#include "compiler/Import/Onnx/Reader/TensorData.h"

#include "llvm/ADT/Twine.h"

#include <protozero/pbf_reader.hpp>
#include <stdexcept>

using namespace hone::onnx;
using llvm::StringRef;
using protozero::pbf_reader;
using protozero::pbf_wire_type;
using protozero::tag_and_type;

namespace {

constexpr int kMaxGraphDepth = 64;
constexpr int kMaxTypeDepth = 16;
constexpr size_t kMaxRank = 64;
/// Bytes of all sparse tensors when they are made dense: a few bytes of a file
/// must not request gigabytes. More of them for each byte in the file.
constexpr int64_t kFreeDenseBytes = int64_t(512) << 20, kMaxSparsity = 16;

constexpr auto kBytes = pbf_wire_type::length_delimited;
constexpr auto kVarint = pbf_wire_type::varint;
constexpr auto kFixed32 = pbf_wire_type::fixed32;
constexpr auto kFixed64 = pbf_wire_type::fixed64;

/// An invalid message, as opposed to bytes that are not protobuf.
struct FormatError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

StringRef view(pbf_reader &message) {
  protozero::data_view v = message.get_view();
  return StringRef(v.data(), v.size());
}

/// Repeated integers may be packed or not, whatever the .proto says.
template <typename Container>
bool readInts(pbf_reader &message, uint32_t tag, Container &out) {
  if (message.tag() != tag)
    return false;
  if (message.wire_type() == kVarint) {
    out.push_back(message.get_int64());
    return true;
  }
  if (message.wire_type() != kBytes)
    return false;
  for (int64_t value : message.get_packed_int64())
    out.push_back(value);
  return true;
}

class Parser {
public:
  explicit Parser(StringRef folder) : folder(folder) {}

  Model readModel(StringRef bytes);

private:
  Graph readGraph(pbf_reader message, int depth);
  Node readNode(pbf_reader message, int depth);
  AttributeProto readAttribute(pbf_reader message, int depth);
  Tensor readTensor(pbf_reader message);
  Tensor readSparseTensor(pbf_reader message);
  ValueInfo readValueInfo(pbf_reader message);
  TypeProto readType(pbf_reader message, int depth);
  void readTensorType(pbf_reader message, TypeProto &type);
  Dimension readDimension(pbf_reader message);
  Function readFunction(pbf_reader message);
  OpsetImport readOpset(pbf_reader message);
  std::pair<StringRef, StringRef> readEntry(pbf_reader message);

  StringRef folder;
  std::set<std::string> externalFiles;
  int64_t denseBytesLeft = kFreeDenseBytes;
};

Model Parser::readModel(StringRef bytes) {
  Model model;
  bool hasGraph = false;
  pbf_reader message(bytes.data(), bytes.size());
  while (message.next()) {
    switch (message.tag_and_type()) {
    case tag_and_type(1, kVarint):
      model.irVersion = message.get_int64();
      break;
    case tag_and_type(2, kBytes):
      model.producer = view(message);
      break;
    case tag_and_type(7, kBytes):
      model.graph = readGraph(message.get_message(), 0);
      hasGraph = true;
      break;
    case tag_and_type(8, kBytes):
      model.opsets.push_back(readOpset(message.get_message()));
      break;
    case tag_and_type(14, kBytes):
      model.metadata.push_back(readEntry(message.get_message()));
      break;
    case tag_and_type(25, kBytes):
      model.functions.push_back(readFunction(message.get_message()));
      break;
    default:
      message.skip();
    }
  }
  if (!hasGraph)
    throw FormatError("it holds no graph");
  model.externalFiles = std::move(externalFiles);
  return model;
}

Graph Parser::readGraph(pbf_reader message, int depth) {
  if (depth > kMaxGraphDepth)
    throw FormatError("graphs are nested more than 64 deep");
  Graph graph;
  while (message.next()) {
    switch (message.tag_and_type()) {
    case tag_and_type(1, kBytes):
      graph.nodes.push_back(readNode(message.get_message(), depth));
      break;
    case tag_and_type(2, kBytes):
      graph.name = view(message);
      break;
    case tag_and_type(5, kBytes):
      graph.initializers.push_back(readTensor(message.get_message()));
      break;
    case tag_and_type(11, kBytes):
      graph.inputs.push_back(readValueInfo(message.get_message()));
      break;
    case tag_and_type(12, kBytes):
      graph.outputs.push_back(readValueInfo(message.get_message()));
      break;
    case tag_and_type(13, kBytes):
      graph.values.push_back(readValueInfo(message.get_message()));
      break;
    case tag_and_type(15, kBytes):
      graph.initializers.push_back(readSparseTensor(message.get_message()));
      break;
    default:
      message.skip();
    }
  }
  return graph;
}

Node Parser::readNode(pbf_reader message, int depth) {
  Node node;
  while (message.next()) {
    switch (message.tag_and_type()) {
    case tag_and_type(1, kBytes):
      node.inputs.push_back(view(message));
      break;
    case tag_and_type(2, kBytes):
      node.outputs.push_back(view(message));
      break;
    case tag_and_type(3, kBytes):
      node.name = view(message);
      break;
    case tag_and_type(4, kBytes):
      node.opType = view(message);
      break;
    case tag_and_type(5, kBytes):
      node.attributes.push_back(readAttribute(message.get_message(), depth));
      break;
    case tag_and_type(7, kBytes):
      node.domain = view(message);
      break;
    case tag_and_type(8, kBytes):
      node.overload = view(message);
      break;
    default:
      message.skip();
    }
  }
  node.domain = canonicalDomain(node.domain);
  return node;
}

/// Files of IR version 1 and 2 do not say which field of an attribute counts.
AttributeKind guessKind(const AttributeProto &a, uint32_t fields) {
  for (auto [tag, kind] : {std::pair(2, AttributeKind::Float),
                           {3, AttributeKind::Int},
                           {4, AttributeKind::String},
                           {5, AttributeKind::Tensor},
                           {6, AttributeKind::Graph},
                           {7, AttributeKind::Floats},
                           {8, AttributeKind::Ints},
                           {9, AttributeKind::Strings},
                           {10, AttributeKind::Tensors},
                           {11, AttributeKind::Graphs}})
    if (fields & (1u << tag))
      return kind;
  return AttributeKind::Undefined;
}

AttributeProto Parser::readAttribute(pbf_reader message, int depth) {
  AttributeProto attr;
  uint32_t fields = 0;
  while (message.next()) {
    uint32_t tag = message.tag();
    if (tag < 32)
      fields |= 1u << tag;
    if (readInts(message, 8, attr.ints))
      continue;
    switch (message.tag_and_type()) {
    case tag_and_type(1, kBytes):
      attr.name = view(message);
      break;
    case tag_and_type(2, kFixed32):
      attr.f = message.get_float();
      break;
    case tag_and_type(3, kVarint):
      attr.i = message.get_int64();
      break;
    case tag_and_type(4, kBytes):
      attr.s = view(message);
      break;
    case tag_and_type(5, kBytes):
    case tag_and_type(10, kBytes):
      attr.tensors.push_back(readTensor(message.get_message()));
      break;
    case tag_and_type(6, kBytes):
    case tag_and_type(11, kBytes):
      attr.graphs.push_back(readGraph(message.get_message(), depth + 1));
      break;
    case tag_and_type(7, kBytes):
      for (float value : message.get_packed_float())
        attr.floats.push_back(value);
      break;
    case tag_and_type(7, kFixed32):
      attr.floats.push_back(message.get_float());
      break;
    case tag_and_type(9, kBytes):
      attr.strings.push_back(view(message));
      break;
    case tag_and_type(14, kBytes):
      attr.type =
          std::make_unique<TypeProto>(readType(message.get_message(), 0));
      break;
    case tag_and_type(20, kVarint):
      attr.kind = static_cast<AttributeKind>(message.get_int32());
      break;
    case tag_and_type(21, kBytes):
      attr.refName = view(message);
      break;
    case tag_and_type(22, kBytes):
    case tag_and_type(23, kBytes):
      attr.tensors.push_back(readSparseTensor(message.get_message()));
      break;
    default:
      message.skip();
    }
  }
  if (attr.kind == AttributeKind::Undefined)
    attr.kind = guessKind(attr, fields);
  return attr;
}

Tensor Parser::readTensor(pbf_reader message) {
  Tensor tensor;
  TensorPayload payload;
  while (message.next()) {
    if (readInts(message, 1, tensor.dims) ||
        readInts(message, 5, payload.ints) ||
        readInts(message, 7, payload.ints))
      continue;
    switch (message.tag_and_type()) {
    case tag_and_type(2, kVarint):
      tensor.type = static_cast<ElementType>(message.get_int32());
      break;
    case tag_and_type(4, kBytes):
      payload.floatChunks.push_back(view(message));
      break;
    case tag_and_type(4, kFixed32): {
      float value = message.get_float();
      payload.addFloat(StringRef(reinterpret_cast<char *>(&value), 4));
      break;
    }
    case tag_and_type(6, kBytes):
      tensor.strings.push_back(view(message));
      break;
    case tag_and_type(8, kBytes):
      tensor.name = view(message);
      break;
    case tag_and_type(9, kBytes):
      payload.raw = view(message);
      payload.hasRaw = true;
      break;
    case tag_and_type(10, kBytes):
      payload.floatChunks.push_back(view(message));
      break;
    case tag_and_type(10, kFixed64): {
      double value = message.get_double();
      payload.addFloat(StringRef(reinterpret_cast<char *>(&value), 8));
      break;
    }
    case tag_and_type(11, kBytes):
      for (uint64_t value : message.get_packed_uint64())
        payload.ints.push_back(static_cast<int64_t>(value));
      break;
    case tag_and_type(11, kVarint):
      payload.ints.push_back(static_cast<int64_t>(message.get_uint64()));
      break;
    case tag_and_type(13, kBytes):
      payload.external.push_back(readEntry(message.get_message()));
      break;
    case tag_and_type(14, kVarint):
      payload.isExternal = message.get_int32() == 1;
      break;
    case tag_and_type(3, kBytes):
      payload.segmented = true;
      message.skip();
      break;
    default:
      message.skip();
    }
  }
  if (tensor.dims.size() > kMaxRank)
    throw FormatError("tensor '" + tensor.name.str() +
                      "' has more than 64 dimensions");
  resolveTensorData(tensor, payload, folder);
  for (auto [key, value] : payload.external)
    if (key == "location" && !tensor.data.empty())
      externalFiles.insert((folder + "/" + value).str());
  return tensor;
}

Tensor Parser::readSparseTensor(pbf_reader message) {
  denseBytesLeft += kMaxSparsity * message.length();
  Tensor values, indices;
  std::vector<int64_t> dims;
  while (message.next()) {
    if (readInts(message, 3, dims))
      continue;
    switch (message.tag_and_type()) {
    case tag_and_type(1, kBytes):
      values = readTensor(message.get_message());
      break;
    case tag_and_type(2, kBytes):
      indices = readTensor(message.get_message());
      break;
    default:
      message.skip();
    }
  }
  if (dims.size() > kMaxRank)
    throw FormatError("a sparse tensor has more than 64 dimensions");
  return makeDense(std::move(values), indices, dims, denseBytesLeft);
}

ValueInfo Parser::readValueInfo(pbf_reader message) {
  ValueInfo info;
  while (message.next()) {
    switch (message.tag_and_type()) {
    case tag_and_type(1, kBytes):
      info.name = view(message);
      break;
    case tag_and_type(2, kBytes):
      info.type = readType(message.get_message(), 0);
      break;
    default:
      message.skip();
    }
  }
  return info;
}

Dimension Parser::readDimension(pbf_reader message) {
  Dimension dimension;
  while (message.next()) {
    switch (message.tag_and_type()) {
    case tag_and_type(1, kVarint):
      dimension.size = message.get_int64();
      break;
    case tag_and_type(2, kBytes):
      dimension.name = view(message);
      break;
    default:
      message.skip();
    }
  }
  return dimension;
}

/// TypeProto.Tensor and TypeProto.SparseTensor, which have the same fields.
void Parser::readTensorType(pbf_reader message, TypeProto &type) {
  while (message.next()) {
    switch (message.tag_and_type()) {
    case tag_and_type(1, kVarint):
      type.element = static_cast<ElementType>(message.get_int32());
      break;
    case tag_and_type(2, kBytes): {
      type.hasShape = true;
      pbf_reader shape = message.get_message();
      while (shape.next()) {
        if (shape.tag_and_type() == tag_and_type(1, kBytes))
          type.shape.push_back(readDimension(shape.get_message()));
        else
          shape.skip();
      }
      break;
    }
    default:
      message.skip();
    }
  }
  if (type.shape.size() > kMaxRank)
    throw FormatError("a value has more than 64 dimensions");
}

TypeProto Parser::readType(pbf_reader message, int depth) {
  if (depth > kMaxTypeDepth)
    throw FormatError("types are nested more than 16 deep");
  TypeProto type;
  // Sequence and optional: the element type is field 1; map: the value type is
  // field 2.
  auto readInner = [&](pbf_reader inner, uint32_t tag) {
    while (inner.next()) {
      if (inner.tag_and_type() == tag_and_type(tag, kBytes))
        type.inner = std::make_unique<TypeProto>(
            readType(inner.get_message(), depth + 1));
      else if (inner.tag_and_type() == tag_and_type(1, kVarint))
        type.element = static_cast<ElementType>(inner.get_int32());
      else
        inner.skip();
    }
  };
  while (message.next()) {
    switch (message.tag_and_type()) {
    case tag_and_type(1, kBytes):
      type.kind = TypeKind::Tensor;
      readTensorType(message.get_message(), type);
      break;
    case tag_and_type(4, kBytes):
      type.kind = TypeKind::Sequence;
      readInner(message.get_message(), 1);
      break;
    case tag_and_type(5, kBytes):
      type.kind = TypeKind::Map;
      readInner(message.get_message(), 2);
      break;
    case tag_and_type(7, kBytes):
      type.kind = TypeKind::Opaque;
      message.skip();
      break;
    case tag_and_type(8, kBytes):
      type.kind = TypeKind::SparseTensor;
      readTensorType(message.get_message(), type);
      break;
    case tag_and_type(9, kBytes):
      type.kind = TypeKind::Optional;
      readInner(message.get_message(), 1);
      break;
    default:
      message.skip();
    }
  }
  return type;
}

OpsetImport Parser::readOpset(pbf_reader message) {
  OpsetImport opset;
  while (message.next()) {
    switch (message.tag_and_type()) {
    case tag_and_type(1, kBytes):
      opset.domain = view(message);
      break;
    case tag_and_type(2, kVarint):
      opset.version = message.get_int64();
      break;
    default:
      message.skip();
    }
  }
  opset.domain = canonicalDomain(opset.domain);
  return opset;
}

std::pair<StringRef, StringRef> Parser::readEntry(pbf_reader message) {
  std::pair<StringRef, StringRef> entry;
  while (message.next()) {
    switch (message.tag_and_type()) {
    case tag_and_type(1, kBytes):
      entry.first = view(message);
      break;
    case tag_and_type(2, kBytes):
      entry.second = view(message);
      break;
    default:
      message.skip();
    }
  }
  return entry;
}

Function Parser::readFunction(pbf_reader message) {
  Function function;
  while (message.next()) {
    switch (message.tag_and_type()) {
    case tag_and_type(1, kBytes):
      function.name = view(message);
      break;
    case tag_and_type(4, kBytes):
      function.inputs.push_back(view(message));
      break;
    case tag_and_type(5, kBytes):
      function.outputs.push_back(view(message));
      break;
    case tag_and_type(6, kBytes):
      function.attributeNames.push_back(view(message));
      break;
    case tag_and_type(7, kBytes):
      function.nodes.push_back(readNode(message.get_message(), 0));
      break;
    case tag_and_type(9, kBytes):
      function.opsets.push_back(readOpset(message.get_message()));
      break;
    case tag_and_type(10, kBytes):
      function.domain = view(message);
      break;
    case tag_and_type(11, kBytes):
      function.attributeDefaults.push_back(
          readAttribute(message.get_message(), 0));
      break;
    case tag_and_type(13, kBytes):
      function.overload = view(message);
      break;
    default:
      message.skip();
    }
  }
  function.domain = canonicalDomain(function.domain);
  return function;
}

} // namespace

llvm::Expected<Model> hone::onnx::parseModel(StringRef bytes,
                                             StringRef folder) {
  try {
    return Parser(folder).readModel(bytes);
  } catch (const FormatError &error) {
    return llvm::createStringError(llvm::Twine("not a usable ONNX model: ") +
                                   error.what());
  } catch (const protozero::exception &error) {
    return llvm::createStringError(
        llvm::Twine("not an ONNX model, or truncated: ") + error.what());
  } catch (const std::bad_alloc &) {
    return llvm::createStringError("not enough memory to read the model");
  } catch (const std::length_error &) {
    return llvm::createStringError(
        "not an ONNX model: a length in it is too large");
  }
}

llvm::Expected<Model> hone::onnx::readModel(StringRef bytes, StringRef path,
                                            StringRef folder) {
  llvm::Expected<Model> model = parseModel(bytes, folder);
  if (model)
    return model;
  std::string problem = llvm::toString(model.takeError());
  if (std::string known = describeForeignFile(path, bytes); !known.empty())
    problem = "not an ONNX model: " + known;
  return llvm::createStringError(path + ": " + problem);
}
