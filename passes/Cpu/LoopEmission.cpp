// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Loops around bodies: which dimension is vectorized, in which order the others
// run, and what is carried in registers.
#include "passes/Cpu/LoopEmission.h"
#include "passes/Analysis/Remarks.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/LoopInvariantCodeMotionUtils.h"
#include "passes/Cpu/Transpose.h"
#include "passes/Emit/Combiner.h"
#include "passes/Emit/Epilogue.h"
#include "passes/Emit/LoopBody.h"
#include "passes/Emit/LoopMotion.h"
#include "passes/Machine/Tuning.h"

using namespace mlir;
using namespace hone;

namespace {

/// `count` vectors of `width` elements at a time, or one with a mask for what
/// is left.
struct Step {
  int64_t width, count;
  bool masked = false;
  int64_t stride() const { return width * count; }
};

/// Steps for a loop of `extent` elements with vectors of `lanes`.
SmallVector<Step> chooseSteps(const VectorCost &cost, int64_t lanes,
                              std::optional<int64_t> extent, bool masks) {
  SmallVector<Step> steps;
  auto add = [&](int64_t width, int64_t count) {
    if (!extent || *extent >= width * count)
      steps.push_back({width, count});
  };
  // Polynomials have more constants than there are registers: vectors of twice
  // the width share each load of one.
  if (cost.math > 0)
    add(2 * lanes, 1);
  else if (cost.gathered == 0)
    add(lanes, cost.ops <= 16 ? 4 : 2);
  add(lanes, 1);
  if (masks && cost.maskable) {
    steps.push_back({lanes, 1, /*masked=*/true});
    return steps;
  }
  for (int64_t width = lanes / 2; width >= tuning::kLeastWidth; width /= 2)
    if (extent ? *extent % (2 * width) >= width : cost.math > 0)
      add(width, 1);
  steps.push_back({1, 1});
  return steps;
}

class StageEmitter {
public:
  StageEmitter(Emitter &e, LoopStage stage, const CpuMachine &machine,
               bool parallel)
      : e(e), nest(std::move(stage.nest)), inits(std::move(stage.inits)),
        machine(machine), parallel(parallel) {
    inits.resize(nest.accesses.size() - nest.numInputs());
  }

  void emit() {
    nest.collapse(e);
    nest.foldRepeats(e);
    if (parallel && emitTransposed(e, nest, machine))
      return;
    bool reduces = false;
    for (unsigned i = 0; i < inits.size(); ++i)
      reduces |= nest.isReduced(i);
    int vectorDim = chooseVectorDim(nest), repeatedDim = -1;
    if (vectorDim < 0 && !reduces)
      vectorDim = chooseRange();
    if (vectorDim < 0 && !nest.dims.empty())
      remarkSlow(nest.op, "vectorize-loops",
                 "no dimension is long enough and contiguous in memory: there "
                 "are no vectors");
    if (vectorDim >= 0) {
      VectorCost cost = vectorCost(nest, vectorDim);
      int64_t lanes = machine.lanes(cost.width);
      steps = chooseSteps(cost, lanes, nest.extent(vectorDim),
                          machine.vectorBits >= 512);
      if (steps.front().width == 1)
        vectorDim = -1;
      else if (cost.gathered > 0 && conditions.empty())
        repeatedDim = chooseRepeatedDim(nest, vectorDim);
    }
    if (reduces)
      repeatedDim = -1;

    SmallVector<unsigned> outer;
    for (unsigned i = 0; i < nest.dims.size(); ++i)
      if (!nest.dims[i].reduction && int(i) != vectorDim &&
          int(i) != repeatedDim)
        outer.push_back(i);
    if (vectorDim < 0 && !reduces && !parallel && !outer.empty())
      outer.pop_back(); // becomes the scalar loop
    else if (vectorDim < 0 && !reduces && outer.size() > 1)
      outer.pop_back();
    int64_t block = reduces && vectorDim >= 0 ? steps.front().stride()
                                              : tuning::kBlockElements;
    if (repeatedDim >= 0)
      block = std::max(steps.front().stride(),
                       block / nest.extent(repeatedDim).value_or(block) /
                           steps.front().stride() * steps.front().stride());
    bool cuts = vectorDim >= 0 && !nest.dims[vectorDim].reduction && parallel &&
                shouldCut(outer, vectorDim, block);
    SmallVector<Value> extents;
    for (unsigned i : outer)
      extents.push_back(nest.dims[i].extent);
    Value size = vectorDim >= 0 ? nest.dims[vectorDim].extent : Value();
    if (cuts)
      extents.push_back(e.ceilDiv(size, block));

    run(extents, [&](ValueRange ivs) {
      LoopNest inner = nest;
      for (size_t i = outer.size(); i-- > 0;)
        inner.fix(e, outer[i], ivs[i]);
      if (vectorDim < 0) {
        emitScalar(inner, reduces);
        return;
      }
      unsigned dim = vectorDim;
      int repeated = repeatedDim;
      for (unsigned i : outer) {
        dim -= int(i) < vectorDim;
        repeated -= int(i) < repeatedDim;
      }
      Value low = e.cst(0), high = size;
      if (cuts) {
        low = e.mul(ivs.back(), block);
        high = constantOf(size) && *constantOf(size) % block == 0
                   ? e.add(low, block)
                   : e.min(e.add(low, block), size);
      }
      if (repeatedDim >= 0)
        emitRepeated(inner, dim, repeated, low, high);
      else if (!reduces)
        emitElementwise(inner, dim, low, high);
      else if (inner.dims[dim].reduction)
        emitInnerReduction(inner, dim);
      else
        emitOuterReduction(inner, dim, low, high);
    });
  }

private:
  /// A dimension that can be vectorized if some conditions hold, or -1. Assumes
  /// them.
  int chooseRange() {
    for (int dim = nest.dims.size() - 1; dim >= 0; --dim) {
      conditions = rangeConditions(nest, dim);
      for (arith::CmpIOp condition : conditions)
        nest.assumed.insert(condition);
      if (!conditions.empty() && chooseVectorDim(nest) == dim)
        return dim;
      nest.assumed.clear();
    }
    conditions.clear();
    return -1;
  }

