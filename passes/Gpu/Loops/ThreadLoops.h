// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Loop nests in one thread, or divided by a team of threads.
#ifndef HONE_PASSES_GPU_LOOPS_THREADLOOPS_H
#define HONE_PASSES_GPU_LOOPS_THREADLOOPS_H

#include "passes/Gpu/Launch/Launch.h"
#include "passes/Gpu/Loops/PartMerger.h"

namespace hone {

/// Threads that divide a loop: a power of two of them inside a warp, or all of
/// a block.
struct Team {
  mlir::Value thread; ///< The number of this one.
  int64_t threads;
};

/// The sizes of a launch of teams.
struct TeamShape {
  int64_t threads;   ///< Of a team.
  int64_t teams = 1; ///< Per block; several only inside warps.
};

/// Teams for `count` rows of `size` elements, with several elements per thread.
TeamShape teamsForRows(std::optional<int64_t> size,
                       std::optional<int64_t> count);

/// Lets teams of whole warps do a stage that accumulates in memory: others may
/// do a row twice.
void keepWholeWarps(const LoopStage &stage, TeamShape &shape);

/// A launch with a team for each of `count` rows. `shared` belongs to the
/// block, of which `number` is the team.
void emitTeams(
    Emitter &e, mlir::Value count, TeamShape shape,
    llvm::ArrayRef<mlir::MemRefType> shared,
    llvm::function_ref<void(Team team, mlir::Value row, mlir::Value number,
                            llvm::ArrayRef<mlir::Value> shared)>
        body);

/// Waits for all threads of the team, and makes their writes visible.
void emitTeamBarrier(Emitter &e, const Team &team);

/// A whole stage in one thread.
void emitInThread(Emitter &e, LoopStage stage);

/// Elements [first, end) of all dimensions, or vectors of `lanes` of them, by
/// one thread, with stride `step`.
llvm::SmallVector<mlir::Value> emitElements(Emitter &e, const LoopNest &nest,
                                            int64_t lanes, mlir::Value first,
                                            mlir::Value end, int64_t step,
                                            mlir::ValueRange carried);

/// The extents of all dimensions; the innermost one in vectors of `lanes`.
llvm::SmallVector<mlir::Value> extentsOf(Emitter &e, const LoopNest &nest,
                                         int64_t lanes);

/// A stage whose elements the team divides, `lanes` adjacent ones at a time.
/// Reductions must cover all dimensions of the nest, in parts that can be
/// merged. `parts` are the shared buffers of its reductions, as partTypes
/// returns them.
void emitInTeam(Emitter &e, LoopStage stage, const Team &team, int64_t lanes,
                mlir::ValueRange parts);

/// The accumulators of a thread that has seen no element yet.
llvm::SmallVector<mlir::Value> emptyParts(Emitter &e, const PartMerger &merger,
                                          int64_t lanes);

/// Merges what each thread of the team has; all get the result.
llvm::SmallVector<mlir::Value> mergeInTeam(Emitter &e, const PartMerger &merger,
                                           mlir::ValueRange values,
                                           const Team &team,
                                           mlir::ValueRange parts);

/// A shared buffer for each accumulated output of a team of several warps: one
/// element per warp.
llvm::SmallVector<mlir::MemRefType> partTypes(const LoopNest &nest,
                                              int64_t threads);

/// Elements that make 16 bytes in every operand indexed by the innermost
/// dimension, if such vectors are always aligned to their size; otherwise 1.
/// With one dimension of unknown size there may be a remainder.
int64_t alignedLanes(const LoopNest &nest);

/// Declares the vector accesses inside `parent` aligned to their size.
void setVectorAlignment(Emitter &e, mlir::Operation *parent);

} // namespace hone

#endif // HONE_PASSES_GPU_LOOPS_THREADLOOPS_H
