// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Emits the loop nest of a matrix product: a parallel loop over blocks, and in
// each its chunks of K, tiles of columns and register tiles. What a block reads
// repeatedly stays in the L2 cache.
#include "passes/Cpu/Contraction.h"
#include "passes/Cpu/Dequantize.h"
#include "passes/Cpu/Dots.h"
#include "passes/Cpu/MatrixTile.h"
#include "passes/Cpu/Panels.h"
#include "passes/Cpu/RegisterTile.h"
#include "passes/Cpu/Schedule.h"
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
                     const Contraction &problem, Epilogue &epilogue,
                     graph::ScheduleAttr schedule)
      : e(e), machine(machine), problem(problem), epilogue(epilogue),
        schedule(schedule),
        shape{schedule.getTileRows(), schedule.getTileVectors()},
        form(*findMicroKernel(schedule.getForm())),
        lanes(form.lanes(machine, problem.shape.types.accumulator)),
        columns(shape.vectors * lanes),
        columnTiles(
            std::max<int64_t>(schedule.getBlockColumns() / columns, 1)) {
    if (form.hasMatrices())
      registers.emplace(form, problem.shape.types, shape,
                        problem.shape.paddedK());
  }

  void emit();

private:
  /// How tiles of rows follow each other: `large` of `rows`, `small` of `rows`
  /// - 1, and at most one of the `rest`.
  struct Rows {
    int64_t rows;
    Value large, small, rest;
    Value tiles;
  };
  /// Rows of a tile. Null `existing`: all `count` exist; otherwise that many
  /// do, at least one, and the others repeat the last.
  struct TileRows {
    int64_t count;
    Value first, inBlock, existing;

    Value offset(Emitter &e, int64_t row) const {
      Value offset = e.cst(row);
      return existing && row > 0 ? e.min(offset, e.sub(existing, e.cst(1)))
                                 : offset;
    }
  };
  Rows splitStaticRows(int64_t m);
  Rows splitDynamicRows();
  Rows splitRowsOfMatrices();

  void emitBlock();
  void emitChunks();
  /// Runs `body` for the tiles of columns in the block.
  using ColumnBody = function_ref<void(Value remaining)>;
  void forEachColumnTile(ColumnBody body);
  void emitWholeK(Value remaining);
  void emitDotRows(Value firstRow, Value lastRow, Value remaining);
  void emitUnpackedRows(const TileRows &rows, Value remaining);
  Value rowOfTile(Value tile);
  void convert(Value kStart, Value kCount);
  void makeRowsOfBytes(bool inChunks, int64_t k);
  void quantize(const QuantizedRows &rows, Value kStart, Value kCount);
  /// Where the sums of a tile are.
  using SumsOf = std::function<ProductTile::SumsInMemory(const TileRows &rows)>;
  /// Adds the products of a chunk to the sums of a tile of columns.
  void multiplyCodes(Value kStart, Value kCount, Value remaining,
                     const SumsOf &sumsOf);
  /// The bytes of a tile's rows.
  LeftRows bytesOf(const QuantizedRows &quantized, const TileRows &rows) const;
  void pack(Value kStart, Value kCount, Value remaining);
  void packRows(Value kStart, Value kCount, Value remaining);
  void packSteps(Value source, Value kCount, Value remaining);
  void widenPanels(Value kStart, Value kCount, Value remaining);
  void packQuantized(Value kStart, Value kCount, Value remaining);
  bool isOfPanels() const { return problem.shape.layout == RhsLayout::Packed; }
  QuantizedPanels quantizedPanels() const;
  SmallVector<PanelPlace> quantizedColumns(Value remaining) const;
  OrderedPanels orderedPanels() const;
  SmallVector<Value> columnSources(Value kStart, Value remaining) const;
  PanelPlace panelPlace(int64_t vector, Value remaining) const;
  Value panelOffset(int64_t vector, Value kStart, Value remaining) const;
  ProductTile::Prefetch nextPanels(const TileRows &rows, Value kStart,
                                   Value kCount) const;

  using TileBody = function_ref<void(const TileRows &rows)>;
  void forEachTile(TileBody body);
  void forEachTileOfRest(Value inBlock, TileBody body);
  void forEachTileOfMatrices(TileBody body);
  std::unique_ptr<ProductTile> tileOf(int64_t rows) const {
    return makeTile(e, machine, tileForm(form, packs), registers,
                    problem.shape.types.accumulator, {rows, vectors});
  }
  ProductTile::Segment segmentOf(const TileRows &rows, Value kStart,
                                 Value kCount, Value remaining) const;
  Epilogue::Cursor cursorAt(Value firstRow) const;
  /// Emits the epilogue of a tile for some of its rows.
  void emitEpilogue(const TileRows &rows, Value first, int64_t count,
                    ValueRange sums, Value existing, Value remaining);

  Emitter &e;
  const CpuMachine &machine;
  const Contraction &problem;
  Epilogue &epilogue;
  graph::ScheduleAttr schedule;

  TileShape shape;
  const MicroKernel &form;
  std::optional<MatrixRegisters> registers; ///< Of a form with matrices.
  int64_t lanes, columns;                   ///< Of a whole tile.
  int64_t rowTiles, columnTiles;            ///< Of a block.
  Rows split;
  bool packs = false, converts = false;
  /// Matrices read rows where they are, but for those of the last tile if it
  /// has fewer: these are copied, as what follows them may be no memory.
  bool convertsRest = false;
  /// K passes by in chunks, between which sums are in memory; products with
  /// codes keep them there for a single one, too.
  bool chunked = false;
  int64_t chunk = 0;          ///< Elements of K in one.
  int64_t sharingTiles = 0;   ///< Of rows, of what is prefetched.
  int64_t prefetched = 0;     ///< Elements of panels, by each step of a tile.
  int64_t convertedPitch = 0; ///< Of a row in `converted`.
  /// The left-hand side of a product with codes, for a chunk of K or, of few
  /// rows, all of it.
  std::optional<QuantizedRows> rowsOfChunk, wholeRows;
  Type sumType; ///< Between chunks, and of the epilogue.
  FlatBuffer packed, converted, partial, ordered;

  // Of the current block:
  SmallVector<Value> batch;
  Value aBase, bBase, blockColumn, firstTile, lastTile;
  Value firstRow; ///< Of a converted block.
  // Of the current tile of columns:
  Value firstColumn;
  int64_t vectors = 0; ///< Fewer in the last tile of a row.
};
} // namespace