  void run(ArrayRef<Value> extents, function_ref<void(ValueRange)> body) {
    if (parallel)
      return parallelLoop(e, extents, body);
    SmallVector<Value> ivs;
    nestLoops(extents, ivs, body);
  }

  void nestLoops(ArrayRef<Value> extents, SmallVector<Value> &ivs,
                 function_ref<void(ValueRange)> body) {
    if (extents.empty())
      return body(ivs);
    e.loop(e.cst(0), extents.front(), [&](Value iv) {
      ivs.push_back(iv);
      nestLoops(extents.drop_front(), ivs, body);
      ivs.pop_back();
    });
  }

  bool shouldCut(ArrayRef<unsigned> outer, unsigned vectorDim, int64_t block) {
    int64_t iterations = 1;
    for (unsigned i : outer) {
      std::optional<int64_t> extent = nest.extent(i);
      if (!extent)
        return false;
      iterations *= *extent;
    }
    std::optional<int64_t> size = nest.extent(vectorDim);
    if (outer.empty())
      return !size || *size > block;
    return iterations < tuning::balancedIterations(machine) &&
           (!size || *size >= 4 * block);
  }

  /// Runs `emit` over [low, high) in all steps.
  void vectorLoops(Value low, Value high,
                   function_ref<void(Value iv, Step step, Value mask)> emit) {
    Value size = e.sub(high, low), done = e.cst(0);
    for (Step step : steps) {
      Value rest = e.sub(size, done), at = e.add(low, done);
      if (std::optional<int64_t> known = constantOf(rest); known && *known <= 0)
        return;
      if (step.masked) {
        e.branch(e.cmp(arith::CmpIPredicate::sgt, rest, e.cst(0)), [&] {
          emit(at, step, makeMask(e, rest, e.cst(0), step.width));
        });
        return;
      }
      done = e.sub(size, e.rem(size, e.cst(step.stride())));
      e.loop(at, step.stride() > 1 ? e.add(low, done) : high, step.stride(), {},
             [&](Value iv, ValueRange) {
               emit(iv, step, nullptr);
               return SmallVector<Value>();
             });
    }
  }

  void emitElementwise(LoopNest &inner, unsigned dim, Value low, Value high) {
    // Reduction loops that accumulate nothing are still loops.
    withOthersFixed(inner, dim, [&](LoopNest &innermost) {
      if (!conditions.empty()) {
        auto [first, end] = rangeOf(e, innermost, 0, conditions);
        first = e.min(e.max(first, low), high);
        end = e.max(e.min(end, high), first);
        emitUnassumed(innermost, low, first);
        emitUnassumed(innermost, end, high);
        low = first, high = end;
      }
      LoopBody body(e, innermost);
      vectorLoops(low, high, [&](Value iv, Step step, Value mask) {
        for (int64_t i = 0; i < step.count; ++i)
          body.emit(e.add(iv, i * step.width), step.width, {}, nullptr, mask);
      });
    });
  }

