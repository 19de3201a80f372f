// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The k best elements of a line by a team: a bitonic sort in shared memory. If
// a line does not fit, the best elements so far stay and the others are
// replaced by the next ones.
#include "passes/Buffer/Kernels/KernelEmission.h"
#include "passes/Buffer/Teams/TeamEmission.h"
#include "passes/Buffer/Teams/TeamLoops.h"
#include "passes/Machine/GpuTuning.h"

using namespace mlir;
using namespace hone;
using namespace hone::buffer;
using namespace hone::graph;

namespace {
/// An element and its position in its line.
struct Candidate {
  Value value, number;
};

/// Elements of a line with their positions in it, in memory of the team.
class Sorter {
public:
  Sorter(Emitter &e, TopKOp op, int64_t size, Type element, Type number)
      : elements(teamBuffer(e, {size}, element)),
        numbers(teamBuffer(e, {size}, number)), e(e), op(op), size(size),
        element(element), number(number) {}

  /// Fills the buffer after `kept` with elements from `first` on. Entries from
  /// `end` on compare as last in any order: their position is past `length`.
  void fill(int64_t kept, Value first, Value end, Value length,
            function_ref<Candidate(Value)> read) {
    emitStep(e, size - kept, [&](Value i) {
      Value position = e.add(first, i), place = e.add(i, kept);
      SmallVector<Value> found = e.select(
          e.cmp(arith::CmpIPredicate::slt, position, end), {element, number},
          [&] {
            Candidate candidate = read(position);
            return SmallVector<Value>{candidate.value, candidate.number};
          },
          [&] {
            return SmallVector<Value>{worst(),
                                      asNumber(e.add(position, length))};
          });
      store(e, found[0], elements, place);
      store(e, found[1], numbers, place);
    });
  }

  /// Sorts all elements from `first` to `end`; the best `kept` are exact.
  void sortAll(int64_t kept, Value first, Value end, Value length, bool fits,
               function_ref<Candidate(Value)> read) {
    fill(0, first, end, length, read);
    sort();
    if (fits)
      return;
    e.loop(e.add(first, size), end, size - kept, {},
           [&](Value next, ValueRange) {
             fill(kept, next, end, length, read);
             sort();
             return SmallVector<Value>();
           });
  }

  Value asNumber(Value position) {
    return arith::IndexCastOp::create(e.builder, e.loc, number, position);
  }

  /// Sorted runs of 1, 2, 4 ... elements, alternating in direction, become runs
  /// of twice the length.
  void sort() {
    Value one = e.cst(1);
    auto shifted = [&](Value by) -> Value {
      return arith::ShLIOp::create(e.builder, e.loc, one, by);
    };
    e.loop(one, e.cst(llvm::Log2_64(size) + 1), [&](Value round) {
      Value run = shifted(round);
      e.loop(e.cst(0), round, [&](Value step) {
        Value stride = shifted(e.sub(e.sub(round, one), step));
        emitStep(e, size / 2, [&](Value pair) {
          // Pairs `stride` apart, in blocks of twice as many elements.
          Value inBlock =
              arith::AndIOp::create(e.builder, e.loc, pair, e.sub(stride, one));
          Value i = e.sub(e.mul(pair, 2), inBlock);
          Value bit = arith::AndIOp::create(e.builder, e.loc, i, run);
          exchange(i, e.add(i, stride),
                   e.cmp(arith::CmpIPredicate::eq, bit, e.cst(0)));
        });
      });
    });
  }

  Value elements, numbers;

private:
  /// Puts two elements into order, or into reverse order.
  void exchange(Value i, Value j, Value forward) {
    Value a = load(e, elements, i), b = load(e, elements, j);
    Value m = load(e, numbers, i), n = load(e, numbers, j);
    Value first = comesBefore(e.builder, op, a, b);
    Value second = comesBefore(e.builder, op, b, a);
    Value isTie = e.cmp(arith::CmpIPredicate::eq, first, second);
    Value isEarlier = e.cmp(arith::CmpIPredicate::slt, m, n);
    Value inOrder =
        arith::SelectOp::create(e.builder, e.loc, isTie, isEarlier, first);
    e.branch(e.cmp(arith::CmpIPredicate::ne, inOrder, forward), [&] {
      store(e, b, elements, i);
      store(e, a, elements, j);
      store(e, n, numbers, i);
      store(e, m, numbers, j);
    });
  }

  /// An element that is last in the order.
  Value worst() {
    OpBuilder &builder = e.builder;
    bool smallest = op.getSmallest();
    if (auto type = dyn_cast<FloatType>(element)) {
      const llvm::fltSemantics &semantics = type.getFloatSemantics();
      APFloat value = smallest ? APFloat::getNaN(semantics)
                               : APFloat::getInf(semantics, /*Negative=*/true);
      return arith::ConstantOp::create(builder, e.loc,
                                       builder.getFloatAttr(type, value));
    }
    unsigned width = element.getIntOrFloatBitWidth();
    APInt value =
        op.getIsUnsigned()
            ? (smallest ? APInt::getMaxValue(width) : APInt::getMinValue(width))
            : (smallest ? APInt::getSignedMaxValue(width)
                        : APInt::getSignedMinValue(width));
    return arith::ConstantOp::create(builder, e.loc,
                                     builder.getIntegerAttr(element, value));
  }

