// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The k best elements along an axis. For small k they are inserted into a
// sorted list; for large k they are sorted by the digits of keys, as many at a
// time as there is room for beside the best so far.
#include "passes/Buffer/Kernels/KernelEmission.h"
#include "passes/Buffer/Kernels/KernelLoops.h"
#include "passes/Machine/Tuning.h"

#include "dialects/Machine/Machine.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace hone;
using namespace hone::buffer;
using namespace hone::graph;

/// Keys are sorted by digits of this many bits.
static constexpr int64_t kDigitBits = 8;
static constexpr int64_t kDigits = 1 << kDigitBits;

Value hone::buffer::comesBefore(OpBuilder &builder, TopKOp op, Value a,
                                Value b) {
  Location loc = op.getLoc();
  if (!isa<FloatType>(getElementTypeOrSelf(a.getType()))) {
    using P = arith::CmpIPredicate;
    P predicate = op.getIsUnsigned() ? (op.getSmallest() ? P::ult : P::ugt)
                                     : (op.getSmallest() ? P::slt : P::sgt);
    return arith::CmpIOp::create(builder, loc, predicate, a, b);
  }
  using P = arith::CmpFPredicate;
  auto compare = [&](P predicate, Value x, Value y) {
    return arith::CmpFOp::create(builder, loc, predicate, x, y);
  };
  // Unordered comparisons hold if the side that should be larger is NaN, unless
  // both are.
  Value wins = compare(op.getSmallest() ? P::ULT : P::UGT, a, b);
  Value smaller = op.getSmallest() ? a : b;
  Value isNumber = compare(P::ORD, smaller, smaller);
  return arith::AndIOp::create(builder, loc, wins, isNumber);
}

Value hone::buffer::checkedCount(OpBuilder &builder, TopKOp op,
                                 const Lines &source, const Lines &values) {
  Location loc = op.getLoc();
  Value k = getValueOrCreateConstantIndexOp(builder, loc, values.length);
  std::optional<int64_t> wanted = getConstantIntValue(values.length);
  std::optional<int64_t> given = getConstantIntValue(source.length);
  if (wanted && given && *wanted <= *given)
    return k;
  // There must be this many elements: k is an index below their number + 1.
  OpFoldResult bound =
      sum(builder, loc, source.length, builder.getIndexAttr(1));
  auto check = CheckedIndexOp::create(
      builder, loc, k, getValueOrCreateConstantIndexOp(builder, loc, bound));
  if (Attribute node = op->getAttr("hone.node"))
    check->setAttr("hone.node", node);
  return check;
}

namespace {
/// Lines of a top_k: what is read, and what is written.
struct TopKLines {
  TopKLines(OpBuilder &builder, TopKOp op, Value source, Value values,
            Value indices)
      : from(builder, op.getLoc(), source, op.getAxis()),
        best(builder, op.getLoc(), values, op.getAxis()),
        places(builder, op.getLoc(), indices, op.getAxis()),
        k(checkedCount(builder, op, from, best)),
        length(getValueOrCreateConstantIndexOp(builder, op.getLoc(),
                                               from.length)) {}

  Lines from, best, places;
  Value k, length;
};

/// Sorts the best elements of lines, in memory of a thread.
/// An element becomes a key: an unsigned number that is smaller for earlier
/// elements, and equal for equal ones. The sort processes the digits of the
/// keys from the least significant on, stably (LSD radix sort).
class RadixSorter {
public:
  RadixSorter(Emitter &e, TopKOp op, const TopKLines &lines)
      : e(e), op(op), lines(lines),
        element(cast<MemRefType>(lines.from.view.getType()).getElementType()),
        key(e.builder.getIntegerType(element.getIntOrFloatBitWidth())) {
    std::optional<int64_t> given = getConstantIntValue(lines.from.length);
    bool isNarrow = given && *given <= std::numeric_limits<int32_t>::max();
    number = e.builder.getIntegerType(isNarrow ? 32 : 64);
    room = roomFor(lines);
    fits = constantOf(room) && constantOf(room) == given;
    keys = allocate(e.mul(room, 2), key);
    numbers = allocate(e.mul(room, 2), number);
    counts = allocate(e.cst(digitsOfKey() * kDigits), number);
  }

