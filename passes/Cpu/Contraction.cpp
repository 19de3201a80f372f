// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Emits the loop nest of a matrix product: blocks of rows x tiles of columns,
// and inside each the register tiles of the block. A block's rows stay in the
// L2 cache while the columns go by.
#include "passes/Cpu/Contraction.h"
#include "passes/Cpu/Dots.h"
#include "passes/Machine/Estimate.h"
#include "passes/Machine/Tuning.h"

using namespace mlir;
using namespace hone;

void hone::emitForall(Emitter &e, Value count, function_ref<void(Value)> body) {
  auto forall = scf::ForallOp::create(
      e.builder, e.loc, ArrayRef<OpFoldResult>{OpFoldResult(count)},
      ValueRange(), std::nullopt);
  OpBuilder::InsertionGuard guard(e.builder);
  e.builder.setInsertionPoint(forall.getBody()->getTerminator());
  body(forall.getInductionVar(0));
}

namespace {
class ContractionEmitter {
public:
  ContractionEmitter(Emitter &e, const CpuMachine &machine,
                     const Contraction &problem, Epilogue &epilogue)
      : e(e), machine(machine), problem(problem), epilogue(epilogue) {}

  void emit();

private:
  /// How tiles of rows follow each other: `large` of `rows`, `small` of `rows`
  /// - 1, and at most one of the `rest`.
  struct Rows {
    int64_t rows;
    Value large, small, rest;
    Value tiles;
  };
  Rows splitDynamicRows();
  void chooseBlocks();
  bool rowsAreFarApart() const;

  void emitColumns(Value firstTile, Value lastTile, bool tail);
  void emitWholeK(Value firstTile, Value lastTile, Value remaining);
  void emitChunkedK(Value firstTile, Value lastTile, Value remaining);
  void emitDotRows(Value firstRow, Value lastRow, Value remaining);
  void pack(Value kStart, Value kCount, Value remaining);
  void packRows(Value kStart, Value kCount, Value remaining);
  SmallVector<Value> columnSources(Value kStart, Value remaining) const;

  /// Rows of a tile. Null `existing`: all `count` exist; else so many do, at
  /// least one, and the others repeat the last.
  struct TileRows {
    int64_t count;
    Value first, inBlock, existing;

    Value offset(Emitter &e, int64_t row) const {
      Value offset = e.cst(row);
      return existing && row > 0 ? e.min(offset, e.sub(existing, e.cst(1)))
                                 : offset;
    }
  };
  using TileBody = function_ref<void(const TileRows &rows)>;
  void forEachTile(Value firstTile, Value lastTile, TileBody body);
  void forEachTileOfRest(Value inBlock, TileBody body);
  RegisterTile tileOf(int64_t rows) const {
    return RegisterTile(e, machine, problem.accumulator, {rows, vectors});
  }
  RegisterTile::Segment segmentOf(const TileRows &rows, Value kStart,
                                  Value kCount, Value remaining) const;
  Epilogue::Cursor cursorAt(Value firstRow) const;

  Emitter &e;
  const CpuMachine &machine;
  const Contraction &problem;
  Epilogue &epilogue;

  TileShape shape;
  int64_t lanes = 0, columns = 0; ///< Of a whole tile.
  Rows split;
  int64_t tilesPerBlock = 1;
  bool packs = false, chunked = false, dots = false;
  FlatBuffer packed, partial;

  // Of the iteration that is being emitted:
  SmallVector<Value> batch;
  Value aBase, bBase, firstColumn;
  int64_t vectors = 0; ///< Fewer in the last tile of a row.
};
} // namespace

