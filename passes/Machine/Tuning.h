// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Parameters that determine the speed of code for CPUs, in one place: some
// follow from the machine, others were measured. None changes a result.
#ifndef HONE_PASSES_MACHINE_TUNING_H
#define HONE_PASSES_MACHINE_TUNING_H

#include "dialects/Machine/Machine.h"
#include <algorithm>

namespace hone::tuning {

//===-- Threads -----------------------------------------------------------===//

/// Blocks of a parallel loop that balance its threads: several per thread,
/// since threads do not start together and blocks differ.
inline int64_t balancedBlocks(const CpuMachine &machine) {
  if (machine.threads == 0)
    return 16;
  return machine.threads == 1 ? 1 : 4 * machine.threads;
}
/// Minimum work of a block, in multiply-adds: some ten microseconds, several
/// times the cost of handing a block to a thread.
inline constexpr int64_t kMinBlockMacs = 64 << 10;
/// Elements per block of a loop with only one dimension to divide.
inline constexpr int64_t kBlockElements = 2048;
/// With this many parallel iterations that dimension is not divided.
inline int64_t balancedIterations(const CpuMachine &machine) {
  return 4 * balancedBlocks(machine);
}

/// The work of a piece of a kernel that is worth waking a thread for: some
/// microseconds. Larger pieces would leave small kernels between divided ones
/// to one thread, which fetches what the others have in their caches.
inline constexpr int64_t kPieceElements = 16 << 10;
inline constexpr int64_t kPieceMacs = 64 << 10;
/// Pieces of a kernel: at most, and if its size is unknown.
inline int64_t maxPieces(const CpuMachine &machine) {
  return 4 * balancedBlocks(machine);
}
inline int64_t piecesOfUnknownWork(const CpuMachine &machine) {
  return machine.threads == 1 ? 1 : 2 * balancedBlocks(machine);
}

//===-- Memory ------------------------------------------------------------===//

/// Rows of a product that take less time than reading its weights, if these
/// are so large that they come from memory, or a cache that is shared.
inline constexpr int64_t kStreamedRows = 8, kStreamedBytes = 256 << 10;

/// Elements of a reduction with few results that are worth dividing: those from
/// which on the kernels before and after it are divided. One thread would fetch
/// what others have in their caches, at twice the time of all the arithmetic.
inline constexpr int64_t kMinSplitElements = 2 * kPieceElements;

//===-- Caches ------------------------------------------------------------===//

/// Rows of a product's left-hand side that stay in the L2 cache while the
/// columns pass by; the rest is for the columns and the results.
inline int64_t productBlockBytes(const CpuMachine &machine) {
  return machine.l2Bytes / 2;
}
/// Input rows of a convolution that stay there for all tiles of channels, each
/// of which brings its filters along.
inline int64_t convolutionBlockBytes(const CpuMachine &machine) {
  return machine.l2Bytes / 4;
}
/// Widened panels of a tile, in addition to either.
inline int64_t widenedBytes(const CpuMachine &machine) {
  return machine.l2Bytes / 4;
}
/// Panels of the next tile that are prefetched, in addition to either.
inline int64_t prefetchedBytes(const CpuMachine &machine) {
  return machine.l2Bytes / 4;
}
/// Scores of attention, in addition to the keys and values of a block.
inline int64_t scoresBytes(const CpuMachine &machine) {
  return machine.l2Bytes / 8;
}
/// What lies between a depthwise convolution and its neighbours, for a band of
/// rows; and the number of bands from which that pays for their launches.
inline int64_t bandBytes(const CpuMachine &machine) {
  return machine.l2Bytes / 2 * std::max<int64_t>(machine.threads, 1);
}
inline constexpr int64_t kMinBands = 5;
/// Rows of the first convolution for each one that is computed twice.
inline constexpr int64_t kMinBandRows = 8;
/// Rows accessed together conflict in the L1 cache at this stride: all map to a
/// quarter of its sets, or less.
inline int64_t collidingBytes(const CpuMachine &machine) {
  return machine.l1Bytes / machine.l1Ways / 4;
}

//===-- Kernels -----------------------------------------------------------===//

/// Maximum size of a fused map: registers are few.
inline constexpr size_t kMaxBodyOps = 160, kMaxMapInputs = 16;
/// Shorter rows are not worth vectorizing.
inline constexpr int64_t kMinRowLength = 4;
/// Cost of a table lookup, in additions of vectors of eight elements: without
/// an instruction for it, each element costs four.
inline constexpr int64_t kLookupCost = 32;
/// Constants up to this size become part of the kernel; larger ones are
/// arguments.
inline constexpr int64_t kInlineConstantBytes = 64;
/// From this number of slices on, kernels that differ only in where theirs
/// start are merged, with the start as an argument.
inline constexpr int64_t kManySlices = 64;
/// Kernels on at most this many elements are shape arithmetic if only the host
/// reads their results.
inline constexpr int64_t kMaxShapeElements = 1024;

//===-- Layout ------------------------------------------------------------===//

/// Assumed size of a free dimension where transpositions are compared.
inline constexpr int64_t kTypicalLength = 64;
/// The cost of an additional kernel, in bytes moved.
inline constexpr int64_t kKernelBytes = 16 << 10;
/// Shorter rows of depthwise convolutions leave too much of their vectors
/// empty.
inline constexpr int64_t kMinDepthwiseRow = 24;
/// Pixels from which the last columns of a product of them do not matter.
inline constexpr int64_t kMinMatrixPixels = 512;

//===-- Register tiles ----------------------------------------------------===//

/// Accumulators that hide the latency of a multiply-add.
inline int64_t latencyHiding(const CpuMachine &machine) {
  return machine.fmaPorts * machine.fmaLatency;
}
/// Maximum unrolling along K.
inline constexpr int64_t kMaxUnroll = 4;
/// Multiply-adds per iteration above which LLVM's scheduler hoists loads so far
/// that it spills.
inline constexpr int64_t kMaxUnrolledTerms = 28;
/// Operations of an epilogue above which it is emitted once, in a loop over the
/// tile, instead of for each accumulator.
inline constexpr int64_t kMaxUnrolledEpilogue = 14;

/// What a second number of rows of tiles costs, of all cycles.
inline constexpr double kSecondTileCost = 5e-4;
/// The same for each panel that a tile reads while rows of the left-hand side
/// collide: with five of them 128x1024x1024 takes 4 % longer than with two,
/// 128x4096x1024 12 %.
inline constexpr double kStreamCost = 5e-4;
/// Bytes of panels that arrive from the L2 cache in a cycle.
inline constexpr double kL2BytesPerCycle = 28;

/// Cycles until a product of matrices (AMX) can be added to (Intel 64 and IA-32
/// Architectures Optimization Reference Manual, "Intel AMX"), and those that it
/// takes to clear, store and read again the sums of one.
inline constexpr double kMatrixLatency = 52, kMatrixOverhead = 48;

/// Tiles of rows that share the prefetching of panels: to more it matters
/// little when these arrive.
inline constexpr int64_t kMaxPrefetchingTiles = 32;
/// Assumed number of them if the number of rows is unknown.
inline constexpr int64_t kDynamicPrefetchingTiles = 4;

/// Rows of such sums that an epilogue takes at a time.
inline constexpr int64_t kRowsOfSums = 4;

//===-- Matrix products ---------------------------------------------------===//

/// Rows of the left-hand side from which packing the other side pays off.
inline constexpr int64_t kMinPackedRows = 24;
/// Rows of narrow floats from which widening them beforehand pays off.
inline constexpr int64_t kMinWidenedRows = 4;
/// Rows of the left-hand side from which widening panels beforehand pays off.
inline constexpr int64_t kMinRowsOfWidened = 64;
/// With at most this many rows, a product with a transposed operand is computed
/// as dot products, without packing.
inline constexpr int64_t kMaxDotRows = 4;
/// With at most this many rows, quantized weights are unpacked in registers;
/// if the number of rows is unknown, each row of so few unpacks them.
inline constexpr int64_t kMaxUnpackingRows = 8, kMaxRepeatedUnpacking = 2;
/// Rows of a block that pay for unpacking quantized weights to memory.
inline constexpr int64_t kMinRowsPerUnpacking = 32;
/// The same to bytes, four of which are multiplied at a time.
inline constexpr int64_t kMinRowsPerCodes = 128;
/// Elements of K in an iteration of the loop that unpacks in registers.
inline constexpr int64_t kUnrolledElements = 32;
/// Instructions that make a vector of floats of codes: a shift, a combination
/// with an exponent, a subtraction.
inline constexpr int64_t kUnpackingInstructions = 3;
/// Vectors of a tile of one row that unpacks in registers.
inline constexpr int64_t kUnpackedVectors = 4;
/// Length along K of a packed block of the right-hand side.
inline constexpr int64_t kPackedK = 512;
/// Rows of a block from which re-reading the other side for each block no
/// longer matters.
inline constexpr int64_t kMinBlockRows = 96;
/// Maximum rows of a tile if rows are likely few.
inline constexpr int64_t kFewRows = 8;
/// With so few weights, as in squeeze and excitation, it has two: half the
/// code, and for many rows half again the time, of a small part of a model.
inline constexpr int64_t kFewWeights = 64 << 10;
/// Row tiles per block if the number of rows is unknown.
inline constexpr int64_t kDynamicBlockTiles = 16;
/// Assumed size of a free dimension when comparing the work of products.
inline constexpr int64_t kTypicalK = 1024;

/// Tiles of columns that a block of converted rows is for.
inline constexpr int64_t kConvertedTiles = 8;
/// The same for rows that are quantized, which takes longer.
inline constexpr int64_t kQuantizedTiles = 32;

/// Maximum elements of a block that wait in scratch memory.
inline constexpr int64_t kMaxScratchElements = 16 << 20;

/// Register tiles of an operation that are measured, and the cycles, in those
/// of the best, from which one is not.
inline constexpr size_t kMaxMeasuredTiles = 10;
inline constexpr double kHopelessTile = 1.75;
/// Minimum length of K chunks.
inline constexpr int64_t kMinChunk = 64;

//===-- Convolutions and windows ------------------------------------------===//

/// With at least this many pixels an image is a matrix of its own if the number
/// of images is unknown: tiles of a known number of rows are less code.
inline constexpr int64_t kMinPixels = 16;
/// Maximum loops along K in the code for an image row; wide borders of large
/// kernels would need too many.
inline constexpr int64_t kMaxLoopsPerRow = 48;
/// Maximum elements of the input rows that are converted for a row of results.
inline constexpr int64_t kMaxConvertedElements = 1 << 18;
/// The same with padding.
inline constexpr int64_t kMaxPaddedElements = 2 * kMaxConvertedElements;
/// Maximum rows of results for which they are converted together.
inline constexpr int64_t kMaxConvertedRows = 64;
/// Wider kernels of depthwise convolutions and pools become a loop.
inline constexpr int64_t kMaxUnrolledKernel = 16;
/// Taps per iteration of that loop: they stay in registers beside the sums.
inline constexpr int64_t kUnrolledTaps = 4;
/// Elements of a window from which pooling reduces rows of the input first:
/// what that stores is read before it has reached the cache.
inline constexpr int64_t kMinReducedWindow = 16;
/// Vectors of outputs along a row that share each kernel element, and of a row
/// up to which there is code for each.
inline constexpr int64_t kRowVectors = 4, kMaxUnrolledVectors = 16;
/// Rows of so many vectors of outputs that share the rows of the input: their
/// sums stay in registers, beside a vector of the input and a kernel element
/// for each row. More than four save few loads.
inline int64_t sharedRows(const CpuMachine &machine, int64_t vectors) {
  int64_t registers = machine.vectorRegisters - 2 - vectors;
  return std::clamp<int64_t>(registers / (vectors + 1), 1, 4);
}
/// Multiply-adds of such tiles that are unrolled at most; more have fewer rows.
inline constexpr int64_t kMaxUnrolledTaps = 1536;
/// Pixels in a row of a convolution from which a tile is transposed to be
/// stored: it takes as long for fewer.
inline constexpr int64_t kMinStoredRow = 4;
/// Pixels of a smaller tile, for the remainder of a row of unknown size.
inline constexpr int64_t kFewPixels = 2;

//===-- Attention ---------------------------------------------------------===//

/// Elements of a query and of a value that kernels of all targets keep in
/// registers or near them; so few rows do not pay for blocks of them.
inline constexpr int64_t kMaxAttentionDepth = 256, kMaxAttentionWidth = 128;
inline constexpr int64_t kMinAttentionRows = 5;
/// Vectors of a register tile.
inline constexpr int64_t kAttentionVectors = 2;
/// Overhead of a tile in cycles per step of a product: the loop's, and its
/// share of prologue and epilogue.
inline constexpr double kTileOverhead = 0.5;
/// Approximate rows of a block: keys and values are packed once for all of
/// them. With few keys, the scores have room for more.
inline constexpr int64_t kAttentionRows = 64, kMaxAttentionRows = 128;
/// Maximum keys of a block.
inline constexpr int64_t kAttentionKeys = 512;
/// Vectors of a row of scores that are reduced in parallel.
inline constexpr int64_t kSoftmaxChains = 4;
/// Fewer tiles of rows do not pay for the packing.
inline constexpr int64_t kMinAttentionTiles = 4;

//===-- Sorting -----------------------------------------------------------===//

/// The best of a line are found by insertion up to this number of them, and up
/// to this length of the line.
inline constexpr int64_t kMaxInserted = 32, kMaxInsertedLine = 32;
/// Elements that are sorted at once, if there are as many.
inline constexpr int64_t kMinSorted = 256;

//===-- Elementwise loops and reductions ----------------------------------===//

/// Below this many elements vectorization does not pay off.
inline constexpr int64_t kLeastWidth = 4;
/// Vector operations per gathered element from which gathering is faster than
/// computing elements one by one.
inline constexpr int64_t kGatherOps = 6;
/// Operations that justify another loop order if their result is invariant
/// along one of the loops.
inline constexpr int64_t kRepeatedOps = 8;
/// Maximum number of times a store may write each of its lanes.
inline constexpr int64_t kMaxRepeats = 16;
/// Operations of a body above which it is not repeated for each row of a
/// transposed block.
inline constexpr int64_t kMaxTransposedBody = 24;
/// Blocks of a transposition that are adjacent in what is read, before it goes
/// on to other rows: so the hardware prefetches them, and finds each page once.
inline constexpr int64_t kTransposedBlocks = 4;
/// Cost, in additions, up to which an element is recomputed rather than stored
/// and read: between the loops of a kernel, and between kernels, where that
/// reads inputs from memory again.
inline constexpr int64_t kRecomputedCost = 4, kRepeatedCost = 2;
/// Temporaries up to this size are on the stack, while there is room.
inline constexpr int64_t kStackBuffer = 16 << 10, kStackTotal = 64 << 10;

} // namespace hone::tuning

#endif // HONE_PASSES_MACHINE_TUNING_H
