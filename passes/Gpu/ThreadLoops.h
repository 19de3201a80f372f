// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Loop nests as they run in one thread, or divided by the threads of a block.
#ifndef HONE_PASSES_GPU_THREADLOOPS_H
#define HONE_PASSES_GPU_THREADLOOPS_H

#include "passes/Gpu/Launch.h"
#include "passes/Loops/LoopStages.h"

namespace hone {

/// All of a stage in one thread.
void emitInThread(Emitter &e, LoopStage stage);

/// Whether a block can divide what the stage reduces: every accumulated output
/// has an operation that combines parts.
bool canDivideReduction(const LoopNest &nest);

/// A stage whose elements the threads of a block divide. What is reduced must
/// be reduced over all dimensions of the nest. `parts` are the shared buffers
/// of its reductions, as partTypes gives them.
void emitInBlock(Emitter &e, LoopStage stage, mlir::Value thread,
                 int64_t threads, mlir::ValueRange parts);

/// A shared buffer for each accumulated output: one element for each warp.
llvm::SmallVector<mlir::MemRefType> partTypes(const LoopNest &nest,
                                              int64_t threads);

/// Elements that make 16 bytes in every operand that the innermost dimension
/// walks, where such vectors always begin at multiples of their size; else 1.
/// With one dimension of unknown size there may be elements left at the end.
int64_t alignedLanes(const LoopNest &nest);

/// States on the vector accesses emitted since `before` (null: from the start
/// of the block) that they are aligned to their size.
void setVectorAlignment(Emitter &e, mlir::Operation *parent);

} // namespace hone

#endif // HONE_PASSES_GPU_THREADLOOPS_H