void ContractionEmitter::emit() {
  std::optional<int64_t> m = constantOf(problem.m), k = constantOf(problem.k);
  split = registers ? splitRowsOfMatrices()
          : m       ? splitStaticRows(*m)
                    : splitDynamicRows();
  rowTiles = std::max<int64_t>(schedule.getBlockRows() / split.rows, 1);
  bool inPlace = isReadInPlace(problem.shape);
  packs = schedule.getPacked() && !inPlace;
  converts = isConverted(problem.shape, form);
  convertsRest = registers && !problem.rowOffset &&
                 !problem.shape.endsWithinStep() &&
                 problem.shape.types.lhs == form.leftType(problem.shape.types);
  chunk = schedule.getBlockK();
  chunked = chunk > 0 && !(k && *k <= chunk) && !inPlace;
  sumType = problem.shape.types.accumulator;
  if (problem.shape.types.codeBits) {
    // Scaled sums are in memory in any case.
    chunked = !inPlace;
    sumType = e.builder.getF32Type();
    int64_t whole = llvm::alignTo(*k, problem.shape.quantized.getBlock());
    if (chunk == 0 || chunk > whole)
      chunk = whole;
  }
  if (packs) {
    int64_t length =
        chunked ? chunk : std::max<int64_t>(problem.shape.paddedK(), 1);
    // Of a last block all is unpacked.
    if (problem.shape.quantized && !chunked)
      length = llvm::alignTo(length, problem.shape.quantized.getBlock());
    packed = makeScratch(e, length * columns,
                         isOfPanels() ? problem.shape.types.accumulator
                                      : problem.shape.types.rhs);
  }
  if (problem.shape.types.codeBits) {
    makeRowsOfBytes(!inPlace, *k);
  } else if (converts) {
    // A multiple of 4 KiB between rows would map them to one set of the L1
    // cache.
    int64_t length = chunked ? chunk : std::max<int64_t>(*k, 1);
    int64_t width = form.hasMatrices() ? form.depth() : lanes;
    convertedPitch = llvm::alignTo(length, width) + width;
    converted = makeScratch(e, rowTiles * split.rows * convertedPitch,
                            form.leftType(problem.shape.types));
    converted.isUnsigned = problem.a.isUnsigned;
  }
  std::optional<int64_t> tiles = constantOf(split.tiles);
  // Products of matrices hide nothing of what a block of rows before has
  // brought.
  bool arriveOnce = !registers || (tiles && *tiles <= rowTiles);
  if (isOfPanels() && !packs && arriveOnce &&
      (!m || *m > tuning::kStreamedRows)) {
    sharingTiles =
        tiles ? std::min(rowTiles, *tiles) : tuning::kDynamicPrefetchingTiles;
    int64_t elements = chunked ? chunk : problem.shape.k;
    prefetched = prefetchedElements(
        machine, form, problem.shape.types,
        {sharingTiles, columns, elements, problem.shape.k, problem.shape.n});
  }
  if (form.isOrdered)
    ordered = makeOrdered(e, split.rows);
  if (chunked)
    partial =
        makeScratch(e, columnTiles * rowTiles * split.rows * columns, sumType);

  size_t batchRank = epilogue.rank() - 2;
  SmallVector<Value> sizes(epilogue.sizes.begin(),
                           epilogue.sizes.begin() + batchRank);
  sizes.push_back(e.ceilDiv(split.tiles, rowTiles));
  sizes.push_back(e.ceilDiv(problem.n, columnTiles * columns));
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
    firstTile = e.mul(place[batchRank], rowTiles);
    lastTile = e.min(e.add(firstTile, rowTiles), split.tiles);
    blockColumn = e.mul(place[batchRank + 1], columnTiles * columns);
    if (registers)
      registers->configure(e);
    emitBlock();
    if (registers)
      registers->release(e);
  });
}

