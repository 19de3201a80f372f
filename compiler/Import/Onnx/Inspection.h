// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What an ONNX file holds, whether it can be compiled or not.
#ifndef HONE_COMPILER_IMPORT_ONNX_INSPECTION_H
#define HONE_COMPILER_IMPORT_ONNX_INSPECTION_H

#include "compiler/Import/Onnx/OnnxImporter.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace hone::onnx {

struct InspectedValue {
  struct Dim {
    int64_t size; ///< -1 if it is free
    std::string name;
  };
  std::string name, kind;               ///< "tensor", "sequence", ...
  std::string type;                     ///< of the elements, "float"
  std::optional<std::vector<Dim>> dims; ///< nothing: not declared
  std::string text;                     ///< "float[b,4]"
};

enum class OperatorKind { Supported, Unsupported, Function, Custom };

struct InspectedOperator {
  std::string domain, name;
  OperatorKind kind; ///< Function: it is defined in the file; Custom: given
  int64_t count = 0; ///< nodes, those of subgraphs and functions included
};

struct InspectedWeights {
  int64_t tensors = 0, elements = 0, bytes = 0;
};

struct Inspection {
  int64_t irVersion = 0, fileBytes = 0;
  std::string producer, graph;
  std::vector<std::pair<std::string, int64_t>> opsets; ///< by domain
  std::vector<InspectedValue> inputs, outputs;
  std::vector<InspectedOperator> operators; ///< most frequent first
  int64_t nodes = 0, functions = 0;
  /// Initializers and constants, by type.
  std::map<std::string, InspectedWeights> weights;
  std::vector<std::string> externalFiles;
  std::vector<std::pair<std::string, std::string>> metadata;
};

/// Reads the file. An error names it, and says what is wrong. `custom` are the
/// user's own operators.
llvm::Expected<Inspection> inspectOnnx(llvm::StringRef path,
                                       const CustomOperatorSet &custom);

} // namespace hone::onnx

#endif // HONE_COMPILER_IMPORT_ONNX_INSPECTION_H
