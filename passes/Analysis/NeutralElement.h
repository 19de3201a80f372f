// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What reductions begin with.
#ifndef HONE_PASSES_ANALYSIS_NEUTRALELEMENT_H
#define HONE_PASSES_ANALYSIS_NEUTRALELEMENT_H

#include "dialects/Graph/Graph.h"

namespace hone {

/// The number of `type` that a reduction of no elements gives.
mlir::TypedAttr neutralElement(graph::ReduceKind kind, mlir::Type type);

} // namespace hone

#endif // HONE_PASSES_ANALYSIS_NEUTRALELEMENT_H