  Emitter &e;
  TopKOp op;
  int64_t size;
  Type element, number;
};
} // namespace

void hone::buffer::emitTeamTopK(OpBuilder &builder, TopKOp op, Value source,
                                Value values, Value indices) {
  Emitter e(builder, op.getLoc());
  Lines from(builder, e.loc, source, op.getAxis());
  Lines best(builder, e.loc, values, op.getAxis());
  Lines places(builder, e.loc, indices, op.getAxis());
  std::optional<int64_t> given = getConstantIntValue(from.length);
  std::optional<int64_t> wanted = getConstantIntValue(best.length);
  int64_t size = tuning::kMaxTeamSorted;
  if (given)
    size = std::clamp<int64_t>(llvm::PowerOf2Ceil(*given),
                               tuning::kMinTeamSorted, size);
  bool fits = given && *given <= size;
  int64_t kept = wanted ? llvm::PowerOf2Ceil(*wanted) : size;
  if ((given && *given <= tuning::kMaxThreadSorted) ||
      (!fits && kept > size / 2))
    return emitInsertedTopK(builder, op, source, values, indices,
                            /*hasVectors=*/false);
  Value k = checkedCount(builder, op, from, best);
  Type element = cast<MemRefType>(source.getType()).getElementType();
  bool isNarrow = given && *given <= std::numeric_limits<int32_t>::max() / 4;
  Type number = builder.getIntegerType(isNarrow ? 32 : 64);
  Value length = getValueOrCreateConstantIndexOp(builder, e.loc, from.length);
  std::optional<int64_t> outer = getConstantIntValue(from.outer);
  std::optional<int64_t> inner = getConstantIntValue(from.inner);
  auto storeBest = [&](Sorter &sorter, ValueRange line) {
    emitForall(e, {getAsOpFoldResult(k)}, [&](ValueRange ivs) {
      Value at[] = {line[0], ivs[0], line[1]};
      store(e, load(e, sorter.elements, ivs), best.view, at);
      store(e, e.extend(load(e, sorter.numbers, ivs), builder.getI64Type()),
            places.view, at);
    });
  };
  auto readFrom = [&](Sorter &sorter, ValueRange line, Value position) {
    Value at[] = {line[0], position, line[1]};
    return Candidate{load(e, from.view, at), sorter.asNumber(position)};
  };
  int64_t parts = 1;
  if (given && *given > tuning::kLongSortedLine && outer && inner &&
      *outer * *inner <= tuning::kFewSortedLines)
    parts = std::min<int64_t>(llvm::divideCeil(*given, size), size / kept);
  if (parts < 3) {
    emitForall(e, {from.outer, from.inner}, [&](ValueRange line) {
      Sorter sorter(e, op, size, element, number);
      sorter.sortAll(kept, e.cst(0), length, length, fits, [&](Value position) {
        return readFrom(sorter, line, position);
      });
      storeBest(sorter, line);
    });
    return;
  }
  // The best of each part, and then the best of those.
  int64_t part = llvm::divideCeil(*given, parts);
  auto temporary = [&](Type type) {
    return memref::AllocOp::create(
        builder, e.loc, MemRefType::get({*outer, *inner, parts * kept}, type),
        builder.getI64IntegerAttr(64));
  };
  Value partValues = temporary(element), partNumbers = temporary(number);
  OpFoldResult sizes[] = {from.outer, from.inner, builder.getIndexAttr(parts)};
  emitForall(e, sizes, [&](ValueRange ivs) {
    Sorter sorter(e, op, size, element, number);
    Value first = e.mul(ivs[2], part);
    Value end = e.min(e.add(first, part), length);
    sorter.sortAll(kept, first, end, length, part <= size, [&](Value position) {
      return readFrom(sorter, ivs.take_front(2), position);
    });
    emitStep(e, kept, [&](Value i) {
      Value at[] = {ivs[0], ivs[1], e.add(e.mul(ivs[2], kept), i)};
      store(e, load(e, sorter.elements, i), partValues, at);
      store(e, load(e, sorter.numbers, i), partNumbers, at);
    });
  });
  emitForall(e, {from.outer, from.inner}, [&](ValueRange line) {
    Sorter sorter(e, op, llvm::PowerOf2Ceil(parts * kept), element, number);
    Value count = e.cst(parts * kept);
    sorter.sortAll(
        kept, e.cst(0), count, length, /*fits=*/true, [&](Value position) {
          Value at[] = {line[0], line[1], position};
          return Candidate{load(e, partValues, at), load(e, partNumbers, at)};
        });
    storeBest(sorter, line);
  });
}