void ContractionEmitter::emit() {
  std::optional<int64_t> m = constantOf(problem.m), k = constantOf(problem.k);
  lanes = lanesOf(machine, problem.accumulator);
  shape = chooseTile(machine, problem.accumulator, m, constantOf(problem.n));
  if (!m && problem.fewRows) {
    std::optional<int64_t> n = constantOf(problem.n);
    bool fewWeights = k && n && *k * *n <= tuning::kFewWeights;
    shape.rows = std::min(shape.rows, fewWeights ? 2 : tuning::kFewRows);
  }
  dots =
      problem.layout == RhsLayout::Transposed && m && *m <= tuning::kMaxDotRows;
  if (dots)
    shape = {1, 2};
  columns = shape.vectors * lanes;
  if (m) {
    RowSplit fixed = splitRows(std::max<int64_t>(*m, 1), shape.rows);
    split = {fixed.rows, e.cst(*m ? fixed.large : 0), e.cst(fixed.small),
             e.cst(0), e.cst(*m ? fixed.large + fixed.small : 0)};
  } else {
    split = splitDynamicRows();
  }
  packs = (problem.layout == RhsLayout::Transposed && !dots) ||
          (problem.layout == RhsLayout::RowMajor && rowsAreFarApart());
  chunked = packs && (!k || *k > tuning::kPackedK);
  chooseBlocks();
  if (packs)
    packed = makeScratch(
        e, (chunked ? tuning::kPackedK : std::max<int64_t>(*k, 1)) * columns,
        problem.b.elementType());
  if (chunked)
    partial = makeScratch(e, tilesPerBlock * split.rows * columns,
                          problem.accumulator);

  size_t batchRank = epilogue.rank() - 2;
  SmallVector<Value> sizes(epilogue.sizes.begin(),
                           epilogue.sizes.begin() + batchRank);
  sizes.push_back(e.ceilDiv(split.tiles, tilesPerBlock));
  sizes.push_back(e.ceilDiv(problem.n, columns));
  Value count = e.cst(1);
  for (Value size : sizes)
    count = e.mul(count, size);

  emitForall(e, count, [&](Value index) {
    SmallVector<Value> place = e.delinearize(index, sizes);
    batch.assign(place.begin(), place.begin() + batchRank);
    aBase = bBase = e.cst(0);
    for (size_t i = 0; i < batchRank; ++i) {
      aBase = e.add(aBase, e.mul(batch[i], problem.aBatchStrides[i]));
      bBase = e.add(bBase, e.mul(batch[i], problem.bBatchStrides[i]));
    }
    Value firstTile = e.mul(place[batchRank], tilesPerBlock);
    Value lastTile = e.min(e.add(firstTile, tilesPerBlock), split.tiles);
    firstColumn = e.mul(place[batchRank + 1], columns);
    std::optional<int64_t> n = constantOf(problem.n);
    if (n && *n % columns == 0)
      return emitColumns(firstTile, lastTile, /*tail=*/false);
    Value fits = e.cmp(arith::CmpIPredicate::sle, e.add(firstColumn, columns),
                       problem.n);
    e.branch(
        fits, [&] { emitColumns(firstTile, lastTile, /*tail=*/false); },
        [&] { emitColumns(firstTile, lastTile, /*tail=*/true); });
  });
}

/// Whole tiles, and a rest. A tile for each number of rows that could be left
/// would be most of the code, and is hardly faster.
ContractionEmitter::Rows ContractionEmitter::splitDynamicRows() {
  Value rows = e.cst(shape.rows), large = e.div(problem.m, rows);
  Value rest = e.rem(problem.m, rows);
  return {shape.rows, large, e.cst(0), rest,
          e.add(large, e.min(rest, e.cst(1)))};
}

bool ContractionEmitter::rowsAreFarApart() const {
  std::optional<int64_t> m = constantOf(problem.m), n = constantOf(problem.n);
  int64_t bytes = problem.b.elementType().getIntOrFloatBitWidth() / 8;
  return (!n || *n * bytes >= tuning::collidingBytes(machine)) &&
         (!m || *m >= tuning::kMinPackedRows);
}

