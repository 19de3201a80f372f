// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Emits attention over buffers. A block of rows processes the keys in blocks:
// their scores stay in a strip that the L2 cache holds, and the sums so far are
// rescaled when a larger score turns up (online softmax: Milakov and
// Gimelshein, 2018; its use for attention: Dao et al., FlashAttention, 2022).
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Cpu/Contraction.h"
#include "passes/Cpu/ContractionPasses.h"
#include "passes/Cpu/Dots.h"
#include "passes/Cpu/Schedule.h"
#include "passes/Emit/Attention.h"
#include "passes/Machine/Tuning.h"

namespace hone {
#define GEN_PASS_DEF_LOWERATTENTIONPASS
#include "passes/Cpu/ContractionPasses.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;
using hone::graph::KernelAttentionOp;

namespace {
class AttentionEmitter : SoftmaxMath {
public:
  AttentionEmitter(Emitter &e, const CpuMachine &machine, KernelAttentionOp op)
      : SoftmaxMath{e}, machine(machine), op(op),
        problem(Attention::get(e, op)), f32(e.builder.getF32Type()),
        form(*findMicroKernel(op.getSchedule()->getForm())),
        lanes(form.lanes(machine, f32)),
        tileVectors(op.getSchedule()->getTileVectors()),
        columns(tileVectors * lanes), tileRows(op.getSchedule()->getTileRows()),
        blockRows(op.getSchedule()->getBlockRows()),
        blockKeys(op.getSchedule()->getBlockColumns()),
        vectorType(VectorType::get({lanes}, f32)) {}

  void emit();

private:
  void emitBlock();
  void emitScores(Epilogue &epilogue, Value column, bool whole);
  void emitSoftmax(Value row);
  void packValues();
  void emitValues();
  void emitOutput(Value row);

  /// A number for each row of the block.
  FlatBuffer perRow() { return makeScratch(e, blockRows, f32); }
  RegisterTile tileOf(int64_t vectors) const {
    return RegisterTile(e, machine, form, f32, {tileRows, vectors});
  }
  Value splat(Value scalar) const { return SoftmaxMath::splat(scalar, lanes); }
  Value reduce(vector::CombiningKind kind, Value value) {
    return vector::ReductionOp::create(e.builder, e.loc, kind, value);
  }
  /// The row of the problem for a row of the block: rows past the end repeat
  /// the last.
  Value rowAt(Value rowInBlock) {
    Value row = e.add(firstRow, rowInBlock);
    return wholeTiles ? row : e.min(row, e.sub(problem.rows, e.cst(1)));
  }
  /// As `forVectors`, with a value that goes from vector to vector. Several run
  /// side by side, since each step waits for the one before.
  using FoldBody = function_ref<Value(Value column, Value mask, Value carried)>;
  SmallVector<Value> foldVectors(Value count, Value init, FoldBody body);

  const CpuMachine &machine;
  KernelAttentionOp op;
  Attention problem;
  Type f32;
  const MicroKernel &form;
  int64_t lanes, tileVectors, columns, tileRows;
  int64_t blockRows, blockKeys; ///< blockKeys: also the strip's pitch.
  VectorType vectorType;

  bool wholeTiles = false; ///< All rows fall into whole tiles.
  bool oneKeyBlock = false;
  /// Rows of values that are far apart conflict in the L1 cache; narrow ones
  /// are widened once.
  bool packsValues = false;
  int64_t width = 0, outPitch = 0;
  FlatBuffer strip, packed, values, sums, maxima, totals;

