// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Nodes of operators that the user defines (hone/custom.h).
#ifndef HONE_COMPILER_IMPORT_ONNX_BUILDER_CUSTOMOPERATORS_H
#define HONE_COMPILER_IMPORT_ONNX_BUILDER_CUSTOMOPERATORS_H

#include "compiler/Import/Onnx/Builder/NodeBuilder.h"
#include "hone/custom.h"

namespace hone::onnx {

/// The position of the operator in the table, in its newest version up to
/// `opset`; -1 if there is none. No table is an empty one.
int64_t findCustomOperator(const hone_custom_table *table, const Node &node,
                           int64_t opset);

/// Imports a node as a call of the operator at `position`: its shape function
/// says what the outputs are.
mlir::LogicalResult importCustom(NodeBuilder &n, const hone_custom_table &table,
                                 int64_t position);

} // namespace hone::onnx

#endif // HONE_COMPILER_IMPORT_ONNX_BUILDER_CUSTOMOPERATORS_H
