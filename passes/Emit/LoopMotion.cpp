// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How values change along a loop: a value is invariant, linear (counting up by
// one), or varying; only the last kind needs a vector.
#include "passes/Emit/LoopMotion.h"

#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "passes/Emit/Combiner.h"
#include "passes/Machine/Tuning.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace hone;
using namespace hone::graph;

Motion MotionAnalysis::of(Value value) {
  auto known = motions.find(value);
  if (known != motions.end())
    return known->second;
  Motion motion = compute(value);
  motions[value] = motion;
  return motion;
}

bool MotionAnalysis::isContiguous(memref::LoadOp load) {
  if (load.getIndices().empty())
    return false;
  SmallVector<int64_t> strides;
  int64_t offset;
  if (failed(load.getMemRefType().getStridesAndOffset(strides, offset)) ||
      strides.back() != 1)
    return false;
  for (Value index : load.getIndices().drop_back())
    if (!invariant(index))
      return false;
  return of(load.getIndices().back()) == Motion::Linear;
}

Motion MotionAnalysis::compute(Value value) {
  Region &body = nest.op.getRegion();
  if (!body.isAncestor(value.getParentRegion()))
    return Motion::Invariant;
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    if (argument.getOwner() != &body.front())
      return Motion::Varying;
    unsigned operand = argument.getArgNumber();
    if (operand >= nest.numInputs())
      return Motion::Varying; // an accumulator, or what a store replaces
    if (dim < 0 || !nest.walks(operand, dim))
      return Motion::Invariant;
    return Motion::Varying;
  }
  Operation *op = value.getDefiningOp();
  if (nest.assumed.contains(op))
    return Motion::Invariant;
  if (auto index = dyn_cast<linalg::IndexOp>(op)) {
    bool isLinear =
        dim >= 0 && llvm::is_contained(nest.dims[dim].loops, index.getDim());
    return isLinear ? Motion::Linear : Motion::Invariant;
  }
  Motion most = Motion::Invariant;
  int linear = 0;
  op->walk([&](Operation *nested) {
    for (Value operand : nested->getOperands()) {
      if (op->isAncestor(operand.getParentBlock()->getParentOp()))
        continue;
      Motion motion = of(operand);
      most = std::max(most, motion);
      linear += motion == Motion::Linear;
    }
    if (nested != op && isa<linalg::IndexOp>(nested))
      most = std::max(most, of(nested->getResult(0)));
  });
  if (most != Motion::Linear)
    return most;
  // i + c, c + i, i - c and conversions between index types are linear too.
  if (isa<arith::AddIOp>(op) && linear == 1)
    return Motion::Linear;
  if (isa<arith::SubIOp>(op) && linear == 1 &&
      of(op->getOperand(0)) == Motion::Linear)
    return Motion::Linear;
  // A narrower integer has the low digits of the counter, and of all sums.
  if (isa<arith::IndexCastOp>(op) && !op->getResult(0).getType().isIndex())
    return Motion::Linear;
  if (isa<arith::IndexCastOp>(op) && op->getResult(0).getType().isIndex() &&
      op->getOperand(0).getType().isInteger(64))
    return Motion::Linear;
  return Motion::Varying;
}

