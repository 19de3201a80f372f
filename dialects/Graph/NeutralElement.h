// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The neutral elements of reductions.
#ifndef HONE_DIALECTS_GRAPH_NEUTRALELEMENT_H
#define HONE_DIALECTS_GRAPH_NEUTRALELEMENT_H

#include "dialects/Graph/Graph.h"

namespace hone::graph {

/// The value in `type` of a reduction over no elements.
mlir::TypedAttr neutralElement(ReduceKind kind, mlir::Type type);

} // namespace hone::graph

#endif // HONE_DIALECTS_GRAPH_NEUTRALELEMENT_H
