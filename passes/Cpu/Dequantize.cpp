// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Unpacks the quantized right-hand side of a product, and scales the sums of
// its blocks. For a product of floats a code is converted by the bits of one:
// below the exponent of 2^e, a mantissa of 23 bits that has a code in bits
// 23 - e and up is 2^e + code. So that the codes of a word mostly stay where
// they are, e differs between them.
#include "passes/Cpu/Dequantize.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Machine/Tuning.h"
#include <numeric>

using namespace mlir;
using namespace hone;
using namespace hone::graph;

static constexpr int64_t kMantissaBits = 23, kExponentBias = 127;
/// Codes are multiplied by 2^-8 and scales by 2^8, where floats are multiplied:
/// sums that are scaled afterwards stay below those of the left-hand side.
static constexpr int64_t kCodeBits = 8;

/// The element of a word whose code begins at bit `place`.
static int64_t elementAt(PackedAttr packed, int64_t place) {
  int64_t i = 0;
  while (QuantizedAttr::codePlace(packed, i) != place)
    ++i;
  return i;
}

namespace {
/// Reads blocks of a vector of columns.
class BlockReader {
public:
  BlockReader(Emitter &e, const QuantizedPanels &panels,
              const PanelPlace &columns, int64_t lanes)
      : e(e), panels(panels), columns(columns),
        machine(CpuMachine::of(e.builder.getInsertionBlock()->getParentOp())),
        wordType(VectorType::get({lanes}, e.builder.getI32Type())),
        realType(VectorType::get({lanes}, e.builder.getF32Type())),
        exponent(panels.quantized.getBytes() ? 0 : kCodeBits) {}

  /// Loads the scales and zero points of the block of element `k` of K.
  void enter(Value k);
  /// What the form multiplies by, for a word's elements of K, which begin with
  /// `k` of the block entered: codes as bytes, or `differences`.
  SmallVector<Value> factors(Value k) const {
    return panels.quantized.getBytes() ? bytes(k) : differences(k);
  }
  /// The codes of a word: of each column four successive ones, as bytes.
  SmallVector<Value> bytes(Value k) const;
  /// Differences of codes and zero points, or what a table has for the codes,
  /// times 2^-8: of a word's elements of K, which begin with `k` of the block
  /// entered.
  SmallVector<Value> differences(Value k) const;
  /// Times 2^8.
  Value getScales() const { return scales; }
  /// Where the sums of the block entered begin, number `block` of `left`, for
  /// its row `r`.
  Value start(VectorType type, const LeftRows &left, int64_t r,
              Value block) const;
  /// The total, and the sum of that block times its scales.
  Value addScaled(const MicroKernel &form, const LeftRows &left, int64_t r,
                  Value block, Value sum, Value total) const;

  /// Brings the block of `k` of a later panel to the L2 cache.
  void prefetch(Value k, int64_t panelsAhead) const;

private:
  /// Offset of the block of a panel that has `k`.
  Value blockAt(Value k, Value panel) const;
  Value word(Value k) const;
  /// Broadcast from the place of a row and a block.
  Value parameterOf(const FlatBuffer &buffer, const LeftRows &left, int64_t r,
                    Value block, VectorType type) const;
  Value parameters(Value offset) const;
  /// Of the table, from `first` on, times 2^-8.
  Value tablePart(int64_t first, int64_t count) const;
  SmallVector<Value> fromTable(Value word) const;
  Value words(uint32_t word) const {
    return e.splat(wordType,
                   e.builder.getI32IntegerAttr(static_cast<int32_t>(word)));
  }
  Value reals(float real) const {
    return e.splat(realType, e.builder.getF32FloatAttr(real));
  }

  Emitter &e;
  const QuantizedPanels &panels;
  const PanelPlace &columns;
  const CpuMachine &machine;
  VectorType wordType, realType;
  int64_t exponent; ///< Scales are multiplied by two to this power.
  Value codes;      ///< Offset of the first word of the block.
  Value scales, zeros;
};
} // namespace

