// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How weights are packed.
#ifndef HONE_PASSES_GRAPH_PACKWEIGHTS_H
#define HONE_PASSES_GRAPH_PACKWEIGHTS_H

#include "dialects/Graph/Graph.h"

namespace hone {

/// The layout in which `hone-pack-weights` stores the right-hand side of a
/// product, if possible: instructions for bytes take four of them along K,
/// those for bf16 two.
graph::PackedAttr packedLayout(mlir::Value weights);

} // namespace hone

#endif // HONE_PASSES_GRAPH_PACKWEIGHTS_H
