// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What decides how fast code for CPUs is, in one place: numbers that follow
// from the machine, and those that were measured. None changes a result.
#ifndef HONE_PASSES_MACHINE_TUNING_H
#define HONE_PASSES_MACHINE_TUNING_H

#include "dialects/Machine/Machine.h"
#include <algorithm>

namespace hone::tuning {

//===-- Threads -----------------------------------------------------------===//

/// Blocks of a parallel loop that balance its threads: some for each, since
/// threads do not start together and blocks differ.
inline int64_t balancedBlocks(const CpuMachine &machine) {
  if (machine.threads == 0)
    return 16;
  return machine.threads == 1 ? 1 : 4 * machine.threads;
}
/// Work below which a block is not cut further, in multiply-adds: some ten
/// microseconds, several times what it takes to hand a block to a thread.
inline constexpr int64_t kMinBlockMacs = 64 << 10;
/// Elements of a block of a loop that has nothing but one dimension to cut.
inline constexpr int64_t kBlockElements = 2048;
/// Parallel iterations from which on that dimension is left whole.
inline int64_t balancedIterations(const CpuMachine &machine) {
  return 4 * balancedBlocks(machine);
}

/// A piece of a kernel that is worth waking a thread for.
inline constexpr int64_t kPieceElements = 32 << 10;
inline constexpr int64_t kPieceMacs = 128 << 10;
/// Pieces of a kernel: at most, and where its size is not known.
inline int64_t maxPieces(const CpuMachine &machine) {
  return 4 * balancedBlocks(machine);
}
inline int64_t piecesOfUnknownWork(const CpuMachine &machine) {
  return machine.threads == 1 ? 1 : 2 * balancedBlocks(machine);
}

//===-- Caches ------------------------------------------------------------===//

/// Rows of the left-hand side of a product that stay in the L2 cache while the
/// columns go by; the rest is for the columns and the results.
inline int64_t productBlockBytes(const CpuMachine &machine) {
  return machine.l2Bytes / 2;
}
/// Input rows of a convolution that stay there for all tiles of channels, of
/// which each brings its filters along.
inline int64_t convolutionBlockBytes(const CpuMachine &machine) {
  return machine.l2Bytes / 4;
}
/// Scores of attention, beside the keys and values of a block.
inline int64_t scoresBytes(const CpuMachine &machine) {
  return machine.l2Bytes / 8;
}
/// Rows that are read one below the other collide in the L1 cache where they
/// lie this far apart: all fall into a quarter of its sets, or less.
inline int64_t collidingBytes(const CpuMachine &machine) {
  return machine.l1Bytes / machine.l1Ways / 4;
}

//===-- Register tiles ----------------------------------------------------===//

/// Accumulators that hide the latency of a multiply-add.
inline int64_t latencyHiding(const CpuMachine &machine) {
  return machine.fmaPorts * machine.fmaLatency;
}
/// Steps along K in one iteration of the loop, at most.
inline constexpr int64_t kMaxUnroll = 4;
/// Multiply-adds in one iteration, above which LLVM's scheduler moves loads so
/// far up that it spills.
inline constexpr int64_t kMaxUnrolledTerms = 28;
/// Operations of an epilogue above which it is emitted once, in a loop over the
/// tile, and not for each accumulator.
inline constexpr int64_t kMaxUnrolledEpilogue = 14;

//===-- Matrix products ---------------------------------------------------===//

/// Rows of the left-hand side from which on packing the other side pays.
inline constexpr int64_t kMinPackedRows = 24;
/// Rows of narrow floats from which on widening them beforehand pays.
inline constexpr int64_t kMinWidenedRows = 4;
/// So few rows against a transposed operand are dot products, without packing.
inline constexpr int64_t kMaxDotRows = 4;
/// Along K, what a packed block of the right-hand side holds.
inline constexpr int64_t kPackedK = 512;
/// Rows of a block from which on it does not matter that each block reads the
/// other side anew.
inline constexpr int64_t kMinBlockRows = 96;
/// Of rows that are likely few, what a tile has at most.
inline constexpr int64_t kFewRows = 8;
/// With so few weights, as in squeeze and excitation, it has two: that is half
/// the code, and for many rows half as long again, of a small part of a model.
inline constexpr int64_t kFewWeights = 64 << 10;
/// Row tiles in a block where the number of rows is not known.
inline constexpr int64_t kDynamicBlockTiles = 16;
/// What stands for a free dimension where the work of a product is compared.
inline constexpr int64_t kTypicalK = 1024;

/// Elements of a block that wait in scratch memory, at most.
inline constexpr int64_t kMaxScratchElements = 16 << 20;

//===-- Convolutions and windows ------------------------------------------===//

/// From how many pixels on an image is a matrix of its own where the number of
/// images is not known: the tiles of a known number of rows are less code.
inline constexpr int64_t kMinPixels = 16;
/// Loops along K in the code of an image row; wide borders of large kernels
/// need too many.
inline constexpr int64_t kMaxLoopsPerRow = 48;
/// Kernels of depthwise convolutions and pools that are wider are a loop.
inline constexpr int64_t kMaxUnrolledKernel = 16;
/// Taps of one iteration of that loop: they stay in registers beside the sums.
inline constexpr int64_t kUnrolledTaps = 4;
/// Pixels of a smaller tile, for what whole ones leave of a row whose size is
/// not known.
inline constexpr int64_t kFewPixels = 2;

//===-- Attention ---------------------------------------------------------===//

/// Vectors of a register tile.
inline constexpr int64_t kAttentionVectors = 2;
/// Cycles that a tile costs for each step of a product beside its arithmetic:
/// the loop's, and its share of the start and the end.
inline constexpr double kTileOverhead = 0.5;
/// Rows of a block, about: keys and values are packed once for all of them.
/// Where there are few keys, the scores have room for more.
inline constexpr int64_t kAttentionRows = 64, kMaxAttentionRows = 128;
/// Keys of a block, at most.
inline constexpr int64_t kAttentionKeys = 512;
/// Vectors of a row of scores that are folded side by side.
inline constexpr int64_t kSoftmaxChains = 4;
/// Fewer tiles of rows do not pay for the packing.
inline constexpr int64_t kMinAttentionTiles = 4;

//===-- Elementwise loops and reductions ----------------------------------===//

/// Below this many elements a vector is not worth its set-up.
inline constexpr int64_t kLeastWidth = 4;
/// Operations of a vector for each element that is gathered into it, from which
/// on that is faster than to compute elements one by one.
inline constexpr int64_t kGatherOps = 6;
/// Operations that are worth another order of loops, where what they compute
/// stays the same along one of them.
inline constexpr int64_t kRepeatedOps = 8;
/// How often a store may write each of its lanes, at most.
inline constexpr int64_t kMaxRepeats = 16;
/// Operations of a body above which it is not repeated for each row of a
/// transposed block.
inline constexpr int64_t kMaxTransposedBody = 24;
/// Operations that are computed again rather than stored between loops.
inline constexpr int64_t kRecomputedOps = 4;
/// Temporaries up to this size lie on the stack, while there is room.
inline constexpr int64_t kStackBuffer = 16 << 10, kStackTotal = 64 << 10;

} // namespace hone::tuning

#endif // HONE_PASSES_MACHINE_TUNING_H