Value BlockReader::parameters(Value offset) const {
  Type type = panels.quantized.getScale();
  int64_t perWord = 32 / type.getIntOrFloatBitWidth();
  int64_t lanes = wordType.getNumElements();
  Value start = e.add(offset, e.div(columns.column, e.cst(perWord)));
  Value loaded = panels.words.load(e, start, lanes / perWord);
  Value values = vector::BitCastOp::create(
      e.builder, e.loc, VectorType::get({lanes}, type), loaded);
  return e.extend(values, e.builder.getF32Type());
}

Value BlockReader::blockAt(Value k, Value panel) const {
  Value block = e.div(k, e.cst(panels.quantized.getBlock()));
  return e.add(e.mul(panel, panels.words.strides[0]),
               e.mul(block, panels.quantized.blockWords(panels.packed)));
}

void BlockReader::enter(Value k) {
  PackedAttr packed = panels.packed;
  QuantizedAttr quantized = panels.quantized;
  Value start = blockAt(k, columns.panel);
  auto timesPower = [&](Value values, int64_t power) {
    return power ? e.product(values, reals(std::ldexp(1.0f, power))) : values;
  };
  scales = timesPower(parameters(start), exponent);
  if (!quantized.getZero())
    zeros = timesPower(
        parameters(e.add(start, quantized.parameterWords(packed))), -exponent);
  codes = e.add(e.add(start, quantized.headWords(packed)), columns.column);
}

void BlockReader::prefetch(Value k, int64_t panelsAhead) const {
  Value start = blockAt(k, e.add(columns.panel, panelsAhead));
  int64_t perLine = kCacheLineBytes / 4; // words
  for (int64_t word = 0; word < panels.quantized.blockWords(panels.packed);
       word += perLine)
    panels.words.prefetch(e, e.add(start, word));
}

Value BlockReader::tablePart(int64_t first, int64_t count) const {
  SmallVector<float> values;
  for (float value :
       panels.quantized.getTable().asArrayRef().slice(first, count))
    values.push_back(std::ldexp(value, -kCodeBits));
  auto type = VectorType::get({count}, e.builder.getF32Type());
  return arith::ConstantOp::create(
      e.builder, e.loc, DenseElementsAttr::get(type, ArrayRef<float>(values)));
}

/// By permutations of registers that hold the table or a half of it, where the
/// machine has them; they read the low bits of words and ignore the others.
SmallVector<Value> BlockReader::fromTable(Value word) const {
  OpBuilder &b = e.builder;
  constexpr int64_t bits = 4;
  int64_t lanes = wordType.getNumElements();
  // Fused multiply-add comes with AVX2.
  bool permutes = machine.hasFma() && !machine.isEmulated();
  auto permute = [&](StringRef intrinsic, ValueRange operands) -> Value {
    return LLVM::CallIntrinsicOp::create(b, e.loc, realType,
                                         b.getStringAttr(intrinsic), operands)
        .getResult(0);
  };
  auto hasBit = [&](int64_t bit) -> Value {
    Value masked = arith::AndIOp::create(b, e.loc, word, words(1u << bit));
    return arith::CmpIOp::create(b, e.loc, arith::CmpIPredicate::ne, masked,
                                 words(0));
  };
  SmallVector<Value> values(panels.packed.getKr());
  for (int64_t place = 0; place < 32; place += bits) {
    Value &value = values[elementAt(panels.packed, place)];
    Value code = word;
    if (place != 0 && permutes)
      code = arith::ShRUIOp::create(b, e.loc, word, words(place));
    if (permutes && lanes == kCodeTableSize) {
      value = permute("llvm.x86.avx512.permvar.sf.512",
                      {tablePart(0, kCodeTableSize), code});
      continue;
    }
    SmallVector<Value> candidates;
    int64_t known = 0; // bits of the code that they have in common
    if (permutes && lanes == kCodeTableSize / 2) {
      for (int64_t half = 0; half < 2; ++half)
        candidates.push_back(permute("llvm.x86.avx2.permps",
                                     {tablePart(half * lanes, lanes), code}));
      known = bits - 1;
    } else {
      for (float value : panels.quantized.getTable().asArrayRef())
        candidates.push_back(reals(std::ldexp(value, -kCodeBits)));
    }
    // Of pairs of neighbours the lowest bit that is not yet known chooses.
    for (; candidates.size() > 1; ++known) {
      Value isOdd = hasBit(place + known);
      SmallVector<Value> chosen;
      for (size_t i = 0; i < candidates.size(); i += 2)
        chosen.push_back(arith::SelectOp::create(
            b, e.loc, isOdd, candidates[i + 1], candidates[i]));
      candidates = std::move(chosen);
    }
    value = candidates.front();
  }
  return values;
}