ContractionEmitter::Rows ContractionEmitter::splitStaticRows(int64_t m) {
  RowSplit fixed = splitRows(std::max<int64_t>(m, 1), shape.rows);
  return {fixed.rows, e.cst(m ? fixed.large : 0), e.cst(fixed.small), e.cst(0),
          e.cst(m ? fixed.large + fixed.small : 0)};
}

/// Whole tiles, and a remainder. A tile for each possible remainder would be
/// most of the code, and is hardly faster.
ContractionEmitter::Rows ContractionEmitter::splitDynamicRows() {
  Value rows = e.cst(shape.rows), large = e.div(problem.m, rows);
  Value rest = e.rem(problem.m, rows);
  return {shape.rows, large, e.cst(0), rest,
          e.add(large, e.min(rest, e.cst(1)))};
}

/// The last tile may have fewer rows.
ContractionEmitter::Rows ContractionEmitter::splitRowsOfMatrices() {
  Value tiles = e.ceilDiv(problem.m, shape.rows);
  return {shape.rows, tiles, e.cst(0), e.cst(0), tiles};
}

void ContractionEmitter::forEachColumnTile(ColumnBody body) {
  std::optional<int64_t> n = constantOf(problem.n);
  auto emitTile = [&](Value inBlock) {
    firstColumn = e.add(blockColumn, inBlock);
    auto whole = [&] {
      vectors = shape.vectors;
      body(nullptr);
    };
    if (n && *n % columns == 0)
      return whole();
    Value fits = e.cmp(arith::CmpIPredicate::sle, e.add(firstColumn, columns),
                       problem.n);
    e.branch(fits, whole, [&] {
      vectors = shape.vectors;
      Value remaining = e.sub(problem.n, firstColumn);
      if (n) {
        int64_t left = *n % columns;
        vectors = (left + lanes - 1) / lanes;
        remaining = left % lanes ? e.cst(left) : nullptr;
      }
      body(remaining);
    });
  };
  if (columnTiles == 1)
    return emitTile(e.cst(0));
  Value end =
      e.min(e.cst(columnTiles * columns), e.sub(problem.n, blockColumn));
  e.loop(e.cst(0), end, columns, {}, [&](Value inBlock, ValueRange) {
    emitTile(inBlock);
    return SmallVector<Value>();
  });
}