  /// Sorts the best of one line and writes them.
  void emit(ValueRange line) {
    Value from = fits ? sortWhole(line) : sortParts(line);
    e.loop(e.cst(0), lines.k, [&](Value i) {
      Value place = load(e, numbers, e.add(from, i));
      Value source[] = {line[0], asIndex(place), line[1]};
      Value target[] = {line[0], i, line[1]};
      store(e, load(e, lines.from.view, source), lines.best.view, target);
      store(e, e.extend(place, e.builder.getI64Type()), lines.places.view,
            target);
    });
  }

private:
  int64_t digitsOfKey() const {
    return llvm::divideCeil(key.getIntOrFloatBitWidth(), kDigitBits);
  }

  /// Elements to sort at once: the best so far and about as many others. The
  /// size of memory must not depend on the check of k.
  Value roomFor(const TopKLines &lines) {
    Value wanted =
        getValueOrCreateConstantIndexOp(e.builder, e.loc, lines.best.length);
    Value best = e.min(wanted, lines.length);
    return e.min(lines.length,
                 e.max(e.mul(best, 2), e.cst(tuning::kMinSorted)));
  }

  Value allocate(Value size, IntegerType type) {
    std::optional<int64_t> known = constantOf(size);
    SmallVector<Value> dynamic;
    if (!known)
      dynamic.push_back(size);
    return memref::AllocOp::create(
        e.builder, e.loc,
        MemRefType::get({known.value_or(ShapedType::kDynamic)}, type), dynamic,
        e.builder.getI64IntegerAttr(64));
  }

  Value asIndex(Value integer) {
    return arith::IndexCastUIOp::create(e.builder, e.loc,
                                        e.builder.getIndexType(), integer);
  }
  Value asNumber(Value index) {
    return arith::IndexCastUIOp::create(e.builder, e.loc, number, index);
  }
  Value keyConstant(const APInt &value) {
    return arith::ConstantOp::create(e.builder, e.loc,
                                     e.builder.getIntegerAttr(key, value));
  }

  Value keyOf(Value value) {
    OpBuilder &b = e.builder;
    Location loc = e.loc;
    unsigned width = key.getWidth();
    APInt sign = APInt::getSignMask(width), all = APInt::getAllOnes(width);
    auto type = dyn_cast<FloatType>(element);
    if (!type) {
      APInt flip = op.getIsUnsigned() ? APInt::getZero(width) : sign;
      if (!op.getSmallest())
        flip ^= all;
      return b.createOrFold<arith::XOrIOp>(loc, value, keyConstant(flip));
    }
    // Maps numbers to ordered integers: all bits of negative numbers are
    // flipped, and the sign of the others. Both zeros are one number, and so
    // are all NaNs, above the others.
    Value bits = arith::BitcastOp::create(b, loc, key, value);
    Value size = arith::AndIOp::create(b, loc, bits, keyConstant(~sign));
    Value zero = keyConstant(APInt::getZero(width));
    bits = arith::SelectOp::create(
        b, loc, e.cmp(arith::CmpIPredicate::eq, size, zero), zero, bits);
    Value flip = arith::OrIOp::create(
        b, loc,
        arith::ShRSIOp::create(b, loc, bits,
                               keyConstant(APInt(width, width - 1))),
        keyConstant(sign));
    Value ordered = arith::XOrIOp::create(b, loc, bits, flip);
    if (!op.getSmallest())
      ordered = arith::XOrIOp::create(b, loc, ordered, keyConstant(all));
    APInt infinity = APFloat::getInf(type.getFloatSemantics()).bitcastToAPInt();
    Value isNan = e.cmp(arith::CmpIPredicate::ugt, size, keyConstant(infinity));
    return arith::SelectOp::create(
        b, loc, isNan, op.getSmallest() ? keyConstant(all) : zero, ordered);
  }

  Value read(ValueRange line, Value position) {
    return load(e, lines.from.view, {line[0], position, line[1]});
  }

  void append(Value found, Value position, Value place) {
    store(e, keyOf(found), keys, place);
    store(e, asNumber(position), numbers, place);
  }

  /// Where the sorted line begins in `keys` and `numbers`.
  Value sortWhole(ValueRange line) {
    e.loop(e.cst(0), lines.length,
           [&](Value i) { append(read(line, i), i, i); });
    return sort(e.cst(0), lines.length);
  }

