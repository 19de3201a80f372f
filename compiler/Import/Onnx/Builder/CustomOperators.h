// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Nodes of operators that the user defines (hone/custom.h).
#ifndef HONE_COMPILER_IMPORT_ONNX_BUILDER_CUSTOMOPERATORS_H
#define HONE_COMPILER_IMPORT_ONNX_BUILDER_CUSTOMOPERATORS_H

#include "compiler/Import/Onnx/Builder/NodeBuilder.h"
#include "compiler/Import/Onnx/OnnxImporter.h"

namespace hone::onnx {

/// Whether the user defines the operator of a node, in some version up to
/// `opset`.
bool isCustom(const CustomOperatorSet &operators, const Node &node,
              int64_t opset);

/// Imports such a node as a call. Its shape function says what the outputs are,
/// or the file if the compiler does not have it.
mlir::LogicalResult importCustom(NodeBuilder &n,
                                 const CustomOperatorSet &operators);

} // namespace hone::onnx

#endif // HONE_COMPILER_IMPORT_ONNX_BUILDER_CUSTOMOPERATORS_H
