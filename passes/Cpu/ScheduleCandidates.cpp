// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Schedules worth measuring beside the chosen one.
#include "passes/Cpu/ScheduleCandidates.h"
#include "dialects/Graph/Graph.h"
#include "passes/Machine/Estimate.h"
#include "passes/Machine/Tuning.h"

using namespace mlir;
using namespace hone;
using namespace hone::graph;

namespace {
/// The sizes of an operation's loops; kDynamic if unknown.
struct LoopSizes {
  int64_t tiledRows;   ///< that tiles divide
  int64_t blockedRows; ///< that blocks divide
  int64_t columns;
  int64_t k = 0; ///< 0: not processed in chunks
  bool columnBlocks = false;

  static LoopSizes of(ScheduledOpInterface op);
  static LoopSizes of(const ProductShape &shape);
};
} // namespace

LoopSizes LoopSizes::of(const ProductShape &shape) {
  return {shape.m, shape.m, shape.n, isReadInPlace(shape) ? 0 : shape.k, true};
}

LoopSizes LoopSizes::of(ScheduledOpInterface op) {
  if (auto matmul = dyn_cast<KernelMatmulOp>(*op))
    return of(ProductShape::of(matmul));
  if (auto conv = dyn_cast<KernelConvOp>(*op)) {
    if (std::optional<ProductShape> shape = ProductShape::of(conv))
      return of(*shape);
    auto out = cast<ShapedType>(conv.getOuts().front().getType());
    ArrayRef<int64_t> rows = out.getShape().drop_back(2);
    int64_t channels = out.getShape().back();
    if (!ShapedType::isDynamic(channels))
      channels /= conv.getGroup();
    return {out.getDimSize(out.getRank() - 2),
            ShapedType::isDynamicShape(rows) ? ShapedType::kDynamic
                                             : estimateProduct(rows),
            channels};
  }
  auto attention = cast<KernelAttentionOp>(*op);
  SmallVector<int64_t> scores = attention.getScoreShape();
  int64_t keys = scores.pop_back_val(), rows = scores.pop_back_val();
  return {rows, rows, keys, 0, true};
}

static bool isKnown(int64_t size) { return !ShapedType::isDynamic(size); }

/// Assumed value of an unknown size: many.
static int64_t orMany(int64_t size) { return isKnown(size) ? size : 1 << 12; }

/// Cycles of a step along K for all rows and columns.
static double cyclesOf(const CpuMachine &machine, const ProductTypes &types,
                       const LoopSizes &sizes, const FormedTile &tile) {
  double rows = llvm::divideCeil(orMany(sizes.tiledRows), tile.rows);
  double columns =
      llvm::divideCeil(orMany(sizes.columns), tile.columns(machine, types));
  return tile.form->stepCycles(machine, tile.rows, tile.vectors) * rows *
         columns;
}

SmallVector<ScheduleAttr> hone::tileCandidates(ScheduledOpInterface op,
                                               ScheduleAttr current,
                                               const CpuMachine &machine) {
  LoopSizes sizes = LoopSizes::of(op);
  ProductTypes types = ProductTypes::of(op);
  int64_t mostRows = std::max<int64_t>(orMany(sizes.tiledRows), 1);
  auto cycles = [&](const FormedTile &tile) {
    return cyclesOf(machine, types, sizes, tile);
  };
  SmallVector<ScheduleAttr> found;
  SmallVector<std::pair<double, size_t>> ranks; // cycles and place in `found`
  auto add = [&](FormedTile tile) {
    ScheduleAttr schedule = chooseSchedule(op, machine, tile);
    if (schedule == current || llvm::is_contained(found, schedule) ||
        !scheduleProblem(op, schedule, machine).empty())
      return;
    ranks.push_back({cycles(tile), found.size()});
    found.push_back(schedule);
  };
  for (const MicroKernel &form : microKernels()) {
    if (!form.fits(machine, types))
      continue;
    int64_t lanes = form.lanes(machine, types.accumulator);
    for (int64_t vectors = 1; vectors <= 8; ++vectors) {
      // At most half a tile may be empty.
      if (vectors > 1 && (vectors / 2) * lanes >= orMany(sizes.columns))
        continue;
      int64_t most = std::min(maxTileRows(machine, form, vectors), mostRows);
      for (int64_t rows : {most, most - 1, most - 2, most * 2 / 3, most / 2})
        if (rows >= 1)
          add({&form, rows, vectors});
    }
  }
  llvm::sort(ranks);
  double best = std::numeric_limits<double>::infinity();
  if (const MicroKernel *form = findMicroKernel(current.getForm()))
    best = cycles({form, current.getTileRows(), current.getTileVectors()});
  if (!ranks.empty())
    best = std::min(best, ranks.front().first);
  SmallVector<ScheduleAttr> schedules;
  for (const auto &[time, place] : ranks)
    if (time <= tuning::kHopelessTile * best &&
        schedules.size() < tuning::kMaxMeasuredTiles)
      schedules.push_back(found[place]);
  return schedules;
}