void ContractionEmitter::chooseBlocks() {
  tilesPerBlock = tuning::kDynamicBlockTiles;
  std::optional<int64_t> tiles = constantOf(split.tiles);
  std::optional<int64_t> k = constantOf(problem.k);
  int64_t bytesPerTile = estimateProduct(
      k.value_or(tuning::kTypicalK),
      split.rows * problem.a.elementType().getIntOrFloatBitWidth() / 8);
  int64_t fitting = std::max<int64_t>(tuning::productBlockBytes(machine) /
                                          std::max<int64_t>(bytesPerTile, 1),
                                      1);
  tilesPerBlock = std::min(fitting, tiles.value_or(tuning::kDynamicBlockTiles));
  tilesPerBlock = std::max<int64_t>(tilesPerBlock, 1);
  if (!tiles)
    return;
  // Equal blocks; more of them where columns and batches alone give few.
  int64_t balancedBlocks = tuning::balancedBlocks(machine), others = 1;
  for (size_t i = 0; i + 2 < epilogue.rank(); ++i)
    others = estimateProduct(
        others, constantOf(epilogue.sizes[i]).value_or(balancedBlocks));
  others = estimateProduct(
      others,
      llvm::divideCeil(constantOf(problem.n).value_or(balancedBlocks * columns),
                       columns));
  int64_t workPerTile =
      estimateProduct(k.value_or(tuning::kTypicalK), split.rows * columns);
  int64_t least = std::clamp<int64_t>(tuning::kMinBlockMacs /
                                          std::max<int64_t>(workPerTile, 1),
                                      1, tilesPerBlock);
  int64_t blocks = (*tiles + tilesPerBlock - 1) / tilesPerBlock;
  int64_t wanted =
      llvm::divideCeil(balancedBlocks, std::max<int64_t>(others, 1));
  blocks = std::max(blocks, std::min(wanted, *tiles / least));
  blocks = std::max<int64_t>(blocks, 1);
  tilesPerBlock = std::max<int64_t>((*tiles + blocks - 1) / blocks, 1);
}

void ContractionEmitter::emitColumns(Value firstTile, Value lastTile,
                                     bool tail) {
  vectors = shape.vectors;
  Value remaining;
  if (tail) {
    remaining = e.sub(problem.n, firstColumn);
    if (std::optional<int64_t> n = constantOf(problem.n)) {
      int64_t left = *n % columns;
      vectors = (left + lanes - 1) / lanes;
      remaining = left % lanes ? e.cst(left) : nullptr;
    }
  }
  if (dots)
    return emitDotRows(firstTile, lastTile, remaining);
  auto tiles = [&] {
    if (chunked)
      return emitChunkedK(firstTile, lastTile, remaining);
    if (packs)
      pack(e.cst(0), problem.k, remaining);
    emitWholeK(firstTile, lastTile, remaining);
  };
  if (problem.layout != RhsLayout::Transposed || constantOf(problem.m))
    return tiles();
  // So few rows are all in one block.
  Value few =
      e.cmp(arith::CmpIPredicate::sle, problem.m, e.cst(tuning::kMaxDotRows));
  e.branch(few, [&] { emitDotRows(e.cst(0), problem.m, remaining); }, tiles);
}

/// Rows of the transposed operand are contiguous, as are those of the left-hand
/// side.
void ContractionEmitter::emitDotRows(Value firstRow, Value lastRow,
                                     Value remaining) {
  SmallVector<Value> sources = columnSources(e.cst(0), remaining);
  e.loop(firstRow, lastRow, [&](Value row) {
    Value a = e.add(aBase, e.mul(row, problem.k));
    SmallVector<Value> sums;
    for (int64_t v = 0; v < vectors; ++v)
      sums.push_back(
          emitDots(e, machine, problem.accumulator, problem.a, a, problem.b,
                   ArrayRef(sources).slice(v * lanes, lanes), problem.k));
    epilogue.emitTile(cursorAt(row), epilogue.rank() - 2, 1, vectors, {sums},
                      remaining);
  });
}

void ContractionEmitter::emitWholeK(Value firstTile, Value lastTile,
                                    Value remaining) {
  forEachTile(firstTile, lastTile, [&](const TileRows &rows) {
    RegisterTile tile = tileOf(rows.count);
    SmallVector<Value> sums = tile.accumulate(
        segmentOf(rows, e.cst(0), problem.k, remaining), tile.zeros());
    epilogue.emitTile(cursorAt(rows.first), epilogue.rank() - 2, rows.count,
                      vectors, {tile.finish(sums)}, remaining, rows.existing);
  });
}

