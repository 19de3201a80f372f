// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// An ONNX file as plain structs. Strings and tensor data are views into the
// parsed bytes.
#ifndef HONE_COMPILER_IMPORT_ONNX_READER_MODEL_H
#define HONE_COMPILER_IMPORT_ONNX_READER_MODEL_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/MemoryBuffer.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace hone::onnx {

/// TensorProto.DataType.
enum class ElementType : int32_t {
  Undefined = 0,
  Float = 1,
  Uint8 = 2,
  Int8 = 3,
  Uint16 = 4,
  Int16 = 5,
  Int32 = 6,
  Int64 = 7,
  String = 8,
  Bool = 9,
  Float16 = 10,
  Double = 11,
  Uint32 = 12,
  Uint64 = 13,
  Complex64 = 14,
  Complex128 = 15,
  Bfloat16 = 16,
  Float8E4M3FN = 17,
  Float8E4M3FNUZ = 18,
  Float8E5M2 = 19,
  Float8E5M2FNUZ = 20,
  Uint4 = 21,
  Int4 = 22,
  Float4E2M1 = 23,
  Float8E8M0 = 24,
  Uint2 = 25,
  Int2 = 26,
  Float6E2M3 = 27,
  Float6E3M2 = 28,
};

/// "float", "int64", ...; "type 99" for a number that ONNX does not define.
std::string elementTypeName(ElementType type);
std::optional<ElementType> elementTypeNamed(llvm::StringRef name);

/// "" for "ai.onnx", which is the long name of ONNX's own domain.
inline llvm::StringRef canonicalDomain(llvm::StringRef domain) {
  return domain == "ai.onnx" ? "" : domain;
}

/// Bits of one element in a file; 0 for strings and unknown types.
unsigned elementBits(ElementType type);

/// Bytes of `count` elements, packed as in ONNX; -1 if that does not fit in 63
/// bits.
int64_t packedBytes(ElementType type, int64_t count);

/// The product of dimensions; -1 if one is negative or it does not fit in 63
/// bits.
int64_t elementCount(llvm::ArrayRef<int64_t> dims);

struct Tensor {
  llvm::StringRef name;
  ElementType type = ElementType::Undefined;
  std::vector<int64_t> dims;
  /// All elements, little-endian and packed, whatever the encoding in the file;
  /// unaligned.
  llvm::StringRef data;
  std::vector<llvm::StringRef> strings;
  /// Holds `data` if it was decoded or is in another file; null if it is in the
  /// model's bytes.
  std::shared_ptr<const void> owner;
  /// What is wrong with the data, or empty. The importer reports it when the
  /// tensor is used.
  std::string problem;
};

struct Dimension {
  int64_t size = -1; ///< -1 if it is free
  llvm::StringRef name;
};

enum class TypeKind : uint8_t {
  None,
  Tensor,
  Sequence,
  Optional,
  Map,
  SparseTensor,
  Opaque
};

struct TypeProto {
  TypeKind kind = TypeKind::None;
  ElementType element = ElementType::Undefined;
  bool hasShape = false;
  std::vector<Dimension> shape;
  std::unique_ptr<TypeProto> inner; ///< element of a sequence, optional or map
};

struct ValueInfo {
  llvm::StringRef name;
  TypeProto type;
};

struct Graph;
struct SparseTensor;

/// AttributeProto.AttributeType.
enum class AttributeKind : int32_t {
  Undefined = 0,
  Float = 1,
  Int = 2,
  String = 3,
  Tensor = 4,
  Graph = 5,
  Floats = 6,
  Ints = 7,
  Strings = 8,
  Tensors = 9,
  Graphs = 10,
  SparseTensor = 11,
  SparseTensors = 12,
  TypeProto = 13,
  TypeProtos = 14,
};

struct AttributeProto {
  llvm::StringRef name;
  llvm::StringRef
      refName; ///< the enclosing function's attribute that supplies the value
  AttributeKind kind = AttributeKind::Undefined;
  float f = 0;
  int64_t i = 0;
  llvm::StringRef s;
  std::vector<float> floats;
  std::vector<int64_t> ints;
  std::vector<llvm::StringRef> strings;
  std::vector<Tensor> tensors; ///< one for a single tensor
  std::vector<Graph> graphs;   ///< one for a single graph
  std::unique_ptr<TypeProto> type;
};

struct Node {
  llvm::StringRef name, opType, domain, overload;
  std::vector<llvm::StringRef> inputs, outputs;
  std::vector<AttributeProto> attributes;
};

struct Graph {
  llvm::StringRef name;
  std::vector<Node> nodes;
  std::vector<Tensor> initializers; ///< sparse ones among them, made dense
  std::vector<ValueInfo> inputs, outputs, values;
};

struct OpsetImport {
  llvm::StringRef domain;
  int64_t version = 0;
};

/// A function defined in the model.
struct Function {
  llvm::StringRef name, domain, overload;
  std::vector<llvm::StringRef> inputs, outputs, attributeNames;
  std::vector<AttributeProto> attributeDefaults;
  std::vector<Node> nodes;
  std::vector<OpsetImport> opsets;
};

struct Model {
  int64_t irVersion = 0;
  std::vector<OpsetImport> opsets;
  Graph graph;
  std::vector<Function> functions;
  std::vector<std::pair<llvm::StringRef, llvm::StringRef>> metadata;
  llvm::StringRef producer;
  std::set<std::string> externalFiles; ///< files with tensor data
};

} // namespace hone::onnx

#endif // HONE_COMPILER_IMPORT_ONNX_READER_MODEL_H
