// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What decides how fast code for GPUs is: numbers that follow from the machine,
// and those that were chosen. None changes a result.
#ifndef HONE_PASSES_MACHINE_GPUTUNING_H
#define HONE_PASSES_MACHINE_GPUTUNING_H

#include "dialects/Machine/Machine.h"

namespace hone::tuning {

//===-- The whole device --------------------------------------------------===//

/// Blocks of a product that keep all multiprocessors busy: one has several
/// warps, and much of the shared memory.
inline int64_t productBlocks(const GpuMachine &machine) {
  return machine.multiprocessors;
}
/// Blocks of attention, which do more: half of the multiprocessors are enough
/// before smaller tiles cost more than they spread.
inline int64_t attentionBlocks(const GpuMachine &machine) {
  return machine.multiprocessors / 2;
}
/// Threads of reductions that keep a device busy.
inline int64_t reductionThreads(const GpuMachine &machine) {
  return machine.multiprocessors * 512;
}
/// What counts for a size that is not known.
inline constexpr int64_t kTypicalGpuSize = 1024;

//===-- Blocks ------------------------------------------------------------===//

/// Threads of a block where they have nothing to do with each other.
inline constexpr int64_t kGpuThreads = 256;
/// Threads of a block that has several teams, and of one for a long row.
inline constexpr int64_t kTeamBlock = 128, kMostRowThreads = 512;
/// Rows up to this size are for a warp.
inline constexpr int64_t kWarpRow = 256;
/// Elements for a thread where there are enough of them.
inline constexpr int64_t kThreadElements = 4;
/// With fewer rows a block takes one warp, so that more of the device works.
inline constexpr int64_t kManyRows = 512;

//===-- Matrix products ---------------------------------------------------===//

/// Of a sum that several blocks share, each has at least this much of K.
inline constexpr int64_t kMinSplitK = 192, kMaxSplits = 16;
/// So few rows are a thin product.
inline constexpr int64_t kThinRows = 4;
/// Loads that a thread of a thin product has on their way at a time.
inline constexpr int64_t kThinLoads = 4;

//===-- Reductions and rows -----------------------------------------------===//

/// Below this a reduction is not worth dividing.
inline constexpr int64_t kLeastReduced = 32;
/// With fewer results a team each, however they lie in memory.
inline constexpr int64_t kFewResults = 128;
/// Elements of a result that are worth a thread, and worth a block of their
/// own; and the most parts that a result is made of.
inline constexpr int64_t kThreadPart = 128, kBlockPart = 1 << 12,
                         kMostParts = 512;
/// Shared memory for the temporaries of rows; the rest is for reductions.
inline int64_t rowBytes(const GpuMachine &machine) {
  return machine.sharedBytes / 3 * 2;
}
/// Rows as long as this are better divided among blocks, unless there are as
/// many of them.
inline constexpr int64_t kLongRow = 1 << 14, kFewLongRows = 64;

} // namespace hone::tuning

#endif // HONE_PASSES_MACHINE_GPUTUNING_H