/// Partial sums of the block wait in scratch while K goes by in pieces.
void ContractionEmitter::emitChunkedK(Value firstTile, Value lastTile,
                                      Value remaining) {
  auto offsetOf = [&](Value row, int64_t i) {
    return e.add(e.mul(row, columns), i * lanes);
  };
  auto load = [&](const TileRows &rows) {
    SmallVector<Value> values;
    for (int64_t i = 0; i < rows.count * vectors; ++i)
      values.push_back(partial.load(e, offsetOf(rows.inBlock, i), lanes));
    return values;
  };
  Value zero = e.zero(VectorType::get({lanes}, problem.accumulator));
  e.loop(e.cst(0), partial.sizes[0], lanes, {}, [&](Value i, ValueRange) {
    partial.store(e, i, zero);
    return SmallVector<Value>();
  });
  e.loop(
      e.cst(0), problem.k, tuning::kPackedK, {}, [&](Value kStart, ValueRange) {
        Value kCount = e.min(e.cst(tuning::kPackedK), e.sub(problem.k, kStart));
        pack(kStart, kCount, remaining);
        forEachTile(firstTile, lastTile, [&](const TileRows &rows) {
          RegisterTile tile = tileOf(rows.count);
          SmallVector<Value> sums = tile.finish(
              tile.accumulate(segmentOf(rows, kStart, kCount, remaining),
                              tile.startFrom(load(rows))));
          for (auto [i, value] : llvm::enumerate(sums))
            partial.store(e, offsetOf(rows.inBlock, i), value);
        });
        return SmallVector<Value>();
      });
  forEachTile(firstTile, lastTile, [&](const TileRows &rows) {
    epilogue.emitTile(cursorAt(rows.first), epilogue.rank() - 2, rows.count,
                      vectors, {load(rows)}, remaining, rows.existing);
  });
}

Epilogue::Cursor ContractionEmitter::cursorAt(Value firstRow) const {
  SmallVector<Value> coordinates = batch;
  coordinates.push_back(firstRow);
  coordinates.push_back(firstColumn);
  return epilogue.at(coordinates);
}

RegisterTile::Segment ContractionEmitter::segmentOf(const TileRows &rows,
                                                    Value kStart, Value kCount,
                                                    Value remaining) const {
  RegisterTile::Segment segment(problem.a, packs ? packed : problem.b);
  segment.count = kCount;
  Value a = e.add(aBase, kStart);
  if (!problem.rowOffset)
    a = e.add(a, e.mul(rows.first, problem.k));
  for (int64_t r = 0; r < rows.count; ++r) {
    Value row = rows.offset(e, r);
    segment.aOffsets.push_back(
        e.add(a, problem.rowOffset ? problem.rowOffset(e.add(rows.first, row))
                                   : e.mul(problem.k, row)));
  }
  for (int64_t v = 0; v < vectors; ++v) {
    Value column = e.cst(v * lanes);
    if (packs) {
      segment.bOffsets.push_back(column);
      segment.bStep = e.cst(columns);
      continue;
    }
    column = e.add(firstColumn, column);
    if (problem.layout == RhsLayout::RowMajor) {
      segment.bOffsets.push_back(
          e.add(e.add(bBase, column), e.mul(kStart, problem.n)));
      segment.bStep = problem.n;
      if (remaining)
        segment.bMasks.push_back(
            makeMask(e, remaining, e.cst(v * lanes), lanes));
      continue;
    }
    // The last tile may be wider than what is left of the panels.
    Value panel = columns % graph::kPanelWidth == 0
                      ? e.add(e.div(firstColumn, e.cst(graph::kPanelWidth)),
                              v * lanes / graph::kPanelWidth)
                      : e.div(column, e.cst(graph::kPanelWidth));
    if (remaining && columns > graph::kPanelWidth)
      panel = e.min(panel,
                    e.sub(e.ceilDiv(problem.n, graph::kPanelWidth), e.cst(1)));
    Value inside = columns % graph::kPanelWidth == 0
                       ? e.cst(v * lanes % graph::kPanelWidth)
                       : e.rem(column, e.cst(graph::kPanelWidth));
    Value start = e.mul(panel, e.mul(problem.k, graph::kPanelWidth));
    segment.bOffsets.push_back(
        e.add(e.add(start, inside), e.mul(kStart, graph::kPanelWidth)));
    segment.bStep = e.cst(graph::kPanelWidth);
  }
  return segment;
}