void ContractionEmitter::emitBlock() {
  auto emitTiles = [&] {
    if (chunked)
      return emitChunks();
    if (converts)
      convert(e.cst(0), problem.k);
    forEachColumnTile([&](Value remaining) {
      if (packs)
        pack(e.cst(0), problem.k, remaining);
      emitWholeK(remaining);
    });
  };
  auto emitDotTiles = [&](Value firstRow, Value lastRow) {
    forEachColumnTile(
        [&](Value remaining) { emitDotRows(firstRow, lastRow, remaining); });
  };
  if (isDotProduct(problem.shape))
    return emitDotTiles(firstTile, lastTile);
  bool isQuantized = problem.shape.layout == RhsLayout::Quantized;
  auto quantizeAll = [&] {
    if (wholeRows)
      quantize(*wholeRows, e.cst(0), problem.k);
  };
  if (isUnpackedInRegisters(problem.shape)) {
    quantizeAll();
    return forEachColumnTile([&](Value remaining) {
      forEachTile(
          [&](const TileRows &rows) { emitUnpackedRows(rows, remaining); });
    });
  }
  if ((problem.shape.layout != RhsLayout::Transposed && !isQuantized) ||
      constantOf(problem.m) || registers)
    return emitTiles();
  // So few rows are all in one block.
  auto emitFew = [&] {
    if (!isQuantized)
      return emitDotTiles(e.cst(0), problem.m);
    quantizeAll();
    forEachColumnTile([&](Value remaining) {
      e.loop(rowOfTile(firstTile), rowOfTile(lastTile), [&](Value row) {
        emitUnpackedRows({1, row, nullptr, nullptr}, remaining);
      });
    });
  };
  int64_t most =
      isQuantized ? tuning::kMaxRepeatedUnpacking : tuning::kMaxDotRows;
  Value few = e.cmp(arith::CmpIPredicate::sle, problem.m, e.cst(most));
  e.branch(few, emitFew, emitTiles);
}

void ContractionEmitter::emitUnpackedRows(const TileRows &rows,
                                          Value remaining) {
  auto multiply = [&](const LeftRows &left, int64_t count) {
    return multiplyQuantized(e, machine, form, quantizedPanels(),
                             quantizedColumns(remaining), lanes, left, count);
  };
  auto floats = [&] {
    LeftRows left{problem.a, {}};
    for (int64_t r = 0; r < rows.count; ++r)
      left.offsets.push_back(
          e.add(aBase, e.mul(e.add(rows.first, r), problem.k)));
    return left;
  };
  int64_t k = *constantOf(problem.k);
  SmallVector<Value> sums =
      wholeRows ? multiply(bytesOf(*wholeRows, rows),
                           llvm::alignTo(k, problem.shape.quantized.getBlock()))
                : multiply(floats(), k);
  epilogue.emitTile(cursorAt(rows.first), epilogue.rank() - 2, rows.count,
                    vectors, {sums}, remaining);
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
          emitDots(e, form, problem.shape.types, problem.a, a, problem.b,
                   ArrayRef(sources).slice(v * lanes, lanes), problem.k));
    epilogue.emitTile(cursorAt(row), epilogue.rank() - 2, 1, vectors, {sums},
                      remaining);
  });
}

void ContractionEmitter::emitEpilogue(const TileRows &rows, Value first,
                                      int64_t count, ValueRange sums,
                                      Value existing, Value remaining) {
  epilogue.emitTile(cursorAt(e.add(rows.first, first)), epilogue.rank() - 2,
                    count, sums.size() / count, {llvm::to_vector(sums)},
                    remaining, existing);
}

void ContractionEmitter::emitWholeK(Value remaining) {
  forEachTile([&](const TileRows &rows) {
    std::unique_ptr<ProductTile> tile = tileOf(rows.count);
    ProductTile::Segment segment =
        segmentOf(rows, e.cst(0), problem.k, remaining);
    SmallVector<Value> sums = tile->accumulate(segment, tile->zeros());
    if (form.isOrdered)
      sums = emitCorrections(
          e, *tile, problem.a, orderedPanels(), panelPlace(0, remaining),
          [&](ArrayRef<Value> position) {
            SmallVector<Value> offsets;
            for (Value row : segment.aOffsets)
              offsets.push_back(e.add(row, position[2]));
            return offsets;
          },
          sums);
    tile->useSums(
        sums, rows.existing,
        [&](Value first, int64_t count, ValueRange sums, Value existing) {
          emitEpilogue(rows, first, count, sums, existing, remaining);
        });
  });
}

