// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Turns attention over buffers into launches. A block of threads has some rows
// of queries and processes the keys in tiles: a warp holds the scores of its
// rows in registers, exponentiates them, and accumulates values, rescaling the
// sums when the maximum score grows (online softmax: Milakov and Gimelshein,
// 2018; its use for attention: Dao et al., FlashAttention, 2022).
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Gpu/Passes.h"
#include "passes/Gpu/Product/AttentionTile.h"
#include "passes/Gpu/Product/TileLoop.h"

namespace hone {
#define GEN_PASS_DEF_GPULOWERATTENTIONPASS
#include "passes/Gpu/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;
using hone::graph::KernelAttentionOp;

namespace {
class AttentionEmitter : SoftmaxMath {
public:
  AttentionEmitter(Emitter &e, KernelAttentionOp op)
      : SoftmaxMath{e}, op(op), problem(Attention::get(e, op)),
        f32(e.builder.getF32Type()),
        element(problem.query.buffer.elementType()),
        tensorCores(!element.isF32()) {}

  LogicalResult emit();

private:
  /// The running softmax of the rows for which a thread has sums.
  struct RowState {
    SmallVector<Value> maxima, totals; ///< A total is that of the thread.
  };

  void emitBlock(const ThreadPlace &place, ValueRange sizes);
  void enterBlock(const ThreadPlace &place, ValueRange sizes);
  TileSource rowsOf(const Attention::Operand &operand, Value count);
  TileSource columnsOf(const Attention::Operand &operand);
  void copyKeys(Value firstKey);
  SmallVector<Value> multiplyKeys(Value firstKey);
  SmallVector<Value> scoresOf(ValueRange products, Value firstKey);
  Value scoreOf(Value product, Value row, Value column, bool whole);
  SmallVector<Value> emitExponentials(SmallVector<Value> scores,
                                      RowState &state,
                                      SmallVector<Value> &factors);
  SmallVector<Value> scale(ValueRange sums, ValueRange factors);
  SmallVector<Value> inverses(ValueRange totals);
  void storeResult(ValueRange sums);

  /// Until all copies have arrived and no thread still reads the old content.
  void waitForCopies() {
    NVVM::CpAsyncWaitGroupOp::create(e.builder, e.loc, 0);
    emitBarrier(e);
  }
  void commitCopies() { NVVM::CpAsyncCommitGroupOp::create(e.builder, e.loc); }

  Value extract(Value vector, int64_t i) {
    return vector::ExtractOp::create(e.builder, e.loc, vector, i);
  }
  Value maximum(Value a, Value b) {
    return arith::MaximumFOp::create(e.builder, e.loc, a, b);
  }
  /// Combines the values that the lanes of a row have for it.
  Value acrossRow(Value value, function_ref<Value(Value, Value)> combine);
  Value exists(Value key) {
    return e.cmp(arith::CmpIPredicate::slt, key, problem.keys);
  }

  KernelAttentionOp op;
  Attention problem;
  Type f32, element;
  bool tensorCores;

  AttentionTile tile;