  // Of the current block:
  SmallVector<Value> batch;
  Value firstRow, rows, tiles, queryBase, keyBase, valueBase, outBase;
  Value firstKey, keys;
};
} // namespace

void AttentionEmitter::emit() {
  std::optional<int64_t> m = constantOf(problem.rows),
                         n = constantOf(problem.keys);
  wholeTiles = m && *m % tileRows == 0;
  oneKeyBlock = n && *n <= blockKeys;
  width = *constantOf(problem.width);
  outPitch = llvm::divideCeil(width, lanes) * lanes;
  strip = makeScratch(e, blockRows * blockKeys, f32);
  packed = makeScratch(
      e, std::max<int64_t>(*constantOf(problem.depth), 1) * columns, f32);
  packsValues = op.getValueByRow() || problem.value.buffer.elementType() != f32;
  if (packsValues)
    values = makeScratch(e, blockKeys * outPitch, f32);
  sums = makeScratch(e, blockRows * outPitch, f32);
  maxima = perRow();
  totals = perRow();
  SmallVector<Value> sizes = problem.batch;
  sizes.push_back(e.ceilDiv(problem.rows, blockRows));
  Value count = e.cst(1);
  for (Value size : sizes)
    count = e.mul(count, size);
  emitForall(e, count, [&](Value index) {
    batch = e.delinearize(index, sizes);
    firstRow = e.mul(batch.pop_back_val(), blockRows);
    emitBlock();
  });
}

void AttentionEmitter::emitBlock() {
  rows = e.min(e.cst(blockRows), e.sub(problem.rows, firstRow));
  tiles = e.ceilDiv(rows, tileRows);
  queryBase = problem.query.base(e, batch);
  keyBase = problem.key.base(e, batch);
  valueBase = problem.value.base(e, batch);
  outBase = problem.out.base(e, batch);
  Value infinity = lowest();
  Value zero = e.zero(vectorType);
  e.loop(e.cst(0), e.cst(blockRows), [&](Value row) {
    maxima.store(e, row, infinity);
    totals.store(e, row, e.zero(f32));
  });
  e.loop(e.cst(0), e.cst(blockRows * outPitch), lanes, {},
         [&](Value i, ValueRange) {
           sums.store(e, i, zero);
           return SmallVector<Value>();
         });
  Epilogue epilogue(e, op, problem.scoreSizes(), strip.memref, blockKeys);
  std::optional<int64_t> n = constantOf(problem.keys);
  bool wholeColumns = n && *n % columns == 0;
  Value seen = problem.visibleKeys(e, e.add(firstRow, rows), columns);
  e.loop(e.cst(0), seen, blockKeys, {}, [&](Value key, ValueRange) {
    firstKey = key;
    keys = e.min(e.cst(blockKeys), e.sub(seen, firstKey));
    e.loop(e.cst(0), keys, columns, {}, [&](Value column, ValueRange) {
      if (wholeColumns) {
        emitScores(epilogue, column, /*whole=*/true);
        return SmallVector<Value>();
      }
      Value fits =
          e.cmp(arith::CmpIPredicate::sle, e.add(column, columns), keys);
      e.branch(
          fits, [&] { emitScores(epilogue, column, /*whole=*/true); },
          [&] { emitScores(epilogue, column, /*whole=*/false); });
      return SmallVector<Value>();
    });
    e.loop(e.cst(0), rows, [&](Value row) { emitSoftmax(row); });
    emitValues();
    return SmallVector<Value>();
  });
  e.loop(e.cst(0), rows, [&](Value row) { emitOutput(row); });
}

/// The scores of all rows with the keys from `column` of the block on, of which
/// not all of a tile exist unless `whole`.
void AttentionEmitter::emitScores(Epilogue &epilogue, Value column,
                                  bool whole) {
  Value remaining = whole ? nullptr : e.sub(keys, column);
  Value firstColumn = e.add(firstKey, column);
  SmallVector<Value> sources;
  for (int64_t c = 0; c < columns; ++c) {
    Value key = e.cst(c);
    if (remaining)
      key = e.min(key, e.sub(remaining, e.cst(1)));
    key = e.add(firstColumn, key);
    sources.push_back(e.add(keyBase, e.mul(key, problem.key.rowStride)));
  }
  packColumns(e, problem.key.buffer, sources, problem.depth, lanes, /*kr=*/1,
              packed, columns);

  SmallVector<Value> columnNumbers;
  for (int64_t v = 0; v < tileVectors; ++v)
    columnNumbers.push_back(numbersFrom(e.add(firstColumn, v * lanes), lanes));
  size_t rowAxis = batch.size();
  auto store = [&](Value rowInBlock, int64_t count, ValueRange scores) {
    SmallVector<Value> coordinates = batch;
    coordinates.append({rowAt(rowInBlock), firstColumn});
    Epilogue::Cursor cursor = epilogue.at(coordinates);
    cursor.out = e.add(e.mul(rowInBlock, blockKeys), column);
    SmallVector<SmallVector<Value>> accumulators(3);
    accumulators[0] = llvm::to_vector(scores);
    for (int64_t r = 0; r < count; ++r) {
      accumulators[1].append(tileVectors, splat(rowAt(e.add(rowInBlock, r))));
      llvm::append_range(accumulators[2], columnNumbers);
    }
    epilogue.emitTile(cursor, rowAxis, count, tileVectors, accumulators,
                      remaining);
  };
  e.loop(e.cst(0), tiles, [&](Value number) {
    Value row = e.mul(number, tileRows);
    RegisterTile tile = tileOf(tileVectors);
    RegisterTile::Segment segment(problem.query.buffer, packed);
    for (int64_t r = 0; r < tileRows; ++r)
      segment.aOffsets.push_back(e.add(
          queryBase, e.mul(rowAt(e.add(row, r)), problem.query.rowStride)));
    for (int64_t v = 0; v < tileVectors; ++v)
      segment.bOffsets.push_back(e.cst(v * lanes));
    segment.bStep = e.cst(columns);
    segment.count = problem.depth;
    SmallVector<Value> scores =
        tile.finish(tile.accumulate(segment, tile.zeros()));
    auto storeTile = [&] { store(row, tileRows, scores); };
    if (wholeTiles)
      return storeTile();
    // Rows that repeat the last use its operands too.
    Value exists = e.cmp(arith::CmpIPredicate::sle, e.add(row, tileRows), rows);
    e.branch(exists, storeTile, [&] {
      for (int64_t r = 0; r < tileRows; ++r)
        store(e.add(row, r), 1,
              ArrayRef(scores).slice(r * tileVectors, tileVectors));
    });
  });
}

SmallVector<Value> AttentionEmitter::foldVectors(Value count, Value init,
                                                 FoldBody body) {
  Value rest = e.rem(count, e.cst(lanes)), whole = e.sub(count, rest);
  int64_t step = tuning::kSoftmaxChains * lanes;
  Value together = e.sub(count, e.rem(count, e.cst(step)));
  SmallVector<Value> chains(tuning::kSoftmaxChains, init);
  chains = e.loop(
      e.cst(0), together, step, chains, [&](Value column, ValueRange carried) {
        SmallVector<Value> next;
        for (auto [i, value] : llvm::enumerate(carried))
          next.push_back(body(e.add(column, i * lanes), nullptr, value));
        return next;
      });
  chains[0] = e.loop(
      together, whole, lanes, chains[0], [&](Value column, ValueRange carried) {
        return SmallVector<Value>{body(column, nullptr, carried[0])};
      })[0];
  if (constantOf(rest) != 0)
    chains[0] = body(whole, makeMask(e, rest, e.cst(0), lanes), chains[0]);
  return chains;
}

/// Exponentiates a row of scores and updates its running maximum and sum.
void AttentionEmitter::emitSoftmax(Value row) {
  Value start = e.mul(row, blockKeys);
  Value infinity = lowest();
  // Compiles to a single instruction, which may drop a NaN; the sum is NaN then
  // anyway.
  auto larger = [&](Value a, Value b) {
    return select(arith::CmpFOp::create(e.builder, e.loc,
                                        arith::CmpFPredicate::OGT, a, b),
                  a, b);
  };
  Value before = maxima.load(e, row);
  SmallVector<Value> tops = foldVectors(
      keys, splat(before), [&](Value column, Value mask, Value carried) {
        Value scores = strip.load(e, e.add(start, column), lanes, mask);
        if (mask)
          scores = select(mask, scores, splat(infinity));
        return larger(carried, scores);
      });
  for (size_t i = 1; i < tops.size(); ++i)
    tops[0] = larger(tops[0], tops[i]);
  Value maximum = reduce(vector::CombiningKind::MAXIMUMF, tops[0]);
  // If all are -inf, no result may be NaN.
  Value shift = select(isEqual(maximum, infinity), e.zero(f32), maximum);
  Value factor = expDiff(before, shift);
  Value shifts = splat(shift);
  SmallVector<Value> parts = foldVectors(
      keys, e.zero(vectorType), [&](Value column, Value mask, Value carried) {
        Value place = e.add(start, column);
        Value exponentials = expDiff(strip.load(e, place, lanes, mask), shifts);
        if (mask)
          exponentials = select(mask, exponentials, e.zero(vectorType));
        strip.store(e, place, exponentials, mask);
        return e.sum(carried, exponentials);
      });
  for (size_t i = 1; i < parts.size(); ++i)
    parts[0] = e.sum(parts[0], parts[i]);
  Value total = e.sum(e.product(totals.load(e, row), factor),
                      reduce(vector::CombiningKind::ADD, parts[0]));
  totals.store(e, row, total);
  maxima.store(e, row, maximum);
  if (oneKeyBlock)
    return;
  Value factors = splat(factor), first = e.mul(row, outPitch);
  e.loop(e.cst(0), e.cst(outPitch), lanes, {}, [&](Value i, ValueRange) {
    Value place = e.add(first, i);
    sums.store(e, place, e.product(sums.load(e, place, lanes), factors));
    return SmallVector<Value>();
  });
}

/// values[k][i] = element i of the value of key k of the block.
void AttentionEmitter::packValues() {
  e.loop(e.cst(0), keys, [&](Value key) {
    Value source = e.mul(e.add(firstKey, key), problem.value.rowStride);
    source = e.add(valueBase, source);
    forVectors(e, e.cst(width), lanes, [&](Value column, Value mask) {
      Value loaded =
          problem.value.buffer.load(e, e.add(source, column), lanes, mask);
      values.store(e, e.add(e.mul(key, outPitch), column),
                   e.extend(loaded, f32));
    });
  });
}

/// Accumulates the values of the block's keys, weighted by the exponentials.
void AttentionEmitter::emitValues() {
  if (packsValues)
    packValues();
  Value first = e.add(valueBase, e.mul(firstKey, problem.value.rowStride));
  auto emitTiles = [&](Value column, int64_t vectors, int64_t existing) {
    e.loop(e.cst(0), tiles, [&](Value number) {
      Value row = e.mul(number, tileRows);
      RegisterTile tile = tileOf(vectors);
      RegisterTile::Segment segment(strip, packsValues ? values
                                                       : problem.value.buffer);
      SmallVector<Value> places, before;
      for (int64_t r = 0; r < tileRows; ++r) {
        Value inBlock = e.add(row, r);
        segment.aOffsets.push_back(e.mul(inBlock, blockKeys));
        for (int64_t v = 0; v < vectors; ++v)
          places.push_back(
              e.add(e.add(e.mul(inBlock, outPitch), column), v * lanes));
      }
      for (int64_t v = 0; v < vectors; ++v) {
        Value offset = e.add(column, v * lanes);
        segment.bOffsets.push_back(packsValues ? offset : e.add(first, offset));
        if (!packsValues && existing % lanes != 0)
          segment.bMasks.push_back(
              makeMask(e, e.cst(existing), e.cst(v * lanes), lanes));
      }
      segment.bStep = packsValues ? e.cst(outPitch) : problem.value.rowStride;
      segment.count = keys;
      if (!oneKeyBlock)
        for (Value place : places)
          before.push_back(sums.load(e, place, lanes));
      for (auto [place, sum] :
           llvm::zip_equal(places, tile.accumulateOnto(segment, before)))
        sums.store(e, place, sum);
    });
  };
  int64_t rest = width % columns;
  e.loop(e.cst(0), e.cst(width - rest), columns, {},
         [&](Value column, ValueRange) {
           emitTiles(column, tileVectors, columns);
           return SmallVector<Value>();
         });
  if (rest)
    emitTiles(e.cst(width - rest), llvm::divideCeil(rest, lanes), rest);
}

/// A row of the result: its sums divided by its total.
void AttentionEmitter::emitOutput(Value row) {
  Value inverse = problem.inverseOf(e, totals.load(e, row));
  Value inverses = splat(inverse);
  Value out =
      e.add(outBase, e.mul(e.add(firstRow, row), problem.out.rowStride));
  const FlatBuffer &target = problem.out.buffer;
  forVectors(e, e.cst(width), lanes, [&](Value column, Value mask) {
    Value sum = sums.load(e, e.add(e.mul(row, outPitch), column), lanes, mask);
    Value result = e.product(sum, inverses);
    if (target.elementType() != f32)
      result = arith::TruncFOp::create(
          e.builder, e.loc, VectorType::get({lanes}, target.elementType()),
          result);
    target.store(e, e.add(out, column), result, mask);
  });
}

namespace {
struct LowerAttentionPass
    : hone::impl::LowerAttentionPassBase<LowerAttentionPass> {
  using Base::Base;

  void runOnOperation() override {
    const CpuMachine &machine = CpuMachine::of(getOperation());
    auto lower = [&](Emitter &e, KernelAttentionOp op) -> LogicalResult {
      if (failed(checkSchedule(op, machine)))
        return failure();
      AttentionEmitter(e, machine, op).emit();
      return success();
    };
    if (failed(lowerEach<KernelAttentionOp>(getOperation(), lower)))
      signalPassFailure();
  }
};
} // namespace
