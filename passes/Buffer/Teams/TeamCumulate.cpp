// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Running sums of a line by a team: each thread sums some elements, the totals
// are scanned in shared memory, and the next part of the line follows.
#include "passes/Buffer/Kernels/KernelEmission.h"
#include "passes/Buffer/Teams/TeamEmission.h"
#include "passes/Buffer/Teams/TeamLoops.h"
#include "passes/Machine/GpuTuning.h"

using namespace mlir;
using namespace hone;
using namespace hone::buffer;
using namespace hone::graph;

/// Banks of shared memory: one element is skipped after this many, so that
/// threads a few elements apart use different banks.
static constexpr int64_t kBanks = 32;
static bool wantsTeams(const Lines &lines) {
  std::optional<int64_t> length = getConstantIntValue(lines.length);
  if (length && *length < tuning::kMinTeamLine)
    return false;
  std::optional<int64_t> inner = getConstantIntValue(lines.inner);
  if (inner == 1)
    return true;
  std::optional<int64_t> outer = getConstantIntValue(lines.outer);
  return inner && outer && *inner * *outer < tuning::kManyLines;
}

void hone::buffer::emitTeamCumulate(OpBuilder &builder, CumulateOp op,
                                    Value source, Value target) {
  Emitter e(builder, op.getLoc());
  Lines from(builder, e.loc, source, op.getAxis());
  Lines to(builder, e.loc, target, op.getAxis());
  Type type = cast<MemRefType>(source.getType()).getElementType();
  if (!wantsTeams(from))
    return emitScalarCumulate(builder, op, from, to);
  Type wide = sumType(type);
  bool narrow = wide != type;
  int64_t threads = tuning::kGpuThreads;
  if (std::optional<int64_t> known = getConstantIntValue(from.length))
    threads = std::clamp<int64_t>(
        llvm::PowerOf2Ceil(llvm::divideCeil(*known, tuning::kThreadElements)),
        kBanks, threads);
  int64_t chunk = threads * tuning::kThreadElements;
  Value length = getValueOrCreateConstantIndexOp(builder, e.loc, from.length);
  auto add = [&](Value a, Value b) {
    return accumulate(builder, e.loc, op.getKind(), a, b);
  };
  auto slot = [&](Value i) { return e.add(i, e.div(i, e.cst(kBanks))); };

  emitForall(e, {from.outer, from.inner}, [&](ValueRange line) {
    auto at = [&](Value position) {
      if (op.getReverse())
        position = e.sub(e.sub(length, e.cst(1)), position);
      return SmallVector<Value>{line[0], position, line[1]};
    };
    Value neutral =
        arith::ConstantOp::create(builder, e.loc, neutralOf(op, wide));
    Value sums = teamBuffer(e, {chunk + chunk / kBanks}, wide);
    Value totals = teamBuffer(e, {2, threads}, wide);
    auto isInside = [&](Value position) {
      return e.cmp(arith::CmpIPredicate::slt, position, length);
    };
    auto emitChunk = [&](Value first, Value before) {
      emitStep(e, chunk, [&](Value i) {
        Value position = e.add(first, i);
        Value element = e.select(
                             isInside(position), wide,
                             [&] {
                               Value read = load(e, from.view, at(position));
                               return SmallVector<Value>{
                                   narrow ? e.extend(read, wide) : read};
                             },
                             [&] { return SmallVector<Value>{neutral}; })
                            .front();
        store(e, element, sums, slot(i));
      });
      emitStep(e, threads, [&](Value thread) {
        Value sum = neutral;
        for (int64_t n = 0; n < tuning::kThreadElements; ++n) {
          Value place = slot(e.add(e.mul(thread, tuning::kThreadElements), n));
          Value next = add(sum, load(e, sums, place));
          store(e, op.getExclusive() ? sum : next, sums, place);
          sum = next;
        }
        store(e, sum, totals, {e.cst(0), thread});
      });
      // Totals of 1, 2, 4 ... threads, alternating between two rows.
      int64_t row = 0;
      for (int64_t reach = 1; reach < threads; reach *= 2, row = 1 - row)
        emitStep(e, threads, [&](Value thread) {
          Value own = load(e, totals, {e.cst(row), thread});
          Value sum =
              e.select(
                   e.cmp(arith::CmpIPredicate::sge, thread, e.cst(reach)), wide,
                   [&] {
                     Value left = e.sub(thread, e.cst(reach));
                     return SmallVector<Value>{
                         add(load(e, totals, {e.cst(row), left}), own)};
                   },
                   [&] { return SmallVector<Value>{own}; })
                  .front();
          store(e, sum, totals, {e.cst(1 - row), thread});
        });
      emitStep(e, chunk, [&](Value i) {
        Value position = e.add(first, i);
        e.branch(isInside(position), [&] {
          Value thread = e.div(i, e.cst(tuning::kThreadElements));
          Value sum =
              e.select(
                   e.cmp(arith::CmpIPredicate::sgt, thread, e.cst(0)), wide,
                   [&] {
                     Value left = e.sub(thread, e.cst(1));
                     return SmallVector<Value>{
                         add(before, load(e, totals, {e.cst(row), left}))};
                   },
                   [&] { return SmallVector<Value>{before}; })
                  .front();
          sum = add(sum, load(e, sums, slot(i)));
          if (narrow)
            sum = arith::TruncFOp::create(builder, e.loc, type, sum);
          store(e, sum, to.view, at(position));
        });
      });
      Value last = load(e, totals, {e.cst(row), e.cst(threads - 1)});
      return SmallVector<Value>{add(before, last)};
    };
    e.loop(e.cst(0), length, chunk, neutral,
           [&](Value first, ValueRange before) {
             return emitChunk(first, before[0]);
           });
  });
}