  /// Fills the buffer, sorts, keeps the best k, and refills it with elements
  /// that precede the last of those, until the line ends.
  Value sortParts(ValueRange line) {
    Value zero = e.cst(0);
    Type index = e.builder.getIndexType();
    Type types[] = {index, index, index, element};
    Value init[] = {zero, zero, zero, e.zero(element)};
    auto loop = scf::WhileOp::create(
        e.builder, e.loc, types, init,
        [&](OpBuilder &, Location, ValueRange carried) {
          // The next position, where the best are, their number and the last of
          // them.
          auto [position, count] =
              fill(line, carried[0], carried[1], carried[2], carried[3]);
          Value from = sort(carried[1], count);
          Value last = load(e, numbers, e.add(from, e.sub(lines.k, e.cst(1))));
          Value isMore =
              e.cmp(arith::CmpIPredicate::ult, position, lines.length);
          scf::ConditionOp::create(
              e.builder, e.loc, isMore,
              ValueRange{position, from, lines.k, read(line, asIndex(last))});
        },
        [&](OpBuilder &, Location, ValueRange carried) {
          scf::YieldOp::create(e.builder, e.loc, carried);
        });
    return loop.getResult(1);
  }

  /// Appends the elements from `first` on that precede `last`, initially all,
  /// while there is room. Returns the next position and the new count.
  std::pair<Value, Value> fill(ValueRange line, Value first, Value from,
                               Value count, Value last) {
    Value all = e.cmp(arith::CmpIPredicate::eq, first, e.cst(0));
    Type index = e.builder.getIndexType();
    auto loop = scf::WhileOp::create(
        e.builder, e.loc, TypeRange{index, index}, ValueRange{first, count},
        [&](OpBuilder &, Location, ValueRange carried) {
          Value isMore =
              e.cmp(arith::CmpIPredicate::ult, carried[0], lines.length);
          Value hasRoom = e.cmp(arith::CmpIPredicate::ult, carried[1], room);
          Value goesOn =
              arith::AndIOp::create(e.builder, e.loc, isMore, hasRoom);
          scf::ConditionOp::create(e.builder, e.loc, goesOn, carried);
        },
        [&](OpBuilder &, Location, ValueRange carried) {
          Value found = read(line, carried[0]);
          Value enters = arith::OrIOp::create(
              e.builder, e.loc, all, comesBefore(e.builder, op, found, last));
          Value next =
              e.select(
                   enters, index,
                   [&] {
                     append(found, carried[0], e.add(from, carried[1]));
                     return SmallVector<Value>{e.add(carried[1], 1)};
                   },
                   [&] { return SmallVector<Value>{carried[1]}; })
                  .front();
          scf::YieldOp::create(e.builder, e.loc,
                               ValueRange{e.add(carried[0], 1), next});
        });
    return {loop.getResult(0), loop.getResult(1)};
  }

  /// The digit of a key whose lowest bit is `shift`, as an index.
  Value digitOf(Value found, Value shift) {
    Value shifted = arith::ShRUIOp::create(e.builder, e.loc, found, shift);
    Value digit = arith::AndIOp::create(
        e.builder, e.loc, shifted,
        keyConstant(APInt::getLowBitsSet(
            key.getWidth(), std::min<unsigned>(key.getWidth(), kDigitBits))));
    return asIndex(digit);
  }

  /// Sorts `count` elements, at least one, that begin at `from`, which is 0 or
  /// `room`; returns where they begin afterwards.
  Value sort(Value from, Value count) {
    Value one = arith::ConstantOp::create(e.builder, e.loc,
                                          e.builder.getIntegerAttr(number, 1));
    Value zero = e.zero(number);
    int64_t digits = digitsOfKey();
    e.loop(e.cst(0), e.cst(digits * kDigits),
           [&](Value i) { store(e, zero, counts, i); });
    auto countUp = [&](Value at) {
      Value before = load(e, counts, at);
      store(e, arith::AddIOp::create(e.builder, e.loc, before, one), counts,
            at);
      return before;
    };
    e.loop(e.cst(0), count, [&](Value i) {
      Value found = load(e, keys, e.add(from, i));
      for (int64_t digit = 0; digit < digits; ++digit) {
        Value shift = keyConstant(APInt(key.getWidth(), digit * kDigitBits));
        countUp(e.add(digitOf(found, shift), digit * kDigits));
      }
    });
    return e
        .loop(e.cst(0), e.cst(digits), 1, from,
              [&](Value digit, ValueRange carried) {
                return SmallVector<Value>{
                    sortByDigit(digit, carried[0], count, countUp)};
              })
        .front();
  }

