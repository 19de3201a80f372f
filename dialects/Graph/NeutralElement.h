// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What reductions begin with.
#ifndef HONE_DIALECTS_GRAPH_NEUTRALELEMENT_H
#define HONE_DIALECTS_GRAPH_NEUTRALELEMENT_H

#include "dialects/Graph/Graph.h"

namespace hone::graph {

/// The number of `type` that a reduction of no elements gives.
mlir::TypedAttr neutralElement(ReduceKind kind, mlir::Type type);

} // namespace hone::graph

#endif // HONE_DIALECTS_GRAPH_NEUTRALELEMENT_H
