// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The blocks of channels that com.microsoft.nchwc has, which files do not name.
#ifndef HONE_COMPILER_IMPORT_ONNX_OPERATORS_MICROSOFT_NCHWC_H
#define HONE_COMPILER_IMPORT_ONNX_OPERATORS_MICROSOFT_NCHWC_H

#include "compiler/Import/Onnx/Reader/Model.h"

namespace hone::onnx {

/// The size by whose name the caller may say how many channels a block has.
constexpr llvm::StringLiteral kNchwcBlock = "nchwc_block";

/// What a graph's channels, and those that fill up its blocks, tell of the
/// number that a block has.
struct NchwcBlock {
  bool used = false; ///< the graph has operators of com.microsoft.nchwc
  bool maybe8 = true, maybe16 = true;
};
NchwcBlock findNchwcBlock(const Graph &graph);

} // namespace hone::onnx

#endif // HONE_COMPILER_IMPORT_ONNX_OPERATORS_MICROSOFT_NCHWC_H
