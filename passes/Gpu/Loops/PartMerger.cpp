// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Partial results of reductions. Merges are commutative, so the lanes of a warp
// can exchange theirs.
#include "passes/Gpu/Loops/PartMerger.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "passes/Emit/Combiner.h"

using namespace mlir;
using namespace hone;

SmallVector<unsigned> hone::reducedOutputs(const LoopNest &nest) {
  SmallVector<unsigned> reduced;
  for (unsigned i = 0, n = nest.accesses.size() - nest.numInputs(); i < n; ++i)
    if (nest.isReduced(i))
      reduced.push_back(i);
  return reduced;
}

/// Whether `value` is computed in the block only from `leaves`.
static bool dependsOnlyOn(Value value, Block &block, ArrayRef<Value> leaves) {
  if (llvm::is_contained(leaves, value))
    return true;
  if (value.getParentBlock() != &block)
    return true; // from above
  Operation *op = value.getDefiningOp();
  return op && op->getNumRegions() == 0 && isMemoryEffectFree(op) &&
         !isa<linalg::IndexOp>(op) &&
         llvm::all_of(op->getOperands(), [&](Value operand) {
           return dependsOnlyOn(operand, block, leaves);
         });
}

std::optional<PartMerger> PartMerger::get(const LoopStage &stage) {
  const LoopNest &nest = stage.nest;
  PartMerger merger;
  merger.reduced = reducedOutputs(nest);
  for (unsigned i : merger.reduced) {
    Operation *combiner = combinerOf(nest, i);
    TypedAttr neutral = combiner ? neutralOf(combiner) : TypedAttr();
    if (!neutral)
      break;
    merger.combiners.push_back(combiner);
    merger.start.push_back(neutral);
  }
  if (merger.combiners.size() == merger.reduced.size())
    return merger;
  // The best element and its index, both selected by one condition.
  merger.combiners.clear();
  merger.start.clear();
  if (merger.reduced.size() != 2 ||
      nest.accesses.size() - nest.numInputs() != 2 || stage.inits.size() != 2)
    return std::nullopt;
  Block &block = nest.op.getRegion().front();
  arith::SelectOp chosen[2];
  for (unsigned i = 0; i < 2; ++i) {
    chosen[i] =
        block.getTerminator()->getOperand(i).getDefiningOp<arith::SelectOp>();
    TypedAttr init;
    if (!chosen[i] || !stage.inits[i] ||
        !matchPattern(stage.inits[i], m_Constant(&init)) ||
        chosen[i].getFalseValue() != block.getArgument(nest.numInputs() + i))
      return std::nullopt;
    merger.start.push_back(init);
  }
  merger.wins = chosen[0].getCondition();
  merger.element = chosen[0].getTrueValue();
  merger.best = chosen[0].getFalseValue();
  if (chosen[1].getCondition() != merger.wins ||
      !chosen[1].getTrueValue().getType().isInteger() ||
      !dependsOnlyOn(merger.wins, block, {merger.element, merger.best}))
    return std::nullopt;
  return merger;
}

SmallVector<Value> PartMerger::neutral(Emitter &e) const {
  SmallVector<Value> values;
  for (TypedAttr attr : start)
    values.push_back(arith::ConstantOp::create(e.builder, e.loc, attr));
  return values;
}

/// The body's comparison of two other values.
Value PartMerger::beats(Emitter &e, Value candidate, Value holder) const {
  IRMapping mapping;
  mapping.map(element, candidate);
  mapping.map(best, holder);
  Block *block = Value(best).getParentBlock();
  auto clone = [&](auto &self, Value value) -> Value {
    if (Value known = mapping.lookupOrNull(value))
      return known;
    if (value.getParentBlock() != block)
      return value;
    Operation *op = value.getDefiningOp();
    for (Value operand : op->getOperands())
      mapping.map(operand, self(self, operand));
    e.builder.clone(*op, mapping);
    return mapping.lookup(value);
  };
  return clone(clone, wins);
}

SmallVector<Value> PartMerger::merge(Emitter &e, ValueRange a,
                                     ValueRange b) const {
  SmallVector<Value> merged;
  if (!combiners.empty() || reduced.empty()) {
    for (auto [combiner, x, y] : llvm::zip_equal(combiners, a, b))
      merged.push_back(applyCombiner(e, combiner, x, y));
    return merged;
  }
  // Of equal elements each replaces the other, or neither does: then the later
  // or the earlier index counts.
  Value wins = beats(e, b[0], a[0]), loses = beats(e, a[0], b[0]);
  Value isTie = e.cmp(arith::CmpIPredicate::eq, wins, loses);
  Value isLater = e.cmp(arith::CmpIPredicate::sgt, b[1], a[1]);
  Value isEarlier = e.cmp(arith::CmpIPredicate::slt, b[1], a[1]);
  auto select = [&](Value condition, Value x, Value y) -> Value {
    return arith::SelectOp::create(e.builder, e.loc, condition, x, y);
  };
  Value takes = select(isTie, select(wins, isLater, isEarlier), wins);
  for (auto [x, y] : llvm::zip_equal(a, b))
    merged.push_back(select(takes, y, x));
  return merged;
}

SmallVector<Value> PartMerger::mergeLanes(Emitter &e, ValueRange vectors,
                                          int64_t lanes) const {
  if (lanes == 1)
    return llvm::to_vector(vectors);
  SmallVector<Value> merged;
  for (int64_t lane = 0; lane < lanes; ++lane) {
    SmallVector<Value> part;
    for (Value vector : vectors)
      part.push_back(vector::ExtractOp::create(e.builder, e.loc, vector, lane));
    merged = lane == 0 ? part : merge(e, merged, part);
  }
  return merged;
}

void PartMerger::store(Emitter &e, const LoopStage &stage,
                       ValueRange results) const {
  for (auto [n, i] : llvm::enumerate(reduced)) {
    const NestAccess &access = stage.nest.output(i);
    Value result = results[n];
    // The best element started as the output did.
    if (!combiners.empty()) {
      Value init = i < stage.inits.size() ? stage.inits[i] : Value();
      if (!init)
        init =
            memref::LoadOp::create(e.builder, e.loc, access.flat, access.base);
      result = applyCombiner(e, combiners[n], init, result);
    }
    memref::StoreOp::create(e.builder, e.loc, result, access.flat, access.base);
  }
}
