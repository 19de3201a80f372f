// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How attention is divided among the blocks of a GPU.
#include "passes/Gpu/Product/AttentionTile.h"
#include "passes/Machine/Estimate.h"
#include "passes/Machine/GpuTuning.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace hone;

/// Rows and keys of a tile, in order of preference.
static constexpr int64_t kRows[] = {64, 32, 16}, kKeys[] = {64, 32};
/// Depth of the slices of queries and keys that go through registers.
static constexpr int64_t kSliceDepth = 16;

static AttentionTile scalarTile(int64_t rows, int64_t keys, int64_t width) {
  AttentionTile tile;
  // Elements loaded one at a time are spread evenly over the threads.
  int64_t columns = width % SharedTile::kPadding == 0
                        ? llvm::alignTo(width, kWarp)
                        : llvm::PowerOf2Ceil(std::max(width, kWarp));
  int64_t warps = rows / AttentionTile::kWarpRows;
  tile.rows = rows;
  tile.keys = keys;
  tile.scores = {rows, keys, kSliceDepth, warps, 1, 2, false};
  tile.values = {rows, columns, keys, warps, 1, 1, false};
  tile.query = {nullptr, kSliceDepth, rows, false, false};
  tile.key = {nullptr, kSliceDepth, keys, false, false};
  tile.exponentials = {nullptr, keys, rows, false, false};
  tile.value = {nullptr, keys, tile.values.n, false, false};
  return tile;
}

static AttentionTile tensorTile(int64_t rows, int64_t keys, int64_t depth,
                                int64_t width) {
  AttentionTile tile;
  int64_t warps = rows / AttentionTile::kWarpRows;
  int64_t usedDepth = llvm::alignTo(depth, 16),
          usedWidth = llvm::alignTo(width, 16);
  int64_t columns = llvm::PowerOf2Ceil(usedDepth);
  tile.rows = rows;
  tile.keys = keys;
  tile.scores = {rows, keys, usedDepth, warps, 1, 1, true};
  tile.values = {rows, usedWidth, keys, warps, 1, 1, true};
  tile.query = {nullptr, rows, columns, true, true};
  tile.key = {nullptr, keys, columns, true, true};
  tile.exponentials = {nullptr, 0, 0, true, true}; // They stay in registers.
  tile.value = {nullptr, keys, int64_t(llvm::PowerOf2Ceil(usedWidth)), false,
                true};
  return tile;
}

int64_t AttentionTile::elementsBeforeValues() const {
  return std::max(scores.stages * (query.size() + key.size()),
                  exponentials.size());
}

int64_t AttentionTile::sharedBytes() const {
  int64_t elements = elementsBeforeValues() + value.size();
  int64_t bytes = elements * element.getIntOrFloatBitWidth() / 8;
  int64_t staged = rows * stagedPitch() * sizeof(float);
  return std::max(bytes, staged);
}

FailureOr<AttentionTile> AttentionTile::choose(graph::KernelAttentionOp op,
                                               const Attention &problem) {
  Type element = problem.query.buffer.elementType();
  std::optional<int64_t> depth = constantOf(problem.depth),
                         width = constantOf(problem.width);
  bool tensorCores = !element.isF32();
  if (!width || (tensorCores && !depth))
    return op.emitOpError("has keys or values of unknown length");
  auto known = [](Value size) {
    return std::max<int64_t>(constantOf(size).value_or(tuning::kTypicalGpuSize),
                             1);
  };
  int64_t batches = 1;
  for (Value size : problem.batch)
    batches = estimateProduct(batches, known(size));
  const GpuMachine &machine = GpuMachine::of(op);
  std::optional<AttentionTile> best;
  for (int64_t rows : kRows) {
    for (int64_t keys : kKeys) {
      AttentionTile tile = tensorCores ? tensorTile(rows, keys, *depth, *width)
                                       : scalarTile(rows, keys, *width);
      tile.element = element;
      if (tile.sharedBytes() > machine.sharedBytes)
        continue;
      best = tile;
      break;
    }
    int64_t blocks =
        estimateProduct(batches, llvm::divideCeil(known(problem.rows), rows));
    if (best && blocks >= tuning::attentionBlocks(machine))
      break;
  }
  if (!best)
    return op.emitOpError("has keys or values that are too long for the shared "
                          "memory of a block");
  return *best;
}