SmallVector<ScheduleAttr> hone::blockCandidates(ScheduledOpInterface op,
                                                ScheduleAttr current,
                                                const CpuMachine &machine) {
  LoopSizes sizes = LoopSizes::of(op);
  bool isWindow = isa<KernelConvOp>(*op) && !sizes.columnBlocks;
  int64_t unitRows = isWindow ? 1 : current.getTileRows();
  SmallVector<ScheduleAttr> found;
  const MicroKernel *form = findMicroKernel(current.getForm());
  if (!form)
    return found;
  int64_t unitColumns = current.getTileVectors() *
                        form->lanes(machine, ProductTypes::of(op).accumulator);
  auto add = [&](int64_t rows, int64_t columns, int64_t k, bool packed) {
    // Normalizes equivalent schedules.
    if (!isa<KernelAttentionOp>(*op) && columns == unitColumns)
      columns = 0;
    if (isKnown(sizes.k) && k >= sizes.k)
      k = 0;
    auto schedule = ScheduleAttr::get(
        op->getContext(), current.getForm(), current.getTileRows(),
        current.getTileVectors(), rows, columns, k, packed);
    if (schedule != current && !llvm::is_contained(found, schedule) &&
        scheduleProblem(op, schedule, machine).empty())
      found.push_back(schedule);
  };
  int64_t rows = std::max(current.getBlockRows(), unitRows);
  int64_t columns = current.getBlockColumns(), k = current.getBlockK();
  bool packed = current.getPacked();

  // Blocks larger than everything are equivalent to that.
  auto whole = [](int64_t size, int64_t unit) {
    return llvm::alignTo(std::max<int64_t>(orMany(size), 1), unit);
  };
  auto scaled = [&](int64_t block, int64_t all, int64_t unit, bool twice) {
    int64_t units = std::max<int64_t>(block / unit, 1);
    units = twice ? units * 2 : (units + 1) / 2;
    return std::min<int64_t>(units * unit, whole(all, unit));
  };
  for (bool twice : {true, false})
    add(scaled(rows, sizes.blockedRows, unitRows, twice), columns, k, packed);
  if (sizes.columnBlocks)
    for (bool twice : {true, false})
      add(rows,
          scaled(std::max(columns, unitColumns), sizes.columns, unitColumns,
                 twice),
          k, packed);
  if (sizes.k == 0)
    return found;
  int64_t all = orMany(sizes.k), chunk = k ? k : all;
  int64_t half = llvm::alignTo(chunk / 2, std::max(kPanelWidth, form->depth()));
  if (half >= tuning::kMinChunk && half < chunk)
    add(rows, columns, half, packed);
  if (k)
    add(rows, columns, 2 * k < all ? 2 * k : 0, packed);
  auto matmul = dyn_cast<KernelMatmulOp>(*op);
  if (matmul && !matmul.getPacked())
    for (int64_t next : {k, tuning::kPackedK})
      add(rows, columns, next, !packed);
  return found;
}