/// The sums of a block are kept in scratch memory between chunks of K.
void ContractionEmitter::emitChunks() {
  int64_t blockRows = rowTiles * split.rows;
  SumsOf sumsOf = [&](const TileRows &rows) {
    Value tileStart = e.mul(e.sub(firstColumn, blockColumn), blockRows);
    return ProductTile::SumsInMemory{
        partial, e.add(tileStart, e.mul(rows.inBlock, columns)), columns};
  };
  Value zero = e.zero(VectorType::get({lanes}, sumType));
  e.loop(e.cst(0), partial.sizes[0], lanes, {}, [&](Value i, ValueRange) {
    partial.store(e, i, zero);
    return SmallVector<Value>();
  });
  e.loop(e.cst(0), problem.k, chunk, {}, [&](Value kStart, ValueRange) {
    Value kCount = e.min(e.cst(chunk), e.sub(problem.k, kStart));
    if (rowsOfChunk)
      quantize(*rowsOfChunk, kStart, kCount);
    else if (converts)
      convert(kStart, kCount);
    forEachColumnTile([&](Value remaining) {
      if (packs)
        pack(kStart, kCount, remaining);
      if (rowsOfChunk)
        return multiplyCodes(kStart, kCount, remaining, sumsOf);
      forEachTile([&](const TileRows &rows) {
        tileOf(rows.count)
            ->accumulateIn(sumsOf(rows),
                           segmentOf(rows, kStart, kCount, remaining));
      });
    });
    return SmallVector<Value>();
  });
  forEachColumnTile([&](Value remaining) {
    forEachTile([&](const TileRows &rows) {
      tileOf(rows.count)
          ->useSums(
              sumsOf(rows), rows.existing,
              [&](Value first, int64_t count, ValueRange sums, Value existing) {
                emitEpilogue(rows, first, count, sums, existing, remaining);
              });
    });
  });
}

Epilogue::Cursor ContractionEmitter::cursorAt(Value firstRow) const {
  SmallVector<Value> coordinates = batch;
  coordinates.push_back(firstRow);
  coordinates.push_back(firstColumn);
  return epilogue.at(coordinates);
}

ProductTile::Segment ContractionEmitter::segmentOf(const TileRows &rows,
                                                   Value kStart, Value kCount,
                                                   Value remaining) const {
  bool isCopy = converts && !(convertsRest && !rows.existing);
  ProductTile::Segment segment(isCopy ? converted : problem.a,
                               packs ? packed : problem.b);
  segment.count = problem.shape.endsWithinStep()
                      ? e.mul(e.ceilDiv(kCount, form.kr), form.kr)
                      : kCount;
  Value base = e.add(aBase, kStart), pitch = problem.k, first = rows.first;
  if (isCopy) {
    base = e.cst(0);
    pitch = e.cst(convertedPitch);
    first = e.sub(first, firstRow);
  }
  bool apart = problem.rowOffset && !isCopy;
  if (!apart)
    base = e.add(base, e.mul(first, pitch));
  segment.aPitch = pitch;
  for (int64_t r = 0; r < (registers ? 1 : rows.count); ++r) {
    Value row = rows.offset(e, r);
    segment.aOffsets.push_back(
        e.add(base, apart ? problem.rowOffset(e.add(first, row))
                          : e.mul(pitch, row)));
  }
  for (int64_t v = 0; v < vectors; ++v) {
    Value column = e.cst(v * lanes);
    if (packs) {
      segment.bOffsets.push_back(e.mul(column, tileForm(form, packs).kr));
      segment.bStep = e.cst(columns);
      continue;
    }
    column = e.add(firstColumn, column);
    if (problem.shape.layout == RhsLayout::RowMajor) {
      segment.bOffsets.push_back(
          e.add(e.add(bBase, column), e.mul(kStart, problem.n)));
      segment.bStep = problem.n;
      if (remaining)
        segment.bMasks.push_back(
            makeMask(e, remaining, e.cst(v * lanes), lanes));
      continue;
    }
    segment.bOffsets.push_back(panelOffset(v, kStart, remaining));
    segment.bStep = e.cst(graph::kPanelWidth);
  }
  if (form.isOrdered) {
    segment.order = orderedPanels().order(e, panelPlace(0, remaining));
    segment.ordered = &ordered;
  }
  if (prefetched && (constantOf(problem.m) || rows.count == split.rows))
    segment.prefetch = nextPanels(rows, kStart, kCount);
  return segment;
}