namespace {
bool isVectorElement(Type type) {
  if (type.isIndex())
    return true;
  if (auto integer = dyn_cast<IntegerType>(type))
    return integer.getWidth() == 1 || integer.getWidth() == 8 ||
           integer.getWidth() == 16 || integer.getWidth() == 32 ||
           integer.getWidth() == 64;
  return isa<Float32Type, Float64Type, Float16Type, BFloat16Type>(type);
}

/// Integer divisions become float divisions of twice the width, except by
/// constants.
bool isWideDivision(Operation &op) {
  return isa<arith::DivSIOp, arith::DivUIOp, arith::FloorDivSIOp,
             arith::CeilDivSIOp, arith::CeilDivUIOp, arith::RemSIOp,
             arith::RemUIOp>(op) &&
         !matchPattern(op.getOperand(1), m_Constant());
}

/// Functions that cost about as much as a sum.
bool isInstruction(Operation &op) {
  return isa<math::AbsFOp, math::AbsIOp, math::SqrtOp, math::FmaOp,
             math::FloorOp, math::CeilOp, math::RoundEvenOp, math::TruncOp,
             math::CopySignOp>(op);
}

/// Whether the operation takes the same time for all numbers, those in unused
/// lanes too.
bool isMaskable(Operation &op) {
  if (isa<CheckedDivisorOp, arith::RemFOp>(op) || isWideDivision(op))
    return false;
  if (!isa<math::MathDialect>(op.getDialect()) || isInstruction(op))
    return true;
  return getElementTypeOrSelf(op.getResult(0).getType()).isF32() &&
         isa<math::ExpOp, math::ExpM1Op, math::LogOp, math::Log1pOp,
             math::TanhOp, math::ErfOp, math::AsinOp, math::AcosOp,
             math::AtanOp, math::SinOp, math::CosOp, math::TanOp, math::SinhOp,
             math::CoshOp, math::AsinhOp, math::AcoshOp, math::AtanhOp,
             math::PowFOp, math::RoundOp>(op);
}

/// Whether a part of a vector of such elements can be loaded and stored.
bool isMaskableElement(Type type) {
  if (auto integer = dyn_cast<IntegerType>(type))
    return integer.getWidth() >= 8;
  return type.isF32() || type.isF64();
}

/// Whether the block's varying operations can be vectorized; adds them to the
/// cost.
bool vectorizable(const LoopNest &nest, Block &block, MotionAnalysis &motion,
                  VectorCost &cost) {
  for (Operation &op : block.without_terminator()) {
    bool varies = llvm::any_of(op.getResults(), [&](Value result) {
      return motion.of(result) != Motion::Invariant;
    });
    if (op.getNumResults() == 0)
      return false;
    if (!varies)
      continue;
    for (Type type : op.getResultTypes())
      if (!isVectorElement(type))
        return false;
    if (isa<linalg::IndexOp>(op))
      continue;
    if (auto load = dyn_cast<memref::LoadOp>(op)) {
      cost.gathered += !motion.isContiguous(load);
      cost.maskable &= motion.isContiguous(load) &&
                       isMaskableElement(load.getResult().getType());
      cost.width = std::max(cost.width,
                            load.getResult().getType().getIntOrFloatBitWidth());
      continue;
    }
    if (auto branch = dyn_cast<scf::IfOp>(op)) {
      if (!motion.invariant(branch.getCondition()) || !branch.elseBlock())
        return false;
      if (!vectorizable(nest, *branch.thenBlock(), motion, cost) ||
          (!nest.holds(branch.getCondition()) &&
           !vectorizable(nest, *branch.elseBlock(), motion, cost)))
        return false;
      continue;
    }
    if (!OpTrait::hasElementwiseMappableTraits(&op) &&
        !isa<CheckedDivisorOp>(op))
      return false;
    if (motion.of(op.getResult(0)) == Motion::Linear)
      continue;
    cost.math += isa<math::MathDialect>(op.getDialect()) && !isInstruction(op);
    cost.maskable &= isMaskable(op);
    ++cost.ops;
    for (Type type : op.getResultTypes())
      if (type.isIntOrFloat() && !type.isInteger(1) && !type.isInteger(64))
        cost.width = std::max(cost.width, type.getIntOrFloatBitWidth() *
                                              (isWideDivision(op) ? 2 : 1));
  }
  return true;
}
} // namespace

VectorCost hone::vectorCost(const LoopNest &nest, unsigned dim) {
  VectorCost cost;
  for (unsigned i = 0, n = nest.accesses.size(); i < n; ++i) {
    const NestAccess &access = nest.accesses[i];
    bool isOutput = i >= nest.numInputs();
    if (access.isScalar() || (!isOutput && !nest.walks(i, dim)))
      continue;
    if (!isVectorElement(access.elementType()) ||
        access.elementType().isIndex())
      return cost;
    cost.width =
        std::max(cost.width, access.elementType().getIntOrFloatBitWidth());
    std::optional<int64_t> stride = nest.stride(i, dim);
    cost.maskable &= access.repeat == 1 && (stride == 0 || stride == 1) &&
                     isMaskableElement(access.elementType());
    if (isOutput && nest.isReduced(i - nest.numInputs()) &&
        nest.dims[dim].reduction) {
      // Lanes hold partial sums, which only known operations can combine.
      Operation *combiner = combinerOf(nest, i - nest.numInputs());
      if (!combiner || !neutralOf(combiner))
        return cost;
      continue;
    }
    if (nest.stride(i, dim) == access.repeat)
      continue;
    if (isOutput)
      return cost;
    ++cost.strided;
  }
  MotionAnalysis motion(nest, dim);
  cost.possible = vectorizable(nest, nest.op.getRegion().front(), motion, cost);
  return cost;
}

int hone::chooseVectorDim(const LoopNest &nest) {
  int best = -1;
  int64_t bestScore = std::numeric_limits<int64_t>::min();
  for (unsigned i = 0; i < nest.dims.size(); ++i) {
    VectorCost cost = vectorCost(nest, i);
    std::optional<int64_t> extent = nest.extent(i);
    // Gathering pays off only if much is computed from the elements or their
    // indices.
    if (!cost.possible || (cost.strided > 0 && cost.math == 0) ||
        cost.ops + 10 * cost.math < tuning::kGatherOps * cost.gathered ||
        (extent && *extent < 4))
      continue;
    // Longer dimensions are better; ties go to the inner one.
    int64_t score = -16 * (cost.strided + cost.gathered) +
                    (extent ? std::min<int64_t>(*extent, 64) / 16 : 4);
    if (score >= bestScore) {
      best = i;
      bestScore = score;
    }
  }
  return best;
}

