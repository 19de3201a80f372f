// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The order in which the nodes of a graph are imported.
#ifndef HONE_COMPILER_IMPORT_ONNX_BUILDER_NODEORDER_H
#define HONE_COMPILER_IMPORT_ONNX_BUILDER_NODEORDER_H

#include "compiler/Import/Onnx/Reader/Model.h"

namespace hone::onnx {

/// The nodes, each after those whose outputs it or its subgraphs use, otherwise
/// in file order. The format requires such an order, but some models violate
/// it. Nodes on a cycle, and their dependents, come last. Linear in the size of
/// the graph.
std::vector<const Node *> orderNodes(llvm::ArrayRef<Node> nodes);

} // namespace hone::onnx

#endif // HONE_COMPILER_IMPORT_ONNX_BUILDER_NODEORDER_H
