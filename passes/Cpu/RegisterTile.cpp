// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The register kernel: a tile of accumulators that lives in vector registers
// over a loop along K.
#include "passes/Cpu/RegisterTile.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Cpu/Panels.h"
#include "passes/Machine/Tuning.h"
#include "llvm/ADT/bit.h"

using namespace mlir;
using namespace hone;

RowSplit hone::splitRows(int64_t m, int64_t maxRows) {
  int64_t tiles = (m + maxRows - 1) / maxRows;
  int64_t rows = (m + tiles - 1) / tiles;
  int64_t small = tiles * rows - m;
  return {rows, tiles - small, small};
}

RegisterTile::RegisterTile(Emitter &e, const CpuMachine &machine,
                           const MicroKernel &form, Type accumulator,
                           TileShape shape)
    : ProductTile(shape, form.lanes(machine, accumulator)), e(e), form(form),
      sumType(VectorType::get({lanes * form.parts}, accumulator)), sets(1),
      joins(form.parts == 2 && shape.vectors % 2 == 0 &&
            machine.vectorBits <= 256) {
  int64_t one = shape.rows * shape.vectors;
  // LLVM keeps the right operands of several instructions for each set, and
  // another vector.
  int64_t operands =
      form.instructions > 1 ? shape.vectors * form.instructions : 0;
  int64_t free = machine.vectorRegisters - form.temporaries -
                 (operands ? 1 : shape.vectors);
  while (sets < tuning::kMaxUnroll &&
         sets * one < tuning::latencyHiding(machine) &&
         2 * sets * (one + operands) <= free)
    sets *= 2;
  int64_t fitting = llvm::bit_floor<uint64_t>(tuning::kMaxUnrolledTerms / one);
  unroll = std::clamp(fitting, sets, tuning::kMaxUnroll);
  // LLVM ties the result of a multiply-add to its sum if the sum is carried
  // around the loop directly, or the other operands are used again; otherwise
  // it may overwrite a factor, and spills sums. The same goes for products.
  if (shape.vectors == 1 || form.temporaries > 1 || form.instructions > 1)
    unroll = sets;
}

SmallVector<Value> RegisterTile::zeros() const {
  return SmallVector<Value>(sets * shape.rows * shape.vectors, e.zero(sumType));
}

SmallVector<Value> RegisterTile::addSets(ValueRange accumulators) const {
  SmallVector<Value> values = llvm::to_vector(accumulators);
  size_t one = shape.rows * shape.vectors;
  for (int64_t half = sets / 2; half > 0; half /= 2)
    for (size_t i = 0; i < half * one; ++i)
      values[i] = e.sum(values[i], values[i + half * one]);
  values.resize(one);
  return values;
}

SmallVector<Value> RegisterTile::finish(ValueRange accumulators) const {
  SmallVector<Value> values = addSets(accumulators);
  for (Value &value : values)
    value = form.finish(e, value);
  return values;
}

SmallVector<Value> RegisterTile::join(ValueRange accumulators) const {
  if (!joins)
    return finish(accumulators);
  SmallVector<Value> values = addSets(accumulators), joined;
  for (size_t i = 0; i < values.size(); i += 2) {
    auto part = [&](int64_t first) -> Value {
      SmallVector<int64_t> elements;
      for (int64_t column = 0; column < 2 * lanes; ++column)
        elements.push_back(2 * column + first);
      return vector::ShuffleOp::create(e.builder, e.loc, values[i],
                                       values[i + 1], elements);
    };
    joined.push_back(e.sum(part(0), part(1)));
  }
  return joined;
}

SmallVector<Value> RegisterTile::accumulateOnto(const Segment &segment,
                                                ValueRange sums) const {
  SmallVector<Value> start = zeros();
  if (form.parts == 1) {
    llvm::copy(sums, start.begin());
    return finish(accumulate(segment, start));
  }
  SmallVector<Value> values = finish(accumulate(segment, start));
  for (auto [value, sum] : llvm::zip(values, sums))
    value = e.sum(value, sum);
  return values;
}

/// Where vector `i` of the tile is.
Value RegisterTile::offsetOf(const SumsInMemory &sums, int64_t i) const {
  int64_t inTile = i / shape.vectors * sums.pitch + i % shape.vectors * lanes;
  return e.add(sums.offset, inTile);
}