  Value sortByDigit(Value digit, Value from, Value count,
                    function_ref<Value(Value)> countUp) {
    Value base = e.mul(digit, kDigits);
    Value shift = arith::IndexCastUIOp::create(e.builder, e.loc, key,
                                               e.mul(digit, kDigitBits));
    auto counterOf = [&](Value found) {
      return e.add(base, digitOf(found, shift));
    };
    // If all have the same digit, they are in order.
    Value alike = load(e, counts, counterOf(load(e, keys, from)));
    Value isSame = e.cmp(arith::CmpIPredicate::eq, alike, asNumber(count));
    return e
        .select(
            isSame, e.builder.getIndexType(),
            [&] { return SmallVector<Value>{from}; },
            [&] {
              // The counts become the positions where elements of a digit go.
              e.loop(e.cst(0), e.cst(kDigits), 1, e.zero(number),
                     [&](Value i, ValueRange carried) {
                       Value at = e.add(base, i);
                       Value here = load(e, counts, at);
                       store(e, carried[0], counts, at);
                       return SmallVector<Value>{arith::AddIOp::create(
                           e.builder, e.loc, carried[0], here)};
                     });
              Value to = e.sub(room, from);
              e.loop(e.cst(0), count, [&](Value i) {
                Value source = e.add(from, i);
                Value found = load(e, keys, source);
                Value target = e.add(to, asIndex(countUp(counterOf(found))));
                store(e, found, keys, target);
                store(e, load(e, numbers, source), numbers, target);
              });
              return SmallVector<Value>{to};
            })
        .front();
  }

  Emitter &e;
  TopKOp op;
  const TopKLines &lines;
  Type element;
  IntegerType key, number;
  Value room;
  bool fits; ///< A whole line fits.
  Value keys, numbers, counts;
};
} // namespace

/// Elements to compare at once with the last of the best, or 1: vectors of
/// elements that are adjacent in memory.
static int64_t comparedLanes(TopKOp op, const TopKLines &lines) {
  Type element = cast<MemRefType>(lines.from.view.getType()).getElementType();
  if (getConstantIntValue(lines.from.inner) != 1 || element.isF16() ||
      element.isBF16())
    return 1;
  return CpuMachine::of(op).lanes(element.getIntOrFloatBitWidth());
}

