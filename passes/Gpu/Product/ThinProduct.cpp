// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Products with few rows, limited by the bandwidth of reading the right-hand
// side: the threads of a block share some columns and split K.
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Gpu/Product/TileLoader.h"
#include "passes/Machine/GpuTuning.h"

using namespace mlir;
using namespace hone;

/// Columns of a block: a panel, or one per warp if K is contiguous.
static constexpr int64_t kWarps = tuning::kGpuThreads / kWarp;

namespace {
class ThinEmitter {
public:
  ThinEmitter(Emitter &e, const Product &product, int64_t rows)
      : e(e), product(product), rows(rows) {}
  void emit(Value condition);

private:
  void emitBlock(const ThreadPlace &place, ValueRange sizes);
  SmallVector<Value> sumUp() const;
  Value sumOverWarp(Value value, int64_t first) const;

  Emitter &e;
  const Product &product;
  int64_t rows, columns = 0;

  // Of the current block:
  TileSource left, right;
  Value firstK, column;
  int64_t step = 0;  ///< Along K, of all threads.
  int64_t width = 1; ///< Elements of a load.
};
} // namespace

void ThinEmitter::emit(Value condition) {
  columns = product.rightAlongK ? kWarps : graph::kPanelWidth;
  SmallVector<Value> sizes = product.batch;
  sizes.push_back(e.ceilDiv(product.n, columns));
  Value blocks = e.cst(1);
  for (Value size : sizes)
    blocks = e.mul(blocks, size);
  if (condition)
    blocks =
        arith::SelectOp::create(e.builder, e.loc, condition, blocks, e.cst(0));
  int64_t partials = product.rightAlongK ? 1 : kWarps;
  emitLaunch(e, blocks, tuning::kGpuThreads,
             sharedType({partials * rows * columns}, product.accumulator),
             [&](const ThreadPlace &place) { emitBlock(place, sizes); });
}

void ThinEmitter::emitBlock(const ThreadPlace &place, ValueRange sizes) {
  SmallVector<Value> batch = e.delinearize(place.block[0], sizes);
  Value firstColumn = e.mul(batch.pop_back_val(), columns);
  std::tie(left, right) = product.operands(batch);
  Value thread = place.thread[0], lane = e.rem(thread, e.cst(kWarp));
  Value warp = e.div(thread, e.cst(kWarp));

  int64_t widest = 128 / product.rightType.getIntOrFloatBitWidth();
  width = std::clamp<int64_t>(widest, 1, 8);
  width = std::min(width, right.contiguity);
  int64_t across = graph::kPanelWidth / width; // Threads along the columns.
  if (right.alongK) {
    width = std::min(width, left.contiguity);
    column = e.add(firstColumn, warp);
    firstK = e.mul(lane, width);
    step = kWarp * width;
  } else {
    column = e.add(firstColumn, e.mul(e.rem(thread, e.cst(across)), width));
    firstK = e.div(thread, e.cst(across));
    step = tuning::kGpuThreads / across;
  }

  // One vector per row: columns, or parts of a column's sum.
  SmallVector<Value> sums = sumUp();

  // First lanes that hold sums of the same columns, then warps.
  FlatBuffer partial;
  partial.memref = place.shared[0];
  int64_t leaders = right.alongK ? 1 : across;
  SmallVector<Value> totals;
  for (Value sum : sums) {
    Value total;
    for (int64_t i = 0; i < width; ++i) {
      Value part = vector::ExtractOp::create(e.builder, e.loc, sum, i);
      if (!right.alongK)
        totals.push_back(sumOverWarp(part, leaders));
      else
        total = total ? e.sum(total, part) : part;
    }
    if (right.alongK)
      totals.push_back(sumOverWarp(total, leaders));
  }
  Value isLeader = e.cmp(arith::CmpIPredicate::ult, lane, e.cst(leaders));
  e.branch(isLeader, [&] {
    int64_t perRow = right.alongK ? 1 : width;
    Value start = e.sub(column, firstColumn);
    if (!right.alongK)
      start = e.add(start, e.mul(warp, rows * columns));
    for (auto [i, total] : llvm::enumerate(totals))
      partial.store(e, e.add(start, i / perRow * columns + i % perRow), total);
  });
  emitBarrier(e);

  Value outColumn = e.add(firstColumn, e.rem(thread, e.cst(columns)));
  Value row = e.div(thread, e.cst(columns));
  Value exists = e.cmp(arith::CmpIPredicate::slt, outColumn, product.n);
  Value rowCount = e.min(product.m, e.cst(rows));
  exists = both(e, exists, e.cmp(arith::CmpIPredicate::slt, row, rowCount));
  e.branch(exists, [&] {
    Value total = partial.load(e, thread);
    for (int64_t i = 1; i < (right.alongK ? 1 : kWarps); ++i)
      total = e.sum(total, partial.load(e, e.add(thread, i * rows * columns)));
    product.epilogue->emitScalar(
        product.epilogue->at(product.coordinates(batch, row, outColumn)),
        total);
  });
}

