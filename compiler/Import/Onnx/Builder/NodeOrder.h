// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The order in which the nodes of a graph are imported.
#ifndef HONE_COMPILER_IMPORT_ONNX_BUILDER_NODEORDER_H
#define HONE_COMPILER_IMPORT_ONNX_BUILDER_NODEORDER_H

#include "compiler/Import/Onnx/Reader/Model.h"

namespace hone::onnx {

/// The nodes, each behind those whose outputs it or its subgraphs use, in the
/// order of the file where that is free. The format asks for such an order, but
/// models that break it are about. Nodes on a cycle, and what hangs on them,
/// come last. Linear in the size of the graph.
std::vector<const Node *> orderNodes(llvm::ArrayRef<Node> nodes);

} // namespace hone::onnx

#endif // HONE_COMPILER_IMPORT_ONNX_BUILDER_NODEORDER_H