  /// Elements outside the range where conditions hold.
  void emitUnassumed(const LoopNest &innermost, Value low, Value high) {
    LoopNest nest = innermost;
    nest.assumed.clear();
    LoopBody body(e, nest);
    e.loop(low, high, [&](Value iv) { body.emit(iv, 1, {}); });
  }

  /// Vectors along `dim`, and inside a loop along `repeated`, before which all
  /// invariants are computed.
  void emitRepeated(LoopNest &inner, unsigned dim, unsigned repeated, Value low,
                    Value high) {
    // What is computed before the loop must be guarded if it may not run.
    Value times = inner.dims[repeated].extent;
    Value some = e.cmp(arith::CmpIPredicate::sgt, times, e.cst(0));
    high = e.builder.createOrFold<arith::SelectOp>(e.loc, some, high, low);
    // What gathers has no masks.
    vectorLoops(low, high, [&](Value iv, Step step, Value) {
      e.loop(e.cst(0), times, [&](Value number) {
        LoopNest fixed = inner;
        fixed.fix(e, repeated, number);
        withOthersFixed(fixed, dim - (repeated < dim), [&](LoopNest &last) {
          for (int64_t i = 0; i < step.count; ++i)
            LoopBody(e, last).emit(e.add(iv, i * step.width), step.width, {});
        });
      });
      hoistInvariant(
          cast<scf::ForOp>(*std::prev(e.builder.getInsertionPoint())));
    });
  }

  /// Hoists loop invariants, including loads: the loop writes nothing that is
  /// read.
  static void hoistInvariant(scf::ForOp loop) {
    moveLoopInvariantCode(
        &loop.getRegion(),
        [&](Value value, Region *) {
          return loop.isDefinedOutsideOfLoop(value);
        },
        [](Operation *op, Region *) {
          return isMemoryEffectFree(op) ||
                 isa<memref::LoadOp, vector::LoadOp>(op);
        },
        [&](Operation *op, Region *) { loop.moveOutOfLoop(op); });
  }

  /// Loops over all dimensions but `dim`.
  void withOthersFixed(LoopNest &inner, unsigned dim,
                       function_ref<void(LoopNest &)> emit) {
    if (inner.dims.size() == 1)
      return emit(inner);
    unsigned next = dim == 0 ? 1 : 0;
    e.loop(e.cst(0), inner.dims[next].extent, [&](Value iv) {
      LoopNest fixed = inner;
      fixed.fix(e, next, iv);
      withOthersFixed(fixed, dim - (next < dim), emit);
    });
  }

  /// Loops over all dimensions but `keep` (-1: all) that carry values.
  SmallVector<Value>
  carryThrough(LoopNest &inner, int keep, ValueRange carried,
               function_ref<SmallVector<Value>(LoopNest &, ValueRange)> emit) {
    if (inner.dims.empty() || (inner.dims.size() == 1 && keep == 0))
      return emit(inner, carried);
    unsigned next = keep == 0 ? 1 : 0;
    return e.loop(e.cst(0), inner.dims[next].extent, 1, carried,
                  [&](Value iv, ValueRange values) {
                    LoopNest fixed = inner;
                    fixed.fix(e, next, iv);
                    return carryThrough(
                        fixed, keep < 0 ? keep : keep - (int(next) < keep),
                        values, emit);
                  });
  }

  SmallVector<unsigned> reducedOutputs() {
    SmallVector<unsigned> reduced;
    for (unsigned i = 0; i < inits.size(); ++i)
      if (nest.isReduced(i))
        reduced.push_back(i);
    return reduced;
  }

  /// The start value of output `i`, for `width` elements at `iv` along `dim`,
  /// or for a scalar if `dim` is -1.
  Value initOf(LoopNest &inner, unsigned i, int dim, Value iv, int64_t width,
               Value mask = nullptr) {
    if (Value init = inits[i]) {
      if (width == 1)
        return init;
      auto type = VectorType::get(width, init.getType());
      return vector::BroadcastOp::create(e.builder, e.loc, type, init);
    }
    NestAccess &access = inner.output(i);
    return access.load(e, offsetOf(access, dim, iv), width, mask);
  }

  Value offsetOf(NestAccess &access, int dim, Value iv) {
    return dim < 0 ? access.base
                   : e.add(access.base, e.mul(iv, access.strides[dim]));
  }

  void storeOutput(LoopNest &inner, unsigned i, int dim, Value iv, Value value,
                   Value mask = nullptr) {
    NestAccess &access = inner.output(i);
    access.store(e, offsetOf(access, dim, iv), value, mask);
  }