Value BlockReader::word(Value k) const {
  Value inBlock = e.rem(k, e.cst(panels.quantized.getBlock()));
  Value step = e.div(inBlock, e.cst(panels.packed.getKr()));
  return panels.words.load(e, e.add(codes, e.mul(step, panels.packed.getNr())),
                           wordType.getNumElements());
}

SmallVector<Value> BlockReader::bytes(Value k) const {
  OpBuilder &b = e.builder;
  int64_t bits = QuantizedAttr::codeBits(panels.packed);
  auto type = VectorType::get({4 * wordType.getNumElements()}, b.getI8Type());
  Value all = word(k);
  SmallVector<Value> bytes;
  for (int64_t place = 0; place < 8; place += bits) {
    Value part = all;
    if (place != 0)
      part = arith::ShRUIOp::create(b, e.loc, part, words(place));
    if (bits < 8)
      part = arith::AndIOp::create(b, e.loc, part,
                                   words(((1u << bits) - 1) * 0x01010101u));
    bytes.push_back(vector::BitCastOp::create(b, e.loc, type, part));
  }
  return bytes;
}

SmallVector<Value> BlockReader::differences(Value k) const {
  OpBuilder &b = e.builder;
  int64_t bits = QuantizedAttr::codeBits(panels.packed);
  Value word = this->word(k);
  if (panels.quantized.getTable())
    return fromTable(word);
  SmallVector<Value> differences(panels.packed.getKr());
  int64_t shifted = 0;
  for (int64_t first = 0; first < 32; first += bits) {
    if (first - shifted + bits > kMantissaBits) {
      word = arith::ShRUIOp::create(b, e.loc, word, words(first - shifted));
      shifted = first;
    }
    int64_t place = first - shifted, exponent = kMantissaBits - place;
    uint32_t mask = ((1u << bits) - 1) << place;
    uint32_t high = (kExponentBias + exponent - kCodeBits) << kMantissaBits;
    Value code = arith::AndIOp::create(b, e.loc, word, words(mask));
    Value real = vector::BitCastOp::create(
        b, e.loc, realType, arith::OrIOp::create(b, e.loc, code, words(high)));
    // Exact, as a difference of integers is.
    int64_t subtracted =
        (int64_t(1) << exponent) + panels.quantized.getZero().value_or(0);
    Value difference = arith::SubFOp::create(
        b, e.loc, real,
        reals(std::ldexp(static_cast<float>(subtracted), -kCodeBits)));
    if (zeros)
      difference = arith::SubFOp::create(b, e.loc, difference, zeros);
    differences[elementAt(panels.packed, first)] = difference;
  }
  return differences;
}

Value BlockReader::parameterOf(const FlatBuffer &buffer, const LeftRows &left,
                               int64_t r, Value block, VectorType type) const {
  Value place = left.quantized->place(e, left.numbers[r], block);
  return vector::BroadcastOp::create(e.builder, e.loc, type,
                                     buffer.load(e, place));
}