  // Of the current block:
  SmallVector<Value> batch, rowNumbers;
  Value thread, shared, firstRow;
  TileSource query, key, value;
  std::unique_ptr<TileMath> scoreMath, valueMath;
  std::optional<Epilogue> epilogue;
};
} // namespace

LogicalResult AttentionEmitter::emit() {
  FailureOr<AttentionTile> chosen = AttentionTile::choose(op, problem);
  if (failed(chosen))
    return failure();
  tile = *chosen;
  SmallVector<Value> sizes = problem.batch;
  sizes.push_back(e.ceilDiv(problem.rows, tile.rows));
  Value blocks = e.cst(1);
  for (Value size : sizes)
    blocks = e.mul(blocks, size);
  emitLaunch(e, blocks, tile.scores.threads(),
             sharedType({tile.sharedBytes()}, e.builder.getI8Type()),
             [&](const ThreadPlace &place) { emitBlock(place, sizes); });
  return success();
}

/// The rows of a matrix as lines.
TileSource AttentionEmitter::rowsOf(const Attention::Operand &operand,
                                    Value count) {
  TileSource source;
  source.buffer = operand.buffer;
  source.lines = count;
  source.depth = problem.depth;
  source.contiguity = contiguityOf(problem.depth);
  source.enter = [this, base = operand.base(e, batch),
                  stride = operand.rowStride](Value row) {
    return SmallVector<Value>{e.add(base, e.mul(row, stride))};
  };
  source.at = [this](ValueRange line, TileSource::KSlice slice, Value inside) {
    return TileSource::Place{e.add(line[0], e.add(slice.first, inside)),
                             nullptr};
  };
  return source;
}

/// The columns of a matrix as lines.
TileSource AttentionEmitter::columnsOf(const Attention::Operand &operand) {
  TileSource source;
  source.buffer = operand.buffer;
  source.lines = problem.width;
  source.depth = problem.keys;
  source.alongK = false;
  source.contiguity = contiguityOf(problem.width);
  source.enter = [this, base = operand.base(e, batch)](Value column) {
    return SmallVector<Value>{e.add(base, column)};
  };
  source.at = [this, stride = operand.rowStride](
                  ValueRange line, TileSource::KSlice slice, Value inside) {
    Value row = e.add(slice.first, inside);
    return TileSource::Place{e.add(line[0], e.mul(row, stride)), nullptr};
  };
  return source;
}

void AttentionEmitter::enterBlock(const ThreadPlace &place, ValueRange sizes) {
  thread = place.thread[0];
  shared = place.shared[0];
  batch = e.delinearize(place.block[0], sizes);
  firstRow = e.mul(batch.pop_back_val(), tile.rows);
  query = rowsOf(problem.query, problem.rows);
  key = rowsOf(problem.key, problem.keys);
  value = columnsOf(problem.value);
  auto placePart = [&](SharedTile &part, int64_t first, int64_t stages) {
    int64_t bytes = first * element.getIntOrFloatBitWidth() / 8;
    part.memref = sharedView(e, shared, bytes, stages * part.size(), element);
  };
  placePart(tile.query, 0, tile.scores.stages);
  placePart(tile.key, tile.scores.stages * tile.query.size(),
            tile.scores.stages);
  placePart(tile.value, tile.elementsBeforeValues(), 1);
  if (tensorCores) {
    scoreMath = makeTensorMath(e, tile.scores, thread, tile.query, tile.key);
    valueMath =
        makeTensorMath(e, tile.values, thread, tile.exponentials, tile.value);
  } else {
    placePart(tile.exponentials, 0, 1);
    scoreMath =
        makeScalarMath(e, tile.scores, thread, tile.query, tile.key, f32);
    valueMath = makeScalarMath(e, tile.values, thread, tile.exponentials,
                               tile.value, f32);
  }
  // Rows past the end use the operands of the last row.
  rowNumbers.clear();
  Value last = e.sub(problem.rows, e.cst(1));
  for (Value row : scoreMath->rows())
    rowNumbers.push_back(e.min(e.add(firstRow, row), last));
  epilogue.emplace(e, op, problem.scoreSizes(), nullptr, 0);
  epilogue->setAligned(true);
}

void AttentionEmitter::emitBlock(const ThreadPlace &place, ValueRange sizes) {
  enterBlock(place, sizes);
  Value zero = e.cst(0);
  if (tensorCores) {
    TileLoader(e, query, tile.query, tile.scores.threads(), thread, firstRow)
        .copy(zero, zero);
    copyKeys(zero);
  }
  SmallVector<Value> init = valueMath->zeros();
  size_t sumCount = init.size(), rowCount = rowNumbers.size();
  init.append(rowCount, lowest());
  init.append(rowCount, e.zero(f32));
  Value rowsEnd = e.min(e.add(firstRow, tile.rows), problem.rows);
  SmallVector<Value> results = e.loop(
      zero, problem.visibleKeys(e, rowsEnd, tile.keys), tile.keys, init,
      [&](Value firstKey, ValueRange carried) {
        // Nothing of the previous tile is read after the barrier.
        waitForCopies();
        TileLoader(e, value, tile.value, tile.values.threads(), thread, zero)
            .copy(firstKey, zero);
        commitCopies();
        RowState state;
        state.maxima = llvm::to_vector(carried.slice(sumCount, rowCount));
        state.totals = llvm::to_vector(carried.take_back(rowCount));
        SmallVector<Value> factors;
        SmallVector<Value> exponentials = emitExponentials(
            scoresOf(multiplyKeys(firstKey), firstKey), state, factors);
        waitForCopies();
        if (tensorCores)
          copyKeys(e.add(firstKey, tile.keys));
        SmallVector<Value> next = valueMath->multiplySegments(
            exponentials, scoreMath->segments(), zero,
            scale(carried.take_front(sumCount), factors));
        llvm::append_range(next, state.maxima);
        llvm::append_range(next, state.totals);
        return next;
      });
  ValueRange all(results);
  storeResult(
      scale(all.take_front(sumCount), inverses(all.take_back(rowCount))));
}

/// On tensor cores: loads the tile of keys from `firstKey` on, if there is one.
void AttentionEmitter::copyKeys(Value firstKey) {
  e.branch(exists(firstKey), [&] {
    Value zero = e.cst(0);
    TileLoader(e, key, tile.key, tile.scores.threads(), thread, firstKey)
        .copy(zero, zero);
  });
  commitCopies();
}

/// Products with a tile of keys, a vector per row segment.
SmallVector<Value> AttentionEmitter::multiplyKeys(Value firstKey) {
  Value zero = e.cst(0);
  if (tensorCores)
    return scoreMath->toSegments(
        scoreMath->multiply(zero, zero, scoreMath->zeros()));
  int64_t threads = tile.scores.threads();
  TileLoader left(e, query, tile.query, threads, thread, firstRow),
      right(e, key, tile.key, threads, thread, firstKey);
  TileLoop loop{e,        left,       right, tile.query,
                tile.key, *scoreMath, zero,  problem.depth};
  return scoreMath->toSegments(loop.throughRegisters());
}

/// The scores of a tile. In a tile with keys past the end each is tested: their
/// scores are -inf, and no operand is read for them.
SmallVector<Value> AttentionEmitter::scoresOf(ValueRange products,
                                              Value firstKey) {
  auto emit = [&](bool whole) {
    SmallVector<Value> scores;
    for (auto [product, segment] :
         llvm::zip_equal(products, scoreMath->segments()))
      scores.push_back(scoreOf(product, rowNumbers[segment.row],
                               e.add(firstKey, segment.column), whole));
    return scores;
  };
  std::optional<int64_t> known = constantOf(problem.keys);
  if (known && *known % tile.keys == 0)
    return emit(true);
  Value whole = e.cmp(arith::CmpIPredicate::sle, e.add(firstKey, tile.keys),
                      problem.keys);
  return e.select(
      whole, products.getTypes(), [&] { return emit(true); },
      [&] { return emit(false); });
}

/// The scores of adjacent keys, all of which exist if `whole`.
Value AttentionEmitter::scoreOf(Value product, Value row, Value column,
                                bool whole) {
  auto type = cast<VectorType>(product.getType());
  int64_t lanes = type.getNumElements();
  auto evaluate = [&](Value accumulator, Value first) -> Value {
    auto vector = dyn_cast<VectorType>(accumulator.getType());
    auto compute = [&] {
      Value rowNumber = row, columnNumber = first;
      if (vector) {
        rowNumber = splat(row, lanes);
        columnNumber = numbersFrom(first, lanes);
      }
      SmallVector<Value> coordinates = batch;
      coordinates.append({row, first});
      return epilogue->evaluate(epilogue->at(coordinates),
                                {accumulator, rowNumber, columnNumber});
    };
    if (whole)
      return compute()[0];
    return e.select(exists(first), accumulator.getType(), compute, [&] {
      return SmallVector<Value>{vector ? splat(lowest(), lanes) : lowest()};
    })[0];
  };
  // If the vector length divides the number of keys, a vector is inside or
  // outside as a whole.
  if (epilogue->vectorWidth(kAccessBytes) >= lanes)
    return evaluate(product, column);
  SmallVector<Value> scores;
  for (int64_t i = 0; i < lanes; ++i)
    scores.push_back(evaluate(extract(product, i), e.add(column, i)));
  return vector::FromElementsOp::create(e.builder, e.loc, type, scores);
}

Value AttentionEmitter::acrossRow(Value value,
                                  function_ref<Value(Value, Value)> combine) {
  for (int64_t distance = 1; distance < scoreMath->lanesOfRow(); distance *= 2)
    value =
        combine(value, gpu::ShuffleOp::create(e.builder, e.loc, value, distance,
                                              kWarp, gpu::ShuffleMode::XOR)
                           .getShuffleResult());
  return value;
}

/// exp(score - maximum), after updating maxima and totals by the scores.
/// `factors` rescale the sums so far.
SmallVector<Value>
AttentionEmitter::emitExponentials(SmallVector<Value> scores, RowState &state,
                                   SmallVector<Value> &factors) {
  SmallVector<TileMath::RowSegment> segments = scoreMath->segments();
  int64_t lanes = cast<VectorType>(scores[0].getType()).getNumElements();
  SmallVector<Value> shifts;
  for (auto [row, before] : llvm::enumerate(state.maxima)) {
    Value largest;
    for (auto [score, segment] : llvm::zip_equal(scores, segments))
      if (segment.row == static_cast<int64_t>(row))
        largest = largest ? maximum(largest, score) : score;
    Value top = extract(largest, 0);
    for (int64_t i = 1; i < lanes; ++i)
      top = maximum(top, extract(largest, i));
    top = acrossRow(top, [&](Value a, Value b) { return maximum(a, b); });
    top = maximum(before, top);
    // If all are -inf, no result may be NaN.
    Value shift = select(isEqual(top, lowest()), e.zero(f32), top);
    factors.push_back(expDiff(before, shift));
    shifts.push_back(shift);
    before = top;
  }
  for (auto [total, factor] : llvm::zip_equal(state.totals, factors))
    total = e.product(total, factor);
  for (auto [score, segment] : llvm::zip_equal(scores, segments)) {
    score = expDiff(score, splat(shifts[segment.row], lanes));
    Value &total = state.totals[segment.row];
    for (int64_t i = 0; i < lanes; ++i)
      total = e.sum(total, extract(score, i));
  }
  return scores;
}

/// Scales the sums of a row by its factor.
SmallVector<Value> AttentionEmitter::scale(ValueRange sums,
                                           ValueRange factors) {
  SmallVector<Value> vectors = valueMath->toSegments(sums);
  for (auto [vector, segment] :
       llvm::zip_equal(vectors, valueMath->segments())) {
    int64_t lanes = cast<VectorType>(vector.getType()).getNumElements();
    vector = e.product(vector, splat(factors[segment.row], lanes));
  }
  return valueMath->fromSegments(vectors);
}

/// The reciprocals of the rows' totals.
SmallVector<Value> AttentionEmitter::inverses(ValueRange totals) {
  SmallVector<Value> results;
  for (Value total : totals) {
    total = acrossRow(total, [&](Value a, Value b) { return e.sum(a, b); });
    results.push_back(problem.inverseOf(e, total));
  }
  return results;
}

/// Through shared memory, so that adjacent threads store adjacent elements.
void AttentionEmitter::storeResult(ValueRange sums) {
  const FlatBuffer &out = problem.out.buffer;
  int64_t pitch = tile.stagedPitch(), threads = tile.values.threads();
  FlatBuffer staged;
  staged.memref = sharedView(e, shared, 0, tile.rows * pitch, f32);
  Value warpRow = e.mul(e.div(thread, e.cst(kWarp)), AttentionTile::kWarpRows);
  waitForCopies();
  valueMath->write(0, sums, staged.memref, pitch, warpRow);
  emitBarrier(e);

  int64_t bytes = out.elementType().getIntOrFloatBitWidth() / 8;
  int64_t width = std::min({contiguityOf(problem.width), kAccessBytes / bytes,
                            AttentionTile::kStagePadding});
  int64_t across = *constantOf(problem.width) / width;
  int64_t count = tile.rows * across;
  Value base = problem.out.base(e, batch);
  e.loop(e.cst(0), e.cst(count), threads, {}, [&](Value first, ValueRange) {
    Value number = e.add(first, thread);
    Value inTile = e.div(number, e.cst(across));
    Value column = e.mul(e.rem(number, e.cst(across)), width);
    Value row = e.add(firstRow, inTile);
    Value inside = e.cmp(arith::CmpIPredicate::slt, row, problem.rows);
    if (count % threads != 0)
      inside = both(e, inside,
                    e.cmp(arith::CmpIPredicate::slt, number, e.cst(count)));
    e.branch(inside, [&] {
      Value from = e.add(e.mul(inTile, pitch), column);
      Value to = e.add(e.add(base, e.mul(row, problem.out.rowStride)), column);
      Value result = width == 1
                         ? staged.load(e, from)
                         : staged.load(e, from, width, nullptr,
                                       std::min(width * 4, kAccessBytes));
      if (out.elementType() != f32) {
        Type type = out.elementType();
        if (width > 1)
          type = VectorType::get({width}, type);
        result = arith::TruncFOp::create(e.builder, e.loc, type, result);
      }
      out.store(e, to, result, nullptr, width == 1 ? 0 : width * bytes);
    });
    return SmallVector<Value>();
  });
}

namespace {
struct GpuLowerAttentionPass
    : hone::impl::GpuLowerAttentionPassBase<GpuLowerAttentionPass> {
  using Base::Base;

  void runOnOperation() override {
    auto lower = [](Emitter &e, KernelAttentionOp op) {
      return AttentionEmitter(e, op).emit();
    };
    if (failed(lowerEach<KernelAttentionOp>(getOperation(), lower)))
      signalPassFailure();
  }
};
} // namespace
