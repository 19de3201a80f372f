// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Kernel operations: contractions and windows with an epilogue, in destination
// style.
#ifndef HONE_DIALECTS_GRAPH_KERNELOPS_H
#define HONE_DIALECTS_GRAPH_KERNELOPS_H

#include "dialects/Graph/Graph.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"

#define GET_OP_CLASSES
#include "dialects/Graph/KernelOps.h.inc"

namespace hone::graph {

/// Called by the dialect when it is loaded.
void registerKernelOps(GraphDialect *dialect);

/// The type in which products of elements of `type` are summed: f32 for f16 and
/// bf16, otherwise `type`.
mlir::Type getAccumulatorType(mlir::Type type);

} // namespace hone::graph

#endif // HONE_DIALECTS_GRAPH_KERNELOPS_H
