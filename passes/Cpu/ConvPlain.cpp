// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Convolution and transposed convolution with any layout and attributes, as
// plain loops, vectorized along the last dimension if that is contiguous.
#include "passes/Cpu/Contraction.h"
#include "passes/Cpu/Convolution.h"
#include "passes/Cpu/RegisterTile.h"
#include "passes/Cpu/WindowRow.h"
#include "passes/Emit/ConvPoint.h"
#include "passes/Machine/Estimate.h"
#include "passes/Machine/Tuning.h"

using namespace mlir;
using namespace hone;
using hone::graph::KernelConvOp;

/// Rows of outputs that are computed together.
static int64_t rowsOfTile(const CpuMachine &machine, const ConvPoint &point,
                          int64_t lanes) {
  if (!point.sharesRows())
    return 1;
  int64_t vectors = tuning::kRowVectors;
  const Window &window = point.getWindow();
  int64_t groups = 1;
  if (std::optional<int64_t> pixels = constantOf(window.out.back())) {
    int64_t all = std::max<int64_t>(llvm::divideCeil(*pixels, lanes), 1);
    if (all <= tuning::kMaxUnrolledVectors)
      groups = llvm::divideCeil(all, vectors);
    vectors = std::min(all, vectors);
  }
  int64_t rows = tuning::sharedRows(machine, vectors);
  // Rows of the input that not all rows of the tile read are unrolled.
  int64_t stride = window.strides.end()[-2];
  int64_t taps = std::min(window.kernel.back(), tuning::kMaxUnrolledKernel);
  auto unrolled = [&] {
    int64_t inputRows = estimateProduct(2, estimateProduct(rows - 1, stride));
    return estimateProduct(estimateProduct(inputRows, taps),
                           groups * rows * vectors);
  };
  while (rows > 1 && unrolled() > tuning::kMaxUnrolledTaps)
    --rows;
  return rows;
}

/// Rows of outputs in tiles: if their number is known, the last tiles have one
/// row less than the others; if not, the last has single rows.
class TiledRows {
public:
  TiledRows(Emitter &e, Value rows, int64_t most) : e(e), rows(rows) {
    std::optional<int64_t> known = constantOf(rows);
    split = known ? splitRows(std::max<int64_t>(*known, 1), most)
                  : RowSplit{most, 0, 0};
    tiles = known ? e.cst(*known ? split.large + split.small : 0)
                  : e.ceilDiv(rows, most);
  }

  /// Calls `body` with the first row of a tile and how many are computed
  /// together.
  void emit(Value tile, function_ref<void(Value, int64_t)> body) const {
    Value first = e.mul(tile, split.rows);
    auto whole = [&] { body(first, split.rows); };
    if (!constantOf(rows)) {
      auto single = [&](Value row) { body(row, 1); };
      Value end = e.add(first, split.rows);
      return e.branch(e.cmp(arith::CmpIPredicate::sle, end, rows), whole,
                      [&] { e.loop(first, rows, single); });
    }
    if (split.small == 0)
      return whole();
    Value large = e.cst(split.large);
    auto shorter = [&] {
      body(e.sub(first, e.sub(tile, large)), split.rows - 1);
    };
    e.branch(e.cmp(arith::CmpIPredicate::slt, tile, large), whole, shorter);
  }

  Value tiles; ///< Their number.

private:
  Emitter &e;
  Value rows;
  RowSplit split;
};

void hone::emitPlainConvolution(Emitter &e, const CpuMachine &machine,
                                KernelConvOp op) {
  ConvPoint point(e, op, machine.hasFma());
  const Window &window = point.getWindow();
  int64_t lanes = lanesOf(machine, op.getAccumulatorType());
  SmallVector<Value> sizes = {window.batch, point.sizes()[window.channelDim()]};
  llvm::append_range(sizes, ArrayRef(window.out).drop_back());
  std::optional<TiledRows> tiled;
  if (int64_t rows = rowsOfTile(machine, point, lanes); rows > 1) {
    tiled.emplace(e, sizes.back(), rows);
    sizes.back() = tiled->tiles;
  }
  Value count = e.cst(1);
  for (Value size : sizes)
    count = e.mul(count, size);
  emitForall(e, count, [&](Value index) {
    SmallVector<Value> outer = e.delinearize(index, sizes);
    point.enter(outer[0], outer[1]);
    auto placeOf = [&](Value pixel, int64_t row = 0) {
      SmallVector<Value> place(outer.begin() + 2, outer.end());
      if (row)
        place.back() = e.add(place.back(), row);
      place.push_back(pixel);
      return place;
    };
    auto emitRows = [&](int64_t rows) {
      auto scalars = [&](Value pixel) {
        for (int64_t r = 0; r < rows; ++r)
          point.emit(placeOf(pixel, r));
      };
      if (!point.hasVectors())
        return e.loop(e.cst(0), window.out.back(), scalars);
      auto vectors = [&](Value pixel, int64_t count, Value remaining) {
        point.emit(placeOf(pixel), {lanes, count, rows}, remaining);
      };
      emitWindowRow(
          e, machine, window,
          {lanes, tuning::kRowVectors, point.inputType(), vectors, scalars});
    };
    if (!tiled)
      return emitRows(1);
    Value tile = outer.back();
    tiled->emit(tile, [&](Value first, int64_t rows) {
      outer.back() = first;
      emitRows(rows);
    });
  });
}