Value BlockReader::start(VectorType type, const LeftRows &left, int64_t r,
                         Value block) const {
  if (!left.quantized || zeros || !left.quantized->corrections.memref)
    return e.zero(type);
  return parameterOf(left.quantized->corrections, left, r, block, type);
}

Value BlockReader::addScaled(const MicroKernel &form, const LeftRows &left,
                             int64_t r, Value block, Value sum,
                             Value total) const {
  if (!left.quantized)
    return form.multiplyAdd(e, scales, sum, total);
  Value real =
      arith::SIToFPOp::create(e.builder, e.loc, realType, sum).getResult();
  if (zeros)
    real = e.sum(real, e.product(zeros, parameterOf(left.quantized->corrections,
                                                    left, r, block, realType)));
  Value scale = parameterOf(left.quantized->scales, left, r, block, realType);
  // A row's own scale first: the product may be in range where that of large
  // scales with a sum of bytes is not.
  return e.sum(total, e.product(e.product(real, scale), scales));
}

void hone::unpack(Emitter &e, const QuantizedPanels &panels,
                  const PanelPlace &columns, int64_t lanes,
                  const QuantizedRange &range, const FlatBuffer &target,
                  int64_t offset, int64_t pitch) {
  int64_t kr = panels.packed.getKr();
  bool isOfBytes = panels.quantized.getBytes();
  // Whole blocks, or an equal part of one.
  int64_t step = std::gcd(range.chunk, panels.quantized.getBlock());
  BlockReader reader(e, panels, columns, lanes);
  e.loop(e.cst(0), range.count, step, {}, [&](Value first, ValueRange) {
    reader.enter(e.add(range.firstK, first));
    e.loop(e.cst(0), e.cst(step), kr, {}, [&](Value inStep, ValueRange) {
      Value i = e.add(first, inStep);
      Value place = e.add(e.mul(i, pitch), offset);
      SmallVector<Value> factors = reader.factors(e.add(range.firstK, i));
      int64_t together = kr / static_cast<int64_t>(factors.size());
      for (auto [j, factor] : llvm::enumerate(factors))
        target.store(e, e.add(place, j * together * pitch),
                     isOfBytes ? factor
                               : e.product(factor, reader.getScales()));
      return SmallVector<Value>();
    });
    return SmallVector<Value>();
  });
}

