// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Rounds the left-hand side of a product to bytes.
#include "passes/Cpu/QuantizedRows.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Emit/Epilogue.h"

using namespace mlir;
using namespace hone;
using namespace hone::graph;

/// The largest byte.
static constexpr float kLargest = 127;
/// Added to a float of up to 2^22, it leaves the nearest integer in the low
/// bits.
static constexpr float kRounding = 3 << 22;

QuantizedRows QuantizedRows::make(Emitter &e, QuantizedAttr quantized,
                                  int64_t rows, int64_t length) {
  // A multiple of 4 KiB between rows would map them to one set of the L1 cache.
  int64_t blocks = llvm::divideCeil(length, quantized.getBlock());
  int64_t pitch = blocks * quantized.getBlock() + 4 * kPanelWidth;
  Type f32 = e.builder.getF32Type();
  QuantizedRows made{makeScratch(e, rows * pitch, e.builder.getI8Type()),
                     makeScratch(e, rows * blocks, f32), FlatBuffer(), pitch,
                     blocks};
  if (quantized.getZero() != 0)
    made.corrections = makeScratch(
        e, rows * blocks, quantized.getZero() ? e.builder.getI32Type() : f32);
  return made;
}

namespace {
/// Emits what rounds one block.
class BlockRounding {
public:
  BlockRounding(Emitter &e, const CpuMachine &machine, QuantizedAttr quantized,
                const FlatBuffer &from, const QuantizedRows &rows)
      : e(e), quantized(quantized), from(from), rows(rows),
        lanes(lanesOf(machine, e.builder.getF32Type())),
        realType(VectorType::get({lanes}, e.builder.getF32Type())),
        wordType(VectorType::get({lanes}, e.builder.getI32Type())) {}

  /// `first`: of the block in `from`, of which `remaining` elements exist; all
  /// if null.
  void emit(Value first, Value remaining, Value row, Value block);

private:
  using Body = function_ref<Value(Value i, Value loaded, Value carried)>;
  /// Runs `body` for the vectors of the block; `init` is what it carries first.
  Value forEachVector(Value first, Value remaining, uint32_t init, Body body);
  Value word(uint32_t value) {
    return arith::ConstantOp::create(
        e.builder, e.loc,
        e.builder.getI32IntegerAttr(static_cast<int32_t>(value)));
  }
  Value real(float value) {
    return arith::ConstantOp::create(e.builder, e.loc,
                                     e.builder.getF32FloatAttr(value));
  }
  Value all(VectorType type, Value scalar) {
    return vector::BroadcastOp::create(e.builder, e.loc, type, scalar);
  }
  void storeCorrection(Value sum, Value place);

  Emitter &e;
  QuantizedAttr quantized;
  const FlatBuffer &from;
  const QuantizedRows &rows;
  int64_t lanes;
  VectorType realType, wordType;
};
} // namespace

Value BlockRounding::forEachVector(Value first, Value remaining, uint32_t init,
                                   Body body) {
  Value start = all(wordType, word(init));
  return e.loop(e.cst(0), e.cst(quantized.getBlock()), lanes, start,
                [&](Value i, ValueRange carried) -> SmallVector<Value> {
                  Value loaded = from.load(e, e.add(first, i), lanes,
                                           makeMask(e, remaining, i, lanes));
                  return {body(i, loaded, carried[0])};
                })[0];
}

void BlockRounding::storeCorrection(Value sum, Value place) {
  Value correction;
  if (std::optional<int64_t> zero = quantized.getZero())
    correction = e.product(sum, word(static_cast<uint32_t>(-*zero)));
  else
    correction = arith::SIToFPOp::create(
        e.builder, e.loc, e.builder.getF32Type(),
        arith::SubIOp::create(e.builder, e.loc, word(0), sum));
  rows.corrections.store(e, place, correction);
}

void BlockRounding::emit(Value first, Value remaining, Value row, Value block) {
  OpBuilder &b = e.builder;
  // Magnitudes are ordered like their bits. Infinity is past all numbers, and
  // what is not a number is past infinity.
  constexpr uint32_t magnitudes = 0x7fffffff;
  constexpr uint32_t least = (127 - 119) << 23; // 2^-119
  auto larger = [&](Value, Value x, Value most) -> Value {
    Value bits = vector::BitCastOp::create(b, e.loc, wordType, x);
    Value magnitude =
        arith::AndIOp::create(b, e.loc, bits, all(wordType, word(magnitudes)));
    return arith::MaxSIOp::create(b, e.loc, most, magnitude);
  };
  Value largest = vector::ReductionOp::create(
      b, e.loc, vector::CombiningKind::MAXSI,
      forEachVector(first, remaining, least, larger));
  Value most = arith::BitcastOp::create(b, e.loc, b.getF32Type(), largest);
  Value factor = arith::DivFOp::create(b, e.loc, real(kLargest), most);
  // The product is not a number where the largest is infinite.
  Value scale = e.sum(e.product(most, real(0)),
                      arith::DivFOp::create(b, e.loc, most, real(kLargest)));
  Value place = rows.place(e, row, block);
  rows.scales.store(e, place, scale);

  Value factors = all(realType, factor), limit = all(realType, real(kLargest)),
        rounding = all(realType, real(kRounding));
  Value target =
      e.add(e.mul(row, rows.pitch), e.mul(block, quantized.getBlock()));
  auto round = [&](Value i, Value x, Value sum) -> Value {
    Value scaled = e.product(x, factors);
    // Also keeps the product from becoming one operation with the sum, which
    // would round once.
    Value isSmaller = arith::CmpFOp::create(b, e.loc, arith::CmpFPredicate::OLT,
                                            scaled, limit);
    Value limited = arith::SelectOp::create(b, e.loc, isSmaller, scaled, limit);
    Value bits =
        vector::BitCastOp::create(b, e.loc, wordType, e.sum(limited, rounding));
    rows.bytes.store(
        e, e.add(target, i),
        arith::TruncIOp::create(b, e.loc,
                                VectorType::get({lanes}, b.getI8Type()), bits));
    return e.sum(sum, bits);
  };
  Value sum = forEachVector(first, remaining, 0, round);
  if (!rows.corrections.memref)
    return;
  auto bias = static_cast<uint32_t>(quantized.getBlock()) *
              llvm::bit_cast<uint32_t>(kRounding);
  storeCorrection(
      arith::SubIOp::create(b, e.loc,
                            vector::ReductionOp::create(
                                b, e.loc, vector::CombiningKind::ADD, sum),
                            word(bias)),
      place);
}

void hone::quantizeRow(Emitter &e, const CpuMachine &machine,
                       QuantizedAttr quantized, const FlatBuffer &from,
                       Value source, Value count, int64_t k,
                       const QuantizedRows &rows, Value row) {
  BlockRounding rounding(e, machine, quantized, from, rows);
  Value block = e.cst(quantized.getBlock());
  Value whole = e.div(count, block), rest = e.rem(count, block);
  e.loop(e.cst(0), whole, [&](Value i) {
    rounding.emit(e.add(source, e.mul(i, block)), nullptr, row, i);
  });
  if (k % quantized.getBlock() == 0)
    return;
  e.branch(e.cmp(arith::CmpIPredicate::sgt, rest, e.cst(0)), [&] {
    rounding.emit(e.add(source, e.mul(whole, block)), rest, row, whole);
  });
}