  /// Vectors of adjacent results; reduction loops run inside.
  void emitOuterReduction(LoopNest &inner, unsigned dim, Value low,
                          Value high) {
    SmallVector<unsigned> reduced = reducedOutputs();
    vectorLoops(low, high, [&](Value iv, Step step, Value mask) {
      int64_t width = step.width, count = step.count;
      SmallVector<Value> carried;
      for (int64_t k = 0; k < count; ++k)
        for (unsigned i : reduced)
          carried.push_back(
              initOf(inner, i, dim, e.add(iv, k * width), width, mask));
      SmallVector<Value> results = carryThrough(
          inner, dim, carried, [&](LoopNest &innermost, ValueRange values) {
            LoopBody body(e, innermost);
            SmallVector<Value> next;
            for (int64_t k = 0; k < count; ++k)
              llvm::append_range(
                  next,
                  body.emit(e.add(iv, k * width), width,
                            values.slice(k * reduced.size(), reduced.size()),
                            nullptr, mask));
            return next;
          });
      for (int64_t k = 0; k < count; ++k)
        for (auto [n, i] : llvm::enumerate(reduced))
          storeOutput(inner, i, dim, e.add(iv, k * width),
                      results[k * reduced.size() + n], mask);
    });
  }

  /// One result from several vectors of partial ones.
  void emitInnerReduction(LoopNest &inner, unsigned dim) {
    SmallVector<unsigned> reduced = reducedOutputs();
    size_t outputs = reduced.size();
    SmallVector<Value> carried;
    for (Step sums : accumulatorSteps())
      for (int64_t k = 0; k < sums.count; ++k)
        for (unsigned i : reduced) {
          Value neutral = arith::ConstantOp::create(
              e.builder, e.loc, neutralOf(combinerOf(nest, i)));
          if (sums.width > 1)
            neutral = vector::BroadcastOp::create(
                e.builder, e.loc,
                VectorType::get(sums.width, neutral.getType()), neutral);
          carried.push_back(neutral);
        }
    SmallVector<Value> sums = carryThrough(
        inner, dim, carried, [&](LoopNest &innermost, ValueRange values) {
          return emitReductionRow(innermost, values, outputs);
        });
    for (auto [n, i] : llvm::enumerate(reduced)) {
      // Without those that nothing was accumulated into.
      SmallVector<Value> parts;
      for (size_t k = n; k < sums.size(); k += outputs)
        if (sums[k] != carried[k] ||
            (parts.empty() && k + outputs >= sums.size()))
          parts.push_back(sums[k]);
      Operation *combiner = combinerOf(nest, i);
      Value sum = combineParts(combiner, parts);
      Attribute init;
      if (!inits[i] || !matchPattern(inits[i], m_Constant(&init)) ||
          init != neutralOf(combiner))
        sum = applyCombiner(e, combiner, initOf(inner, i, -1, {}, 1), sum);
      storeOutput(inner, i, -1, {}, sum);
    }
  }

  /// The accumulators of an inner reduction: those of the first step of the
  /// same width serve the others.
  SmallVector<Step> accumulatorSteps() {
    SmallVector<Step> widths;
    for (Step step : steps)
      if (widths.empty() || widths.back().width != step.width)
        widths.push_back(step);
    return widths;
  }

  /// Combines accumulators pairwise; only the last one may be a scalar.
  Value combineParts(Operation *combiner, SmallVector<Value> parts) {
    Value sum;
    if (!isa<VectorType>(parts.back().getType()))
      sum = parts.pop_back_val();
    // From the widest to the narrowest.
    while (!parts.empty()) {
      SmallVector<Value> same, rest;
      for (Value part : parts)
        (part.getType() == parts.front().getType() ? same : rest)
            .push_back(part);
      while (same.size() > 1) {
        SmallVector<Value> halved;
        for (size_t k = 0; k + 1 < same.size(); k += 2)
          halved.push_back(applyCombiner(e, combiner, same[k], same[k + 1]));
        if (same.size() % 2)
          halved.push_back(same.back());
        same = halved;
      }
      if (rest.empty()) {
        Value reduced = reduceVector(e, combiner, same.front());
        return sum ? applyCombiner(e, combiner, reduced, sum) : reduced;
      }
      auto [low, high] = halvesOf(e.builder, e.loc, same.front());
      rest.insert(rest.begin(), applyCombiner(e, combiner, low, high));
      parts = rest;
    }
    return sum;
  }