void ContractionEmitter::forEachTile(Value firstTile, Value lastTile,
                                     TileBody body) {
  Value end = split.large;
  auto range = [&](Value low, Value high, int64_t rows, Value firstRowOfRange,
                   Value firstTileOfRange) {
    e.loop(low, high, [&](Value tile) {
      Value row =
          e.add(firstRowOfRange, e.mul(e.sub(tile, firstTileOfRange), rows));
      Value inBlock = e.mul(e.sub(tile, firstTile), split.rows);
      body({rows, row, inBlock, nullptr});
    });
  };
  Value zero = e.cst(0);
  if (constantOf(split.large) != 0)
    range(firstTile, e.min(lastTile, end), split.rows, zero, zero);
  if (constantOf(split.small) != 0 && split.rows > 1)
    range(e.max(firstTile, end), e.min(lastTile, e.add(end, split.small)),
          split.rows - 1, e.mul(end, split.rows), end);
  if (constantOf(split.rest) == 0)
    return;
  Value done = e.add(end, split.small);
  Value has = e.cmp(arith::CmpIPredicate::sgt, lastTile, done);
  e.branch(has, [&] {
    forEachTileOfRest(e.mul(e.sub(done, firstTile), split.rows), body);
  });
}

/// Tiles of 4 rows and of larger powers of two, unless rows are few anyway; the
/// last rows two at a time, and of the last two perhaps one.
void ContractionEmitter::forEachTileOfRest(Value inBlock, TileBody body) {
  Value left = split.rest, row = e.sub(problem.m, left);
  int64_t most = problem.fewRows ? 2 : split.rows - 1;
  for (int64_t rows = llvm::bit_floor<uint64_t>(most); rows > 2; rows /= 2) {
    Value taken = e.cmp(arith::CmpIPredicate::sge, left, e.cst(rows));
    e.branch(taken, [&] { body({rows, row, inBlock, nullptr}); });
    Value rest = e.rem(left, e.cst(rows)), step = e.sub(left, rest);
    row = e.add(row, step);
    inBlock = e.add(inBlock, step);
    left = rest;
  }
  int64_t rows = std::min<int64_t>(2, split.rows - 1);
  e.loop(e.cst(0), left, rows, {}, [&](Value i, ValueRange) {
    body({rows, e.add(row, i), e.add(inBlock, i),
          rows > 1 ? e.sub(left, i) : nullptr});
    return SmallVector<Value>();
  });
}

void ContractionEmitter::pack(Value kStart, Value kCount, Value remaining) {
  if (problem.layout == RhsLayout::Transposed)
    packColumns(e, problem.b, columnSources(kStart, remaining), kCount, lanes,
                packed, columns);
  else
    packRows(kStart, kCount, remaining);
}

/// packed[k][column] = b[kStart + k][firstColumn + column].
void ContractionEmitter::packRows(Value kStart, Value kCount, Value remaining) {
  Value source = e.add(e.add(bBase, firstColumn), e.mul(kStart, problem.n));
  SmallVector<Value> masks;
  for (int64_t c = 0; c < vectors * lanes; c += lanes)
    masks.push_back(makeMask(e, remaining, e.cst(c), lanes));
  e.loop(e.cst(0), kCount, [&](Value k) {
    Value row = e.add(source, e.mul(k, problem.n));
    for (int64_t c = 0; c < vectors * lanes; c += lanes)
      packed.store(e, e.add(e.mul(k, columns), c),
                   problem.b.load(e, e.add(row, c), lanes, masks[c / lanes]));
  });
}

/// Where the rows of a transposed operand that are columns of the tile start; a
/// column that does not exist repeats the last.
SmallVector<Value> ContractionEmitter::columnSources(Value kStart,
                                                     Value remaining) const {
  SmallVector<Value> sources;
  for (int64_t c = 0; c < vectors * lanes; ++c) {
    Value column = e.cst(c);
    if (remaining)
      column = e.min(column, e.sub(remaining, e.cst(1)));
    column = e.add(firstColumn, column);
    sources.push_back(e.add(e.add(bBase, e.mul(column, problem.k)), kStart));
  }
  return sources;
}

void hone::emitContraction(Emitter &e, const CpuMachine &machine,
                           const Contraction &contraction, Epilogue &epilogue) {
  ContractionEmitter(e, machine, contraction, epilogue).emit();
}