/// Writes the best of one line, inserting each element that precedes the last.
/// `lanes` elements at a time are skipped if none does.
static void emitInsertion(Emitter &e, TopKOp op, const TopKLines &lines,
                          ValueRange line, int64_t lanes) {
  Value zero = e.cst(0), one = e.cst(1);
  auto at = [&](Value position) {
    return SmallVector<Value>{line[0], position, line[1]};
  };
  Value best = lines.best.view, places = lines.places.view;
  Type isTrue = e.builder.getI1Type();
  // With k = 0 there is no place to read.
  Value none = e.cmp(arith::CmpIPredicate::eq, lines.k, zero);
  Value limit =
      e.builder.createOrFold<arith::SelectOp>(e.loc, none, zero, lines.length);
  Value last = e.sub(lines.k, one);
  auto insert = [&](Value position) {
    Value element = load(e, lines.from.view, at(position));
    Value hasRoom = e.cmp(arith::CmpIPredicate::ult, position, lines.k);
    Value enters =
        e.select(
             hasRoom, isTrue, [&] { return SmallVector<Value>{hasRoom}; },
             [&] {
               Value worst = load(e, best, at(last));
               return SmallVector<Value>{
                   comesBefore(e.builder, op, element, worst)};
             })
            .front();
    e.branch(enters, [&] {
      // Shifts the elements that the new one precedes by one place.
      Value end = arith::MinUIOp::create(e.builder, e.loc, position, last);
      auto shift = scf::WhileOp::create(
          e.builder, e.loc, e.builder.getIndexType(), end,
          [&](OpBuilder &, Location, ValueRange args) {
            Value isInside = e.cmp(arith::CmpIPredicate::ugt, args[0], zero);
            Value moves =
                e.select(
                     isInside, isTrue,
                     [&] {
                       Value other = load(e, best, at(e.sub(args[0], one)));
                       return SmallVector<Value>{
                           comesBefore(e.builder, op, element, other)};
                     },
                     [&] { return SmallVector<Value>{isInside}; })
                    .front();
            scf::ConditionOp::create(e.builder, e.loc, moves, args);
          },
          [&](OpBuilder &, Location, ValueRange args) {
            Value before = e.sub(args[0], one);
            store(e, load(e, best, at(before)), best, at(args[0]));
            store(e, load(e, places, at(before)), places, at(args[0]));
            scf::YieldOp::create(e.builder, e.loc, before);
          });
      Value place = shift.getResult(0);
      store(e, element, best, at(place));
      store(e,
            arith::IndexCastOp::create(e.builder, e.loc, e.builder.getI64Type(),
                                       position),
            places, at(place));
    });
  };
  if (lanes == 1)
    return e.loop(zero, limit, insert);
  FlatBuffer flat = FlatBuffer::get(e, lines.from.view);
  Value start = e.mul(line[0], lines.length);
  e.loop(zero, limit, lanes, {}, [&](Value first, ValueRange) {
    Value end = e.add(first, lanes);
    Value isWhole = e.cmp(arith::CmpIPredicate::ule, end, limit);
    Value hasBest = e.cmp(arith::CmpIPredicate::uge, first, lines.k);
    Value both = arith::AndIOp::create(e.builder, e.loc, isWhole, hasBest);
    Value enters =
        e.select(
             both, isTrue,
             [&] {
               Value elements = flat.load(e, e.add(start, first), lanes);
               Value worst = vector::BroadcastOp::create(
                   e.builder, e.loc, elements.getType(),
                   load(e, best, at(last)));
               return SmallVector<Value>{vector::ReductionOp::create(
                   e.builder, e.loc, vector::CombiningKind::OR,
                   comesBefore(e.builder, op, elements, worst))};
             },
             [&] {
               return SmallVector<Value>{
                   arith::ConstantIntOp::create(e.builder, e.loc, isTrue, 1)};
             })
            .front();
    e.branch(enters, [&] { e.loop(first, e.min(end, limit), insert); });
    return SmallVector<Value>();
  });
}

void hone::buffer::emitInsertedTopK(OpBuilder &builder, TopKOp op, Value source,
                                    Value values, Value indices,
                                    bool hasVectors) {
  Emitter e(builder, op.getLoc());
  TopKLines lines(builder, op, source, values, indices);
  int64_t lanes = hasVectors ? comparedLanes(op, lines) : 1;
  emitForall(e, {lines.from.outer, lines.from.inner}, [&](ValueRange line) {
    emitInsertion(e, op, lines, line, lanes);
  });
}

void hone::buffer::emitTopK(OpBuilder &builder, TopKOp op, Value source,
                            Value values, Value indices) {
  auto size = [&](Value buffer) {
    auto type = cast<MemRefType>(buffer.getType());
    return type.isDynamicDim(op.getAxis())
               ? std::nullopt
               : std::optional(type.getDimSize(op.getAxis()));
  };
  std::optional<int64_t> given = size(source), wanted = size(values);
  bool isShort = given && *given <= tuning::kMaxInsertedLine;
  if (isShort || (wanted && *wanted <= tuning::kMaxInserted))
    return emitInsertedTopK(builder, op, source, values, indices,
                            /*hasVectors=*/!isShort);
  Emitter e(builder, op.getLoc());
  TopKLines lines(builder, op, source, values, indices);
  RadixSorter sorter(e, op, lines);
  emitForall(e, {lines.from.outer, lines.from.inner}, [&](ValueRange line) {
    e.branch(
        e.cmp(arith::CmpIPredicate::ule, lines.k, e.cst(tuning::kMaxInserted)),
        [&] { emitInsertion(e, op, lines, line, comparedLanes(op, lines)); },
        [&] { sorter.emit(line); });
  });
}