/// Adds up the values of lanes that are equal modulo `first`.
Value ThinEmitter::sumOverWarp(Value value, int64_t first) const {
  for (int64_t distance = kWarp / 2; distance >= first; distance /= 2) {
    auto shuffle = gpu::ShuffleOp::create(e.builder, e.loc, value, distance,
                                          kWarp, gpu::ShuffleMode::XOR);
    value = e.sum(value, shuffle.getShuffleResult());
  }
  return value;
}

SmallVector<Value> ThinEmitter::sumUp() const {
  auto type = VectorType::get({width}, product.accumulator);
  auto toVector = [&](const FlatBuffer &buffer, Value value) -> Value {
    value = buffer.extend(e, value, product.accumulator);
    if (isa<VectorType>(value.getType()))
      return value;
    return vector::BroadcastOp::create(e.builder, e.loc, type, value);
  };
  SmallVector<Value> columnLine = right.enter(column);
  Value columnExists = e.cmp(arith::CmpIPredicate::ult, column, right.lines);
  SmallVector<SmallVector<Value>> rowLines;
  SmallVector<Value> rowExists;
  for (int64_t r = 0; r < rows; ++r) {
    rowLines.push_back(left.enter(e.cst(r)));
    rowExists.push_back(e.cmp(arith::CmpIPredicate::ult, e.cst(r), left.lines));
  }
  // All threads make the same number of iterations, since a barrier follows.
  return e.loop(
      e.cst(0), product.k, tuning::kThinLoads * step,
      SmallVector<Value>(rows, e.zero(type)),
      [&](Value start, ValueRange carried) {
        SmallVector<Value> weights;
        SmallVector<SmallVector<Value>> elements;
        for (int64_t i = 0; i < tuning::kThinLoads; ++i) {
          Value k = e.add(e.add(start, firstK), i * step);
          Value kExists = e.cmp(arith::CmpIPredicate::slt, k, product.k);
          auto load = [&](const TileSource &source, ValueRange line,
                          Value lineExists, int64_t count) {
            TileSource::Place place = source.at(line, {k}, e.cst(0));
            place.inside = both(e, both(e, kExists, lineExists), place.inside);
            return toVector(source.buffer, loadRun(e, source, place, count));
          };
          weights.push_back(load(right, columnLine, columnExists, width));
          elements.emplace_back();
          for (int64_t r = 0; r < rows; ++r)
            elements.back().push_back(load(left, rowLines[r], rowExists[r],
                                           right.alongK ? width : 1));
        }
        SmallVector<Value> sums = llvm::to_vector(carried);
        for (int64_t i = 0; i < tuning::kThinLoads; ++i)
          for (int64_t r = 0; r < rows; ++r)
            sums[r] =
                isa<FloatType>(product.accumulator)
                    ? vector::FMAOp::create(e.builder, e.loc, elements[i][r],
                                            weights[i], sums[r])
                    : e.sum(sums[r], e.product(elements[i][r], weights[i]));
        return sums;
      });
}

void hone::emitThinProduct(Emitter &e, const Product &product, int64_t rows,
                           Value condition) {
  ThinEmitter(e, product, rows).emit(condition);
}