SmallVector<Value> RegisterTile::load(const SumsInMemory &sums) const {
  SmallVector<Value> values;
  for (int64_t i = 0; i < shape.rows * shape.vectors; ++i)
    values.push_back(sums.buffer.load(e, offsetOf(sums, i), lanes));
  return values;
}

void RegisterTile::accumulateIn(const SumsInMemory &sums,
                                const Segment &segment) const {
  SmallVector<Value> added = accumulateOnto(segment, load(sums));
  for (auto [i, value] : llvm::enumerate(added))
    sums.buffer.store(e, offsetOf(sums, i), value);
}

void RegisterTile::useSums(ValueRange accumulators, Value existing,
                           UseSums use) const {
  use(e.cst(0), shape.rows, join(accumulators), existing);
}

void RegisterTile::useSums(const SumsInMemory &sums, Value existing,
                           UseSums use) const {
  use(e.cst(0), shape.rows, load(sums), existing);
}

void RegisterTile::step(const Segment &segment, Value k, int64_t set,
                        MutableArrayRef<Value> accumulators) const {
  SmallVector<SmallVector<Value>> b;
  Value bRow = e.mul(k, segment.bStep);
  for (int64_t v = 0; v < shape.vectors; ++v)
    b.push_back(
        form.loadRight(e, segment.b, e.add(segment.bOffsets[v], bRow), sumType,
                       segment.bMasks.empty() ? nullptr : segment.bMasks[v]));
  size_t base = set * shape.rows * shape.vectors;
  for (int64_t i = 0; i < form.instructions; ++i) {
    Value first = e.add(k, i * (form.kr / form.instructions));
    for (int64_t r = 0; r < shape.rows; ++r) {
      if (!segment.aOffsets[r])
        continue;
      Value a = form.loadLeft(e, segment.a, e.add(segment.aOffsets[r], first),
                              sumType);
      for (int64_t v = 0; v < shape.vectors; ++v) {
        Value &sum = accumulators[base + r * shape.vectors + v];
        sum = form.multiplyAdd(e, a, b[v][i], sum);
      }
    }
  }
}

/// Rows are copied in the order of the panel first, a vector at a time.
SmallVector<Value>
RegisterTile::accumulateOrdered(const Segment &segment,
                                ValueRange accumulators) const {
  int64_t width = orderedWidth(*constantOf(segment.count));
  SmallVector<Value> sums = e.loop(
      e.cst(0), segment.count, width, accumulators,
      [&](Value k, ValueRange carried) {
        Segment part(*segment.ordered, segment.b);
        part.count = e.cst(width);
        part.bStep = segment.bStep;
        SmallVector<Value> sources;
        for (auto [r, offset] : llvm::enumerate(segment.aOffsets)) {
          sources.push_back(offset ? e.add(offset, k) : offset);
          part.aOffsets.push_back(offset ? e.cst(r * width) : offset);
        }
        for (Value offset : segment.bOffsets)
          part.bOffsets.push_back(e.add(offset, e.mul(k, segment.bStep)));
        emitOrdering(e, segment.a, sources, segment.b, e.add(segment.order, k),
                     width, *segment.ordered);
        return accumulate(part, carried);
      });
  forbidUnrolling(e);
  return sums;
}

SmallVector<Value> RegisterTile::accumulate(const Segment &segment,
                                            ValueRange accumulators) const {
  if (segment.ordered)
    return accumulateOrdered(segment, accumulators);
  SmallVector<Value> values = llvm::to_vector(accumulators);
  std::optional<int64_t> count = constantOf(segment.count);
  auto steps = [&](Value k, int64_t n, ValueRange carried) {
    SmallVector<Value> inner = llvm::to_vector(carried);
    for (int64_t i = 0; i < n; ++i)
      step(segment, e.add(k, i * form.kr), i % sets, inner);
    return inner;
  };
  // Whole iterations, then what is left: at once where its length is known.
  int64_t iteration = unroll * form.kr;
  Value whole =
      count ? e.cst(*count / iteration * iteration)
            : e.sub(segment.count, e.rem(segment.count, e.cst(iteration)));
  values = e.loop(e.cst(0), whole, iteration, values,
                  [&](Value k, ValueRange carried) {
                    prefetch(e, segment, k, unroll * form.kr);
                    return steps(k, unroll, carried);
                  });
  forbidUnrolling(e);
  if (count)
    return steps(whole, *count % iteration / form.kr, values);
  return e.loop(
      whole, segment.count, form.kr, values,
      [&](Value k, ValueRange carried) { return steps(k, 1, carried); });
}