int hone::chooseRepeatedDim(const LoopNest &nest, unsigned vectorDim) {
  int best = -1;
  int64_t most = tuning::kRepeatedOps - 1;
  MotionAnalysis along(nest, vectorDim);
  for (unsigned i = 0; i < nest.dims.size(); ++i) {
    if (i == vectorDim || nest.dims[i].reduction ||
        nest.extent(i).value_or(2) < 2)
      continue;
    MotionAnalysis across(nest, i);
    int64_t same = 0;
    nest.op.getRegion().walk([&](Operation *op) {
      same += op->getNumResults() == 1 && op->getNumRegions() == 0 &&
              along.of(op->getResult(0)) == Motion::Varying &&
              across.invariant(op->getResult(0));
    });
    if (same > most) {
      best = i;
      most = same;
    }
  }
  return best;
}

/// The varying terms of a conjunction.
static void varyingTerms(Value condition, MotionAnalysis &motion,
                         llvm::SetVector<Value> &terms) {
  if (motion.invariant(condition))
    return;
  auto both = condition.getDefiningOp<arith::AndIOp>();
  if (!both) {
    terms.insert(condition);
    return;
  }
  varyingTerms(both.getLhs(), motion, terms);
  varyingTerms(both.getRhs(), motion, terms);
}

/// Whether the value is arithmetic on coordinates and values from above.
static bool isOfCoordinates(Value value, Region &body) {
  if (!body.isAncestor(value.getParentRegion()))
    return true;
  Operation *op = value.getDefiningOp();
  return op && (isa<linalg::IndexOp>(op) ||
                (isa<arith::ArithDialect>(op->getDialect()) &&
                 llvm::all_of(op->getOperands(), [&](Value operand) {
                   return isOfCoordinates(operand, body);
                 })));
}

SmallVector<arith::CmpIOp> hone::rangeConditions(const LoopNest &nest,
                                                 unsigned dim) {
  MotionAnalysis motion(nest, dim);
  Region &body = nest.op.getRegion();
  llvm::SetVector<Value> terms;
  for (auto branch : body.front().getOps<scf::IfOp>())
    varyingTerms(branch.getCondition(), motion, terms);
  SmallVector<arith::CmpIOp> conditions;
  for (Value term : terms) {
    auto compare = term.getDefiningOp<arith::CmpIOp>();
    if (!compare ||
        !llvm::is_contained(
            {arith::CmpIPredicate::sge, arith::CmpIPredicate::slt},
            compare.getPredicate()) ||
        !compare.getLhs().getType().isIndex() ||
        motion.of(compare.getLhs()) != Motion::Linear ||
        !motion.invariant(compare.getRhs()) || !isOfCoordinates(term, body))
      return {};
    conditions.push_back(compare);
  }
  return conditions;
}

/// The value at 0 along `dim`.
static Value valueAtStart(Emitter &e, const LoopNest &nest, unsigned dim,
                          Value value) {
  if (!nest.op.getRegion().isAncestor(value.getParentRegion()))
    return value;
  Operation *op = value.getDefiningOp();
  if (auto index = dyn_cast<linalg::IndexOp>(op)) {
    bool isLinear = llvm::is_contained(nest.dims[dim].loops, index.getDim());
    return isLinear ? e.cst(0) : nest.indices[index.getDim()];
  }
  IRMapping mapping;
  for (Value operand : op->getOperands())
    mapping.map(operand, valueAtStart(e, nest, dim, operand));
  SmallVector<Value> results;
  Operation *clone = e.builder.clone(*op, mapping);
  if (succeeded(e.builder.tryFold(clone, results)) && !results.empty()) {
    clone->erase();
    return results.front();
  }
  return clone->getResult(0);
}

std::pair<Value, Value> hone::rangeOf(Emitter &e, const LoopNest &nest,
                                      unsigned dim,
                                      ArrayRef<arith::CmpIOp> conditions) {
  Value low = e.cst(0), high = nest.dims[dim].extent;
  for (arith::CmpIOp compare : conditions) {
    Value bound = e.sub(valueAtStart(e, nest, dim, compare.getRhs()),
                        valueAtStart(e, nest, dim, compare.getLhs()));
    if (compare.getPredicate() == arith::CmpIPredicate::sge)
      low = e.max(low, bound);
    else
      high = e.min(high, bound);
  }
  return {low, high};
}
