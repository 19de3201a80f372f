// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Dot products of one row with several others, and transposition.
#include "passes/Cpu/Dots.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace hone;

/// One exchange of blocks for each bit of the lane number.
void hone::transposeSquare(Emitter &e, MutableArrayRef<Value> rows) {
  int64_t size = rows.size();
  for (int64_t bit = size / 2; bit > 0; bit /= 2) {
    SmallVector<int64_t> low, high;
    for (int64_t lane = 0; lane < size; ++lane) {
      bool second = lane & bit;
      low.push_back(second ? size + (lane ^ bit) : lane);
      high.push_back(second ? size + lane : (lane ^ bit));
    }
    for (int64_t i = 0; i < size; ++i) {
      if (i & bit)
        continue;
      Value a = rows[i], b = rows[i | bit];
      rows[i] = vector::ShuffleOp::create(e.builder, e.loc, a, b, low);
      rows[i | bit] = vector::ShuffleOp::create(e.builder, e.loc, a, b, high);
    }
  }
}

void hone::packColumns(Emitter &e, const FlatBuffer &b,
                       ArrayRef<Value> bOffsets, Value count, int64_t lanes,
                       const FlatBuffer &packed, int64_t pitch) {
  int64_t columns = bOffsets.size();
  Type element = packed.elementType();
  Value whole = e.sub(count, e.rem(count, e.cst(lanes)));
  e.loop(e.cst(0), whole, lanes, {}, [&](Value k, ValueRange) {
    for (int64_t c = 0; c < columns; c += lanes) {
      SmallVector<Value> square;
      for (int64_t i = 0; i < lanes; ++i)
        square.push_back(b.load(e, e.add(bOffsets[c + i], k), lanes));
      transposeSquare(e, square);
      for (int64_t i = 0; i < lanes; ++i)
        packed.store(e, e.add(e.mul(e.add(k, i), pitch), c),
                     e.extend(square[i], element));
    }
    return SmallVector<Value>();
  });
  e.loop(whole, count, [&](Value k) {
    for (int64_t c = 0; c < columns; ++c)
      packed.store(e, e.add(e.mul(k, pitch), c),
                   e.extend(b.load(e, e.add(bOffsets[c], k)), element));
  });
}

Value hone::emitDots(Emitter &e, const MicroKernel &form, Type accumulator,
                     const FlatBuffer &a, Value aOffset, const FlatBuffer &b,
                     ArrayRef<Value> bOffsets, Value count) {
  int64_t lanes = bOffsets.size();
  auto type = VectorType::get({lanes}, accumulator);
  auto step = [&](Value k, Value mask, ValueRange carried) {
    Value row =
        a.extend(e, a.load(e, e.add(aOffset, k), lanes, mask), accumulator);
    SmallVector<Value> sums;
    for (auto [sum, offset] : llvm::zip_equal(carried, bOffsets)) {
      Value other =
          b.extend(e, b.load(e, e.add(offset, k), lanes, mask), accumulator);
      sums.push_back(form.multiplyAdd(e, row, other, sum));
    }
    return sums;
  };
  SmallVector<Value> sums(lanes, e.zero(type));
  Value left = e.rem(count, e.cst(lanes));
  Value whole = e.sub(count, left);
  sums = e.loop(e.cst(0), whole, lanes, sums, [&](Value k, ValueRange carried) {
    return step(k, nullptr, carried);
  });
  if (constantOf(left) != 0) {
    Value mask = vector::CreateMaskOp::create(
        e.builder, e.loc, VectorType::get({lanes}, e.builder.getI1Type()),
        left);
    sums = step(whole, mask, sums);
  }
  transposeSquare(e, sums);
  for (int64_t half = lanes / 2; half > 0; half /= 2)
    for (int64_t i = 0; i < half; ++i)
      sums[i] = e.sum(sums[i], sums[i + half]);
  return sums[0];
}
