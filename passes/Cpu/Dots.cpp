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
                       int64_t kr, const FlatBuffer &packed, int64_t pitch) {
  int64_t columns = bOffsets.size();
  Type element = packed.elementType();
  // Elements that lie together are moved as one.
  Type word = e.builder.getIntegerType(kr * element.getIntOrFloatBitWidth());
  auto cast = [&](Value vector, int64_t lanes, Type type) -> Value {
    return kr == 1 ? vector
                   : vector::BitCastOp::create(e.builder, e.loc,
                                               VectorType::get({lanes}, type),
                                               vector);
  };
  auto place = [&](Value k, int64_t column) {
    return e.add(e.mul(k, pitch), column * kr);
  };
  Value whole = e.sub(count, e.rem(count, e.cst(lanes * kr)));
  e.loop(e.cst(0), whole, lanes * kr, {}, [&](Value k, ValueRange) {
    for (int64_t c = 0; c < columns; c += lanes) {
      SmallVector<Value> square;
      for (int64_t i = 0; i < lanes; ++i)
        square.push_back(cast(b.load(e, e.add(bOffsets[c + i], k), lanes * kr),
                              lanes, word));
      transposeSquare(e, square);
      for (int64_t i = 0; i < lanes; ++i)
        packed.store(e, place(e.add(k, i * kr), c),
                     e.extend(cast(square[i], lanes * kr, element), element));
    }
    return SmallVector<Value>();
  });
  if (kr == 1) {
    e.loop(whole, count, [&](Value k) {
      for (int64_t c = 0; c < columns; ++c)
        packed.store(e, place(k, c),
                     e.extend(b.load(e, e.add(bOffsets[c], k)), element));
    });
    return;
  }
  Value rest = e.rem(count, e.cst(kr)), last = e.sub(count, rest);
  e.loop(whole, last, kr, {}, [&](Value k, ValueRange) {
    for (int64_t c = 0; c < columns; ++c)
      packed.store(e, place(k, c), b.load(e, e.add(bOffsets[c], k), kr));
    return SmallVector<Value>();
  });
  if (constantOf(rest) == 0)
    return;
  Value zeros = e.zero(VectorType::get({lanes * kr}, element));
  e.branch(e.cmp(arith::CmpIPredicate::sgt, rest, e.cst(0)), [&] {
    for (int64_t c = 0; c < columns; c += lanes)
      packed.store(e, place(last, c), zeros);
    e.loop(e.cst(0), rest, [&](Value i) {
      for (int64_t c = 0; c < columns; ++c)
        packed.store(e, e.add(place(last, c), i),
                     b.load(e, e.add(e.add(bOffsets[c], last), i)));
    });
  });
}

Value hone::emitDots(Emitter &e, const MicroKernel &form,
                     const ProductTypes &types, const FlatBuffer &a,
                     Value aOffset, const FlatBuffer &b,
                     ArrayRef<Value> bOffsets, Value count) {
  int64_t lanes = bOffsets.size(), length = lanes * form.kr;
  auto type = VectorType::get({lanes * form.parts}, types.accumulator);
  Type factor = form.kr == 1 ? types.accumulator : form.leftType(types);
  auto step = [&](Value k, Value mask, ValueRange carried) {
    Value row = a.extend(e, a.load(e, e.add(aOffset, k), length, mask), factor);
    SmallVector<Value> sums;
    for (auto [sum, offset] : llvm::zip_equal(carried, bOffsets)) {
      Value other =
          b.extend(e, b.load(e, e.add(offset, k), length, mask), factor);
      sums.push_back(form.multiplyAdd(e, row, other, sum));
    }
    return sums;
  };
  SmallVector<Value> sums(lanes, e.zero(type));
  Value left = e.rem(count, e.cst(length));
  Value whole = e.sub(count, left);
  sums =
      e.loop(e.cst(0), whole, length, sums, [&](Value k, ValueRange carried) {
        return step(k, nullptr, carried);
      });
  if (constantOf(left) != 0) {
    Value mask = vector::CreateMaskOp::create(
        e.builder, e.loc, VectorType::get({length}, e.builder.getI1Type()),
        left);
    sums = step(whole, mask, sums);
  }
  for (Value &sum : sums)
    sum = form.finish(e, sum);
  transposeSquare(e, sums);
  for (int64_t half = lanes / 2; half > 0; half /= 2)
    for (int64_t i = 0; i < half; ++i)
      sums[i] = e.sum(sums[i], sums[i + half]);
  return sums[0];
}
