// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Quantization without divisions.
#ifndef HONE_PASSES_GRAPH_RECIPROCALS_H
#define HONE_PASSES_GRAPH_RECIPROCALS_H

#include "dialects/Graph/Graph.h"

namespace hone {

/// Has a map that quantizes by constant scales multiply by their reciprocals,
/// unless one of these is subnormal. Results may differ by one step where a
/// number lies half way between two.
void quantizeByReciprocals(graph::MapOp map);

} // namespace hone

#endif // HONE_PASSES_GRAPH_RECIPROCALS_H
