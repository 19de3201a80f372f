// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The block size of com.microsoft.nchwc, which files do not name.
#ifndef HONE_COMPILER_IMPORT_ONNX_OPERATORS_MICROSOFT_NCHWC_H
#define HONE_COMPILER_IMPORT_ONNX_OPERATORS_MICROSOFT_NCHWC_H

#include "compiler/Import/Onnx/Reader/Model.h"

namespace hone::onnx {

/// The name of the size by which the caller may specify the number of channels
/// per block.
constexpr llvm::StringLiteral kNchwcBlock = "nchwc_block";

/// Evidence of the block size from a graph's channels and their padding.
struct NchwcBlock {
  bool used = false; ///< the graph has operators of com.microsoft.nchwc
  bool maybe8 = true, maybe16 = true;
};
NchwcBlock findNchwcBlock(const Graph &graph);

} // namespace hone::onnx

#endif // HONE_COMPILER_IMPORT_ONNX_OPERATORS_MICROSOFT_NCHWC_H
