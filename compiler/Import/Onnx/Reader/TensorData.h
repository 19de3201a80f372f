// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From the many encodings of tensor data in an ONNX file to one: packed
// little-endian bytes.
#ifndef HONE_COMPILER_IMPORT_ONNX_READER_TENSORDATA_H
#define HONE_COMPILER_IMPORT_ONNX_READER_TENSORDATA_H

#include "compiler/Import/Onnx/Reader/Model.h"

namespace hone::onnx {

/// The data fields of one TensorProto, before it is known which of them counts.
struct TensorPayload {
  bool hasRaw = false, isExternal = false, segmented = false;
  llvm::StringRef raw;
  std::vector<llvm::StringRef>
      floatChunks;           ///< float_data or double_data, packed
  std::vector<int64_t> ints; ///< int32_data, int64_data or uint64_data
  std::vector<std::pair<llvm::StringRef, llvm::StringRef>> external;

  /// Adds one float or double that is not packed.
  void addFloat(llvm::StringRef bytes) {
    loose.append(bytes.begin(), bytes.end());
  }
  std::string loose;
};

/// Sets `data` (or `problem`) of a tensor whose type and dimensions are known.
void resolveTensorData(Tensor &tensor, TensorPayload &payload,
                       llvm::StringRef folder);

/// A sparse tensor as a dense one of the same name. Its bytes are deducted from
/// `bytesLeft`; a tensor that needs more has a problem.
Tensor makeDense(Tensor values, const Tensor &indices,
                 llvm::ArrayRef<int64_t> dims, int64_t &bytesLeft);

} // namespace hone::onnx

#endif // HONE_COMPILER_IMPORT_ONNX_READER_TENSORDATA_H
