// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Parameters that determine the speed of code for GPUs: some follow from the
// machine, others were chosen. None changes a result.
#ifndef HONE_PASSES_MACHINE_GPUTUNING_H
#define HONE_PASSES_MACHINE_GPUTUNING_H

#include "dialects/Machine/Machine.h"

namespace hone::tuning {

//===-- The whole device --------------------------------------------------===//

/// Blocks of a product that keep all multiprocessors busy: one has several
/// warps and much of the shared memory.
inline int64_t productBlocks(const GpuMachine &machine) {
  return machine.multiprocessors;
}
/// Blocks of attention, which do more work: once half of the multiprocessors
/// are busy, smaller tiles cost more than they gain.
inline int64_t attentionBlocks(const GpuMachine &machine) {
  return machine.multiprocessors / 2;
}
/// Threads of reductions that keep a device busy.
inline int64_t reductionThreads(const GpuMachine &machine) {
  return machine.multiprocessors * 512;
}
/// Assumed value of an unknown size.
inline constexpr int64_t kTypicalGpuSize = 1024;

//===-- Blocks ------------------------------------------------------------===//

/// Threads of a block of independent threads.
inline constexpr int64_t kGpuThreads = 256;
/// Threads of a block that has several teams, and of one for a long row.
inline constexpr int64_t kTeamBlock = 128, kMostRowThreads = 512;
/// Rows up to this size are handled by a warp.
inline constexpr int64_t kWarpRow = 256;
/// Elements per thread if there are enough of them.
inline constexpr int64_t kThreadElements = 4;
/// With fewer rows than this a block is one warp, so that more of the device
/// works.
inline constexpr int64_t kManyRows = 512;

//===-- Matrix products ---------------------------------------------------===//

/// Minimum length of K per block if several blocks share a sum.
inline constexpr int64_t kMinSplitK = 192, kMaxSplits = 16;
/// The maximum number of rows of a thin product.
inline constexpr int64_t kThinRows = 4;
/// Outstanding loads per thread of a thin product.
inline constexpr int64_t kThinLoads = 4;

//===-- Reductions and rows -----------------------------------------------===//

/// Shorter reductions are not divided.
inline constexpr int64_t kLeastReduced = 32;
/// With fewer results each gets a team, whatever their layout in memory.
inline constexpr int64_t kFewResults = 128;
/// Elements of a result that are worth a thread, and worth a block of their
/// own; and the maximum number of parts per result.
inline constexpr int64_t kThreadPart = 128, kBlockPart = 1 << 12,
                         kMostParts = 512;
/// Shared memory for the temporaries of rows; the rest is for reductions.
inline int64_t rowBytes(const GpuMachine &machine) {
  return machine.sharedBytes / 3 * 2;
}
/// Rows as long as this are better divided among blocks, unless there are this
/// many of them.
inline constexpr int64_t kLongRow = 1 << 14, kFewLongRows = 64;

//===-- Transpositions ----------------------------------------------------===//

/// Rows and columns of a tile, and the rows that a block does at once.
inline constexpr int64_t kTransposedTile = 32, kTransposedRows = 8;
/// Shorter dimensions leave too much of a tile empty.
inline constexpr int64_t kMinTransposed = 16;

//===-- Sorting, running sums and scatters --------------------------------===//

/// Elements of a line that a team sorts at once, and those that a thread sorts
/// alone.
inline constexpr int64_t kMinTeamSorted = 64, kMaxTeamSorted = 2048;
inline constexpr int64_t kMaxThreadSorted = 16;
/// Lines this few and this long are sorted in parts, by a team each.
inline constexpr int64_t kFewSortedLines = 64,
                         kLongSortedLine = 2 * kMaxTeamSorted;
/// The sums of a shorter line are computed by one thread, and so are those of
/// adjacent lines if there are many.
inline constexpr int64_t kMinTeamLine = 32, kManyLines = 1024;
/// Updates that a team scans together.
inline constexpr int64_t kScannedUpdates = 256;
/// Teams of a scatter that keep a device busy; elements of a slice that are
/// worth a team, and the maximum number of teams per slice.
inline constexpr int64_t kManyTeams = 1024, kSlicePart = 1024,
                         kMaxSliceParts = 64;
/// With this many lists of updates, or short lists, each is the work of one
/// thread.
inline constexpr int64_t kManyLists = 1024, kShortList = 16;

} // namespace hone::tuning

#endif // HONE_PASSES_MACHINE_GPUTUNING_H