  SmallVector<Value> emitReductionRow(LoopNest &innermost, ValueRange values,
                                      size_t outputs) {
    LoopBody body(e, innermost);
    Value size = innermost.dims[0].extent;
    SmallVector<Value> carried(values);
    Value at = e.cst(0);
    size_t first = 0; // accumulator of the current width
    for (size_t n = 0; n < steps.size(); ++n) {
      Step step = steps[n];
      if (n > 0 && steps[n - 1].width != step.width) {
        size_t owner = n - 1;
        while (owner > 0 && steps[owner - 1].width == steps[owner].width)
          --owner;
        first += steps[owner].count * outputs;
      }
      std::optional<int64_t> known = constantOf(e.sub(size, at));
      if (known && *known <= 0)
        return carried;
      size_t used = step.count * outputs;
      SmallVector<Value> active(carried.begin() + first,
                                carried.begin() + first + used);
      if (step.masked) {
        Value rest = e.sub(size, at);
        SmallVector<Value> results = e.select(
            e.cmp(arith::CmpIPredicate::sgt, rest, e.cst(0)),
            ValueRange(active).getTypes(),
            [&] {
              return body.emit(at, step.width, active, nullptr,
                               makeMask(e, rest, e.cst(0), step.width));
            },
            [&] { return active; });
        llvm::copy(results, carried.begin() + first);
        return carried;
      }
      Value end = size;
      if (step.stride() > 1)
        end = e.sub(size, e.rem(size, e.cst(step.stride())));
      SmallVector<Value> results = e.loop(
          at, end, step.stride(), active,
          [&](Value iv, ValueRange accumulators) {
            SmallVector<Value> next;
            for (int64_t k = 0; k < step.count; ++k)
              llvm::append_range(
                  next, body.emit(e.add(iv, k * step.width), step.width,
                                  accumulators.slice(k * outputs, outputs)));
            return next;
          });
      llvm::copy(results, carried.begin() + first);
      at = end;
    }
    return carried;
  }

  void emitScalar(LoopNest &inner, bool reduces) {
    if (!reduces) {
      if (inner.dims.empty()) {
        LoopBody(e, inner).emit({}, 1, {});
        return;
      }
      withOthersFixed(inner, inner.dims.size() - 1, [&](LoopNest &innermost) {
        LoopBody body(e, innermost);
        e.loop(e.cst(0), innermost.dims[0].extent,
               [&](Value iv) { body.emit(iv, 1, {}); });
      });
      return;
    }
    SmallVector<unsigned> reduced = reducedOutputs();
    SmallVector<Value> carried;
    for (unsigned i : reduced)
      carried.push_back(initOf(inner, i, -1, {}, 1));
    int last = int(inner.dims.size()) - 1;
    SmallVector<Value> results = carryThrough(
        inner, last, carried, [&](LoopNest &innermost, ValueRange values) {
          LoopBody body(e, innermost);
          if (innermost.dims.empty())
            return body.emit({}, 1, values);
          return e.loop(e.cst(0), innermost.dims[0].extent, 1, values,
                        [&](Value iv, ValueRange accumulators) {
                          return body.emit(iv, 1, accumulators);
                        });
        });
    for (auto [n, i] : llvm::enumerate(reduced))
      storeOutput(inner, i, -1, {}, results[n]);
  }

  Emitter &e;
  LoopNest nest;
  SmallVector<Value> inits;
  const CpuMachine &machine;
  bool parallel;
  /// What holds where there are vectors.
  SmallVector<arith::CmpIOp> conditions;
  /// How the vector loop proceeds, from its start to the scalars at its end.
  SmallVector<Step> steps;
};
} // namespace

void hone::parallelLoop(Emitter &e, ArrayRef<Value> extents,
                        function_ref<void(ValueRange)> body) {
  SmallVector<OpFoldResult> sizes;
  for (Value extent : extents)
    sizes.push_back(getAsOpFoldResult(extent));
  if (sizes.empty())
    sizes.push_back(e.builder.getIndexAttr(1));
  auto forall = scf::ForallOp::create(e.builder, e.loc, sizes, ValueRange{},
                                      std::nullopt);
  OpBuilder::InsertionGuard guard(e.builder);
  e.builder.setInsertionPointToStart(forall.getBody());
  SmallVector<Value> ivs = forall.getInductionVars();
  body(ValueRange(ivs).take_front(extents.size()));
}

void hone::emitStage(Emitter &e, LoopStage stage, const CpuMachine &machine,
                     bool parallel) {
  StageEmitter(e, std::move(stage), machine, parallel).emit();
}
