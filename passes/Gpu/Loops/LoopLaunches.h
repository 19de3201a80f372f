// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Launches for loop nests: which dimensions are mapped to threads, teams of
// threads and blocks.
#ifndef HONE_PASSES_GPU_LOOPS_LOOPLAUNCHES_H
#define HONE_PASSES_GPU_LOOPS_LOOPLAUNCHES_H

#include "passes/Emit/RowGroups.h"
#include "passes/Gpu/Loops/ThreadLoops.h"

namespace hone {

/// Product of the extents of the dimensions that are, or are not, reductions.
mlir::Value countOf(Emitter &e, const LoopNest &nest, bool reduction);

/// The nest at one point of its parallel dimensions.
LoopNest fixParallel(Emitter &e, const LoopNest &nest, mlir::Value number);

/// A thread for each result, or for 16 bytes of them.
void launchThreads(Emitter &e, const LoopStage &stage);

/// An elementwise stage in tiles, if some of its inputs are contiguous along
/// another dimension than its results.
bool launchTransposed(Emitter &e, const LoopStage &stage);

/// A stage with a reduction: a thread, a warp or a block per result, or, for
/// few results of many elements each, per part of one.
void launchReduction(Emitter &e, const LoopStage &stage);

/// Lanes of vectors that evenly divide the innermost dimension; 1 if that
/// dimension is among `fixed`.
int64_t wholeLanes(const LoopNest &nest, llvm::ArrayRef<unsigned> fixed = {});

/// Whether a team can do a row of each stage, reductions covering the whole
/// row, and whether that beats a launch per stage.
bool wantsRows(llvm::ArrayRef<LoopStage> stages, const RowPlan &plan);

/// All stages in one launch, a team per row.
void launchRows(Emitter &e, llvm::MutableArrayRef<LoopStage> stages,
                const RowPlan &plan);

} // namespace hone

#endif // HONE_PASSES_GPU_LOOPS_LOOPLAUNCHES_H