/// Of the panels of the next tile of columns, which follow in memory, the share
/// of a tile of rows. Chunks of two panels do not follow each other.
ProductTile::Prefetch ContractionEmitter::nextPanels(const TileRows &rows,
                                                     Value kStart,
                                                     Value kCount) const {
  int64_t streams = chunked ? columns / graph::kPanelWidth : 1;
  int64_t advance = llvm::divideCeil(prefetched, streams);
  Value tile =
      e.rem(e.div(rows.inBlock, e.cst(split.rows)), e.cst(sharingTiles));
  Value start =
      e.add(e.mul(problem.k, columns), e.mul(e.mul(tile, kCount), advance));
  ProductTile::Prefetch prefetch{{}, advance};
  for (int64_t i = 0; i < streams; ++i)
    prefetch.offsets.push_back(e.add(
        panelOffset(i * graph::kPanelWidth / lanes, kStart, nullptr), start));
  return prefetch;
}

/// Where a vector of the tile begins.
PanelPlace ContractionEmitter::panelPlace(int64_t vector,
                                          Value remaining) const {
  return placeInPanels(
      e, columns, e.div(firstColumn, e.cst(graph::kPanelWidth)), firstColumn,
      vector * lanes,
      remaining ? e.ceilDiv(problem.n, graph::kPanelWidth) : Value());
}

OrderedPanels ContractionEmitter::orderedPanels() const {
  return {problem.b, problem.shape.packed, *constantOf(problem.k)};
}

/// Where its elements begin.
Value ContractionEmitter::panelOffset(int64_t vector, Value kStart,
                                      Value remaining) const {
  PanelPlace place = panelPlace(vector, remaining);
  Value start = form.isOrdered
                    ? orderedPanels().start(e, place)
                    : e.mul(place.panel, e.mul(problem.k, graph::kPanelWidth));
  return e.add(e.add(start, e.mul(place.column, form.kr)),
               e.mul(kStart, graph::kPanelWidth));
}

