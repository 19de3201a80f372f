// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How the operations inside kernels are bufferized.
#ifndef HONE_DIALECTS_GRAPH_KERNELBUFFERIZATION_H
#define HONE_DIALECTS_GRAPH_KERNELBUFFERIZATION_H

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace hone::graph {

void registerKernelOpBufferizationModels(mlir::DialectRegistry &registry);

} // namespace hone::graph

#endif // HONE_DIALECTS_GRAPH_KERNELBUFFERIZATION_H