SmallVector<Value>
hone::multiplyQuantized(Emitter &e, const CpuMachine &machine,
                        const MicroKernel &form, const QuantizedPanels &panels,
                        ArrayRef<PanelPlace> columns, int64_t lanes,
                        const LeftRows &left, int64_t count) {
  int64_t kr = panels.packed.getKr(), block = panels.quantized.getBlock();
  int64_t rows = left.offsets.size(), vectors = columns.size();
  auto type = VectorType::get({lanes}, e.builder.getF32Type());
  VectorType sumType =
      left.quantized ? type.clone(e.builder.getI32Type()) : type;
  SmallVector<BlockReader> readers;
  for (const PanelPlace &place : columns)
    readers.emplace_back(e, panels, place, lanes);
  int64_t nr = panels.packed.getNr();
  // Few sums have a second set, which hides the latency of the multiply-add.
  int64_t one = rows * vectors;
  int64_t registers = 3 * one + 2 * vectors + 2;
  int64_t sets = one < tuning::latencyHiding(machine) &&
                         registers <= machine.vectorRegisters
                     ? 2
                     : 1;
  auto multiplyWord = [&](Value k, int64_t elements,
                          MutableArrayRef<Value> sums) {
    SmallVector<SmallVector<Value>> right;
    for (const BlockReader &reader : readers)
      right.push_back(reader.factors(k));
    for (int64_t j = 0; j < elements / form.kr; ++j)
      for (int64_t r = 0; r < rows; ++r) {
        Value place = e.add(left.offsets[r], e.add(k, j * form.kr));
        Value factor = form.loadLeft(e, left.buffer, place, sumType);
        for (int64_t v = 0; v < vectors; ++v) {
          Value &sum = sums[j % sets * one + r * vectors + v];
          sum = form.multiplyAdd(e, factor, right[v][j], sum);
        }
      }
  };
  auto multiplyBlock = [&](Value first, int64_t elements, ValueRange totals) {
    Value number = e.div(first, e.cst(block));
    for (BlockReader &reader : readers)
      reader.enter(first);
    // Panels of a few KiB end before the hardware foresees the next. Several
    // vectors may be of one.
    for (int64_t v = 0; v < vectors; v += std::max<int64_t>(nr / lanes, 1))
      readers[v].prefetch(first, llvm::divideCeil(vectors * lanes, nr));
    SmallVector<Value> sums(sets * one, e.zero(sumType));
    for (int64_t i = 0; i < one; ++i)
      sums[i] = readers[i % vectors].start(sumType, left, i / vectors, number);
    int64_t unroll = std::min(elements, tuning::kUnrolledElements) / kr * kr;
    int64_t whole = unroll ? elements / unroll * unroll : 0;
    sums = e.loop(e.cst(0), e.cst(whole), std::max(unroll, kr), sums,
                  [&](Value i, ValueRange carried) {
                    SmallVector<Value> inner = llvm::to_vector(carried);
                    for (int64_t u = 0; u < unroll; u += kr)
                      multiplyWord(e.add(e.add(first, i), u), kr, inner);
                    return inner;
                  });
    for (int64_t i = whole; i < elements; i += kr)
      multiplyWord(e.add(first, i), std::min(kr, elements - i), sums);
    SmallVector<Value> result = llvm::to_vector(totals);
    for (int64_t i = 0; i < one; ++i) {
      Value sum = sets == 2 ? e.sum(sums[i], sums[one + i]) : sums[i];
      result[i] = readers[i % vectors].addScaled(form, left, i / vectors,
                                                 number, sum, result[i]);
    }
    return result;
  };
  SmallVector<Value> totals(one, e.zero(type));
  int64_t whole = count / block * block;
  totals = e.loop(e.cst(0), e.cst(whole), block, totals,
                  [&](Value first, ValueRange carried) {
                    return multiplyBlock(first, block, carried);
                  });
  if (whole < count)
    totals = multiplyBlock(e.cst(whole), count - whole, totals);
  return totals;
}

void hone::accumulateBlock(Emitter &e, const RegisterTile &tile,
                           const MicroKernel &form,
                           const QuantizedPanels &panels,
                           ArrayRef<PanelPlace> columns, const LeftRows &left,
                           Value firstK, Value number,
                           const ProductTile::Segment &segment,
                           const ProductTile::SumsInMemory &sums) {
  int64_t lanes = tile.lanes, vectors = tile.shape.vectors;
  int64_t one = tile.shape.rows * vectors;
  auto sumType = VectorType::get({lanes}, e.builder.getI32Type());
  SmallVector<BlockReader> readers;
  for (const PanelPlace &place : columns)
    readers.emplace_back(e, panels, place, lanes).enter(firstK);
  SmallVector<Value> start = tile.zeros();
  for (int64_t i = 0; i < one; ++i)
    start[i] = readers[i % vectors].start(sumType, left, i / vectors, number);
  SmallVector<Value> added = tile.finish(tile.accumulate(segment, start));
  for (auto [i, sum] : llvm::enumerate(added)) {
    int64_t r = i / vectors, v = i % vectors;
    Value place = e.add(sums.offset, r * sums.pitch + v * lanes);
    Value total = sums.buffer.load(e, place, lanes);
    sums.buffer.store(e, place,
                      readers[v].addScaled(form, left, r, number, sum, total));
  }
}