void ContractionEmitter::forEachTile(TileBody body) {
  if (registers)
    return forEachTileOfMatrices(body);
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

/// Whole tiles, and one with as many matrices as the last rows need.
void ContractionEmitter::forEachTileOfMatrices(TileBody body) {
  Value whole = e.div(problem.m, e.cst(split.rows));
  auto rowsOf = [&](int64_t count, Value tile, Value existing) -> TileRows {
    return {count, e.mul(tile, split.rows),
            e.mul(e.sub(tile, firstTile), split.rows), existing};
  };
  e.loop(firstTile, e.min(lastTile, whole),
         [&](Value tile) { body(rowsOf(split.rows, tile, nullptr)); });
  Value rest = e.rem(problem.m, e.cst(split.rows));
  if (constantOf(rest) == 0)
    return;
  e.branch(e.cmp(arith::CmpIPredicate::sgt, lastTile, whole), [&] {
    std::function<void(int64_t)> emit = [&](int64_t rows) {
      auto some = [&] { body(rowsOf(rows, whole, rest)); };
      if (rows + registers->rows > split.rows)
        return some();
      e.branch(e.cmp(arith::CmpIPredicate::sle, rest, e.cst(rows)), some,
               [&] { emit(rows + registers->rows); });
    };
    emit(registers->rows);
  });
}

/// Tiles of 4 rows and of larger powers of two, unless rows are few anyway; the
/// last rows two at a time, and of the last two perhaps one.
void ContractionEmitter::forEachTileOfRest(Value inBlock, TileBody body) {
  Value left = split.rest, row = e.sub(problem.m, left);
  int64_t most = problem.shape.fewRows ? 2 : split.rows - 1;
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

/// Where a tile of rows starts.
Value ContractionEmitter::rowOfTile(Value tile) {
  Value large = e.min(tile, split.large),
        small = e.min(e.sub(tile, large), split.small);
  Value row = e.add(e.mul(large, split.rows), e.mul(small, split.rows - 1));
  Value rest = e.sub(e.sub(tile, large), small);
  return e.min(e.add(row, e.mul(rest, split.rows)), problem.m);
}

/// converted[row - firstRow][k] = a[row][kStart + k] for the rows of the block.
void ContractionEmitter::convert(Value kStart, Value kCount) {
  firstRow = rowOfTile(firstTile);
  Value base = e.add(aBase, kStart), first = firstRow;
  if (convertsRest) {
    Value rest = e.rem(problem.m, e.cst(split.rows));
    if (constantOf(rest) == 0)
      return;
    first = e.max(first, e.sub(problem.m, rest));
  }
  e.loop(first, rowOfTile(lastTile), [&](Value row) {
    Value source = e.add(base, problem.rowOffset ? problem.rowOffset(row)
                                                 : e.mul(row, problem.k));
    Value target = e.mul(e.sub(row, firstRow), convertedPitch);
    // Rows have room for an extra vector.
    emitConversion(e, machine, form, problem.shape.types, lanes, problem.a,
                   source, converted, target, kCount);
  });
}

void ContractionEmitter::makeRowsOfBytes(bool inChunks, int64_t k) {
  graph::QuantizedAttr quantized = problem.shape.quantized;
  int64_t rows = rowTiles * split.rows;
  if (inChunks) {
    rowsOfChunk = QuantizedRows::make(e, quantized, rows, chunk);
    converted = rowsOfChunk->bytes;
    convertedPitch = rowsOfChunk->pitch;
    rows = tuning::kMaxRepeatedUnpacking;
  }
  if (!inChunks || !constantOf(problem.m))
    wholeRows = QuantizedRows::make(e, quantized, rows, k);
}

/// The same to bytes.
void ContractionEmitter::quantize(const QuantizedRows &rows, Value kStart,
                                  Value kCount) {
  firstRow = rowOfTile(firstTile);
  Value base = e.add(aBase, kStart);
  e.loop(firstRow, rowOfTile(lastTile), [&](Value row) {
    quantizeRow(e, machine, problem.shape.quantized, problem.a,
                e.add(base, e.mul(row, problem.k)), kCount, problem.shape.k,
                rows, e.sub(row, firstRow));
  });
}

/// All rows meet a block before the next one: in a loop over the blocks of a
/// tile LLVM would keep all sums in registers, beside those of the block.
void ContractionEmitter::multiplyCodes(Value kStart, Value kCount,
                                       Value remaining, const SumsOf &sumsOf) {
  int64_t size = problem.shape.quantized.getBlock();
  SmallVector<PanelPlace> places = quantizedColumns(remaining);
  e.loop(e.cst(0), e.ceilDiv(kCount, size), [&](Value number) {
    Value first = e.mul(number, size);
    forEachTile([&](const TileRows &rows) {
      ProductTile::Segment segment =
          segmentOf(rows, kStart, e.cst(size), remaining);
      for (Value &offset : segment.aOffsets)
        offset = e.add(offset, first);
      for (Value &offset : segment.bOffsets)
        offset = e.add(offset, e.mul(first, segment.bStep));
      RegisterTile tile(e, machine, form, problem.shape.types.accumulator,
                        {rows.count, vectors});
      accumulateBlock(e, tile, form, quantizedPanels(), places,
                      bytesOf(*rowsOfChunk, rows), e.add(kStart, first), number,
                      segment, sumsOf(rows));
    });
  });
}

LeftRows ContractionEmitter::bytesOf(const QuantizedRows &quantized,
                                     const TileRows &rows) const {
  LeftRows left{quantized.bytes, {}, &quantized};
  Value first = e.sub(rows.first, firstRow);
  for (int64_t r = 0; r < rows.count; ++r) {
    Value number = e.add(first, rows.offset(e, r));
    left.numbers.push_back(number);
    left.offsets.push_back(e.mul(number, quantized.pitch));
  }
  return left;
}

void ContractionEmitter::pack(Value kStart, Value kCount, Value remaining) {
  switch (problem.shape.layout) {
  case RhsLayout::Packed:
    return widenPanels(kStart, kCount, remaining);
  case RhsLayout::RowMajor:
    return packRows(kStart, kCount, remaining);
  case RhsLayout::Transposed:
    return packColumns(e, problem.b, columnSources(kStart, remaining), kCount,
                       lanes, form.kr, packed, columns);
  case RhsLayout::Quantized:
    return packQuantized(kStart, kCount, remaining);
  }
}

QuantizedPanels ContractionEmitter::quantizedPanels() const {
  return {problem.b, problem.shape.packed, problem.shape.quantized};
}

SmallVector<PanelPlace>
ContractionEmitter::quantizedColumns(Value remaining) const {
  SmallVector<PanelPlace> places;
  for (int64_t v = 0; v < vectors; ++v)
    places.push_back(panelPlace(v, remaining));
  return places;
}

void ContractionEmitter::packQuantized(Value kStart, Value kCount,
                                       Value remaining) {
  QuantizedRange range{kStart, kCount, chunked ? chunk : 0};
  for (auto [v, place] : llvm::enumerate(quantizedColumns(remaining)))
    unpack(e, quantizedPanels(), place, lanes, range, packed,
           v * lanes * form.kr, columns);
}

void ContractionEmitter::widenPanels(Value kStart, Value kCount,
                                     Value remaining) {
  SmallVector<Value> sources;
  for (int64_t v = 0; v < vectors; ++v)
    sources.push_back(panelOffset(v, kStart, remaining));
  emitWidening(e, form, problem.shape.types.accumulator, lanes, problem.b,
               sources, kCount, packed, columns);
}

/// The columns of rows, of which there is a power of two, one after the other.
static Value interleave(Emitter &e, SmallVector<Value> rows) {
  for (size_t half = rows.size() / 2; half > 0; half /= 2)
    for (size_t i = 0; i < half; ++i)
      rows[i] = vector::InterleaveOp::create(e.builder, e.loc, rows[i],
                                             rows[i + half]);
  return rows.front();
}

/// packed[k / kr][column][k % kr] = b[kStart + k][firstColumn + column], and
/// zeros after the last row.
void ContractionEmitter::packRows(Value kStart, Value kCount, Value remaining) {
  Value source = e.add(e.add(bBase, firstColumn), e.mul(kStart, problem.n));
  if (form.kr > 1)
    return packSteps(source, kCount, remaining);
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

void ContractionEmitter::packSteps(Value source, Value kCount,
                                   Value remaining) {
  // `existing`: rows of a step that exist; all if null.
  auto packStep = [&](Value k, Value existing) {
    for (int64_t c = 0; c < vectors * lanes; c += lanes) {
      SmallVector<Value> rows;
      for (int64_t i = 0; i < form.kr; ++i) {
        Value limit = remaining;
        if (existing) {
          Value exists = e.cmp(arith::CmpIPredicate::slt, e.cst(i), existing);
          Value all = remaining ? remaining : e.cst(vectors * lanes);
          limit =
              arith::SelectOp::create(e.builder, e.loc, exists, all, e.cst(0));
        }
        Value row = e.add(source, e.mul(e.add(k, i), problem.n));
        rows.push_back(problem.b.load(e, e.add(row, c), lanes,
                                      makeMask(e, limit, e.cst(c), lanes)));
      }
      packed.store(e, e.add(e.mul(k, columns), c * form.kr),
                   interleave(e, rows));
    }
  };
  Value rest = e.rem(kCount, e.cst(form.kr)), whole = e.sub(kCount, rest);
  e.loop(e.cst(0), whole, form.kr, {}, [&](Value k, ValueRange) {
    packStep(k, nullptr);
    return SmallVector<Value>();
  });
  if (constantOf(rest) == 0)
    return;
  e.branch(e.cmp(arith::CmpIPredicate::sgt, rest, e.cst(0)),
           [&] { packStep(whole, rest); });
}

/// Starts of the rows of a transposed operand that are columns of the tile; a
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
                           const Contraction &contraction, Epilogue &epilogue,
                           graph::ScheduleAttr schedule) {
  ContractionEmitter(e, machine, contraction, epilogue, schedule).emit();
}
