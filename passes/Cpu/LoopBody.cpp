// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Bodies of loop nests. Along the loop that vectors are made of, a value stays
// the same, counts up by one, or varies; only the last kind needs a vector.
#include "passes/Cpu/LoopBody.h"

#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace hone;
using namespace hone::graph;

namespace {
enum class Motion { Invariant, Counting, Varying };

/// Decides how values of a body move along one dimension of a nest.
class MotionAnalysis {
public:
  /// `dim` is -1 where no dimension is left.
  MotionAnalysis(const LoopNest &nest, int dim) : nest(nest), dim(dim) {}

  Motion of(Value value) {
    auto known = motions.find(value);
    if (known != motions.end())
      return known->second;
    Motion motion = compute(value);
    motions[value] = motion;
    return motion;
  }

  bool invariant(Value value) { return of(value) == Motion::Invariant; }

  /// A load whose elements lie beside each other along the dimension.
  bool isContiguous(memref::LoadOp load) {
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
    return of(load.getIndices().back()) == Motion::Counting;
  }

private:
  Motion compute(Value value) {
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
    if (auto index = dyn_cast<linalg::IndexOp>(op)) {
      bool counts =
          dim >= 0 && llvm::is_contained(nest.dims[dim].loops, index.getDim());
      return counts ? Motion::Counting : Motion::Invariant;
    }
    Motion most = Motion::Invariant;
    int counting = 0;
    op->walk([&](Operation *nested) {
      for (Value operand : nested->getOperands()) {
        if (op->isAncestor(operand.getParentBlock()->getParentOp()))
          continue;
        Motion motion = of(operand);
        most = std::max(most, motion);
        counting += motion == Motion::Counting;
      }
      if (nested != op && isa<linalg::IndexOp>(nested))
        most = std::max(most, of(nested->getResult(0)));
    });
    if (most != Motion::Counting)
      return most;
    // i + c, c + i, i - c and conversions between index types count up too.
    if (isa<arith::AddIOp>(op) && counting == 1)
      return Motion::Counting;
    if (isa<arith::SubIOp>(op) && counting == 1 &&
        of(op->getOperand(0)) == Motion::Counting)
      return Motion::Counting;
    if (isa<arith::IndexCastOp>(op) &&
        getElementTypeOrSelf(op->getResult(0)).isInteger(64))
      return Motion::Counting;
    if (isa<arith::IndexCastOp>(op) && op->getResult(0).getType().isIndex() &&
        op->getOperand(0).getType().isInteger(64))
      return Motion::Counting;
    return Motion::Varying;
  }

  const LoopNest &nest;
  int dim;
  DenseMap<Value, Motion> motions;
};

bool isVectorElement(Type type) {
  if (type.isIndex())
    return true;
  if (auto integer = dyn_cast<IntegerType>(type))
    return integer.getWidth() == 1 || integer.getWidth() == 8 ||
           integer.getWidth() == 16 || integer.getWidth() == 32 ||
           integer.getWidth() == 64;
  return isa<Float32Type, Float64Type, Float16Type, BFloat16Type>(type);
}

/// Whether the block's operations that vary can work on vectors; adds to the
/// cost what they are.
bool vectorizable(Block &block, MotionAnalysis &motion, VectorCost &cost) {
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
      if (!motion.isContiguous(load))
        return false;
      cost.width = std::max(cost.width,
                            load.getResult().getType().getIntOrFloatBitWidth());
      continue;
    }
    if (auto branch = dyn_cast<scf::IfOp>(op)) {
      if (!motion.invariant(branch.getCondition()) || !branch.elseBlock())
        return false;
      if (!vectorizable(*branch.thenBlock(), motion, cost) ||
          !vectorizable(*branch.elseBlock(), motion, cost))
        return false;
      continue;
    }
    if (!OpTrait::hasElementwiseMappableTraits(&op))
      return false;
    if (motion.of(op.getResult(0)) == Motion::Counting)
      continue;
    bool isMath = isa<math::MathDialect>(op.getDialect()) &&
                  !isa<math::AbsFOp, math::AbsIOp, math::SqrtOp, math::FmaOp,
                       math::FloorOp, math::CeilOp, math::RoundEvenOp,
                       math::TruncOp, math::CopySignOp>(op);
    cost.math += isMath;
    ++cost.ops;
    for (Type type : op.getResultTypes())
      if (type.isIntOrFloat() && !type.isInteger(1) && !type.isInteger(64))
        cost.width = std::max(cost.width, type.getIntOrFloatBitWidth());
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
    if (isOutput && nest.isReduced(i - nest.numInputs()) &&
        nest.dims[dim].reduction) {
      // Lanes hold parts of one sum; they can be combined only by a known
      // operation.
      Operation *combiner = combinerOf(nest, i - nest.numInputs());
      if (!combiner || !neutralOf(combiner))
        return cost;
      continue;
    }
    if (nest.stride(i, dim) == 1)
      continue;
    if (isOutput)
      return cost;
    ++cost.strided;
  }
  MotionAnalysis motion(nest, dim);
  cost.possible = vectorizable(nest.op.getRegion().front(), motion, cost);
  return cost;
}

Operation *hone::combinerOf(const LoopNest &nest, unsigned output) {
  linalg::GenericOp op = nest.op;
  Block &block = op.getRegion().front();
  BlockArgument accumulator = block.getArgument(nest.numInputs() + output);
  Value yielded = block.getTerminator()->getOperand(output);
  Operation *combiner = yielded.getDefiningOp();
  if (!combiner || !accumulator.hasOneUse() || combiner->getBlock() != &block ||
      *accumulator.user_begin() != combiner || !yielded.hasOneUse())
    return nullptr;
  return combiner->getNumOperands() == 2 && combiner->getNumResults() == 1
             ? combiner
             : nullptr;
}

TypedAttr hone::neutralOf(Operation *combiner) {
  Type type = combiner->getResult(0).getType();
  Builder builder(type.getContext());
  auto floatAttr = [&](APFloat (*make)(const llvm::fltSemantics &, bool),
                       bool negative) -> TypedAttr {
    return builder.getFloatAttr(
        type, make(cast<FloatType>(type).getFloatSemantics(), negative));
  };
  auto intAttr = [&](APInt value) -> TypedAttr {
    return builder.getIntegerAttr(type, value);
  };
  unsigned width = type.isIntOrFloat() ? type.getIntOrFloatBitWidth() : 0;
  return TypeSwitch<Operation *, TypedAttr>(combiner)
      .Case<arith::AddFOp>([&](auto) {
        // -0 is the neutral element, but sums that start from 0 never see the
        // difference.
        return builder.getFloatAttr(type, 0.0);
      })
      .Case<arith::MulFOp>(
          [&](auto) { return builder.getFloatAttr(type, 1.0); })
      .Case<arith::MaximumFOp>(
          [&](auto) { return floatAttr(APFloat::getInf, true); })
      .Case<arith::MinimumFOp>(
          [&](auto) { return floatAttr(APFloat::getInf, false); })
      .Case<arith::AddIOp, arith::OrIOp, arith::XOrIOp, arith::MaxUIOp>(
          [&](auto) { return intAttr(APInt::getZero(width)); })
      .Case<arith::MulIOp>([&](auto) { return intAttr(APInt(width, 1)); })
      .Case<arith::AndIOp, arith::MinUIOp>(
          [&](auto) { return intAttr(APInt::getAllOnes(width)); })
      .Case<arith::MaxSIOp>(
          [&](auto) { return intAttr(APInt::getSignedMinValue(width)); })
      .Case<arith::MinSIOp>(
          [&](auto) { return intAttr(APInt::getSignedMaxValue(width)); })
      .Default([](Operation *) { return TypedAttr(); });
}

Value hone::applyCombiner(Emitter &e, Operation *combiner, Value a, Value b) {
  OperationState state(e.loc, combiner->getName(), {a, b}, {a.getType()},
                       combiner->getDiscardableAttrDictionary().getValue());
  state.propertiesAttr = combiner->getPropertiesAsAttribute();
  return e.builder.create(state)->getResult(0);
}

Value hone::reduceVector(Emitter &e, Operation *combiner, Value vector) {
  using K = vector::CombiningKind;
  auto kind =
      TypeSwitch<Operation *, K>(combiner)
          .Case<arith::AddFOp, arith::AddIOp>([](auto) { return K::ADD; })
          .Case<arith::MulFOp, arith::MulIOp>([](auto) { return K::MUL; })
          .Case<arith::MaximumFOp>([](auto) { return K::MAXIMUMF; })
          .Case<arith::MinimumFOp>([](auto) { return K::MINIMUMF; })
          .Case<arith::OrIOp>([](auto) { return K::OR; })
          .Case<arith::XOrIOp>([](auto) { return K::XOR; })
          .Case<arith::AndIOp>([](auto) { return K::AND; })
          .Case<arith::MaxUIOp>([](auto) { return K::MAXUI; })
          .Case<arith::MinUIOp>([](auto) { return K::MINUI; })
          .Case<arith::MaxSIOp>([](auto) { return K::MAXSI; })
          .Default([](Operation *) { return K::MINSI; });
  return vector::ReductionOp::create(e.builder, e.loc, kind, vector);
}

//===--------------------------------------------------------------------===//

/// One run of the body.
struct LoopBody::Instance {
  Instance(const LoopNest &nest, Value iv, int64_t lanes)
      : motion(nest, nest.dims.empty() ? -1 : 0), iv(iv), lanes(lanes) {}
  MotionAnalysis motion;
  Value iv;
  int64_t lanes;
  IRMapping scalars; ///< First lane of invariant and counting values.
  IRMapping vectors; ///< Of varying values; scalars where `lanes` is 1.
};

LoopBody::LoopBody(Emitter &e, const LoopNest &nest)
    : e(e), nest(nest), block(nest.op.getRegion().front()) {
  assert(nest.dims.size() <= 1 && "outer loops must be fixed");
  MotionAnalysis motion(nest, nest.dims.empty() ? -1 : 0);
  for (unsigned i = 0; i < nest.numInputs(); ++i) {
    BlockArgument argument = block.getArgument(i);
    if (motion.invariant(argument) && !argument.use_empty())
      invariants.map(argument, load(i, Value(), 1));
  }
  for (Operation &op : block.without_terminator()) {
    if (auto index = dyn_cast<linalg::IndexOp>(op)) {
      if (motion.invariant(index))
        invariants.map(index.getResult(), nest.indices[index.getDim()]);
      continue;
    }
    bool invariant = op.getNumResults() > 0 &&
                     llvm::all_of(op.getResults(), [&](Value result) {
                       return motion.invariant(result);
                     });
    if (!invariant)
      continue;
    Operation *clone = e.builder.clone(op, invariants);
    clone->walk([&](linalg::IndexOp index) {
      index.replaceAllUsesWith(nest.indices[index.getDim()]);
    });
  }
}

Value LoopBody::load(unsigned operand, Value iv, int64_t lanes) {
  const NestAccess &access = nest.accesses[operand];
  if (access.isScalar())
    return access.source;
  Value offset = access.base;
  if (iv && !nest.dims.empty())
    offset = e.add(offset, e.mul(iv, access.strides[0]));
  if (lanes == 1)
    return memref::LoadOp::create(e.builder, e.loc, access.flat, offset);
  auto type = VectorType::get(lanes, access.elementType());
  if (nest.stride(operand, 0) == 1)
    return vector::LoadOp::create(e.builder, e.loc, type, access.flat, offset);
  SmallVector<Value> elements;
  for (int64_t lane = 0; lane < lanes; ++lane) {
    elements.push_back(
        memref::LoadOp::create(e.builder, e.loc, access.flat, offset));
    offset = e.add(offset, access.strides[0]);
  }
  return vector::FromElementsOp::create(e.builder, e.loc, type, elements);
}

void LoopBody::store(unsigned output, Value iv, Value value) {
  const NestAccess &access = nest.output(output);
  Value offset = access.base;
  if (iv && !nest.dims.empty())
    offset = e.add(offset, e.mul(iv, access.strides[0]));
  if (isa<VectorType>(value.getType()))
    vector::StoreOp::create(e.builder, e.loc, value, access.flat, offset);
  else
    memref::StoreOp::create(e.builder, e.loc, value, access.flat, offset);
}

Value LoopBody::scalar(Instance &instance, Value value) {
  if (Value known = instance.scalars.lookupOrNull(value))
    return known;
  if (Value known = invariants.lookupOrNull(value))
    return known;
  Motion motion = instance.motion.of(value);
  Operation *op = value.getDefiningOp();
  if (motion == Motion::Counting) {
    if (isa<linalg::IndexOp>(op)) {
      instance.scalars.map(value, instance.iv);
      return instance.iv;
    }
    for (Value operand : op->getOperands())
      scalar(instance, operand);
    IRMapping mapping;
    for (Value operand : op->getOperands())
      mapping.map(operand, scalar(instance, operand));
    Value result = e.builder.clone(*op, mapping)->getResult(0);
    instance.scalars.map(value, result);
    return result;
  }
  if (motion == Motion::Varying) // only where there are no vectors
    return instance.vectors.lookup(value);
  return value; // from above the operation
}

Value LoopBody::vector(Instance &instance, Value value) {
  if (instance.lanes == 1) {
    Value known = instance.vectors.lookupOrNull(value);
    return known ? known : scalar(instance, value);
  }
  if (Value known = instance.vectors.lookupOrNull(value))
    return known;
  Value first = scalar(instance, value);
  auto type = VectorType::get(instance.lanes, first.getType());
  Value result = vector::BroadcastOp::create(e.builder, e.loc, type, first);
  if (instance.motion.of(value) == Motion::Counting) {
    SmallVector<Attribute> steps;
    for (int64_t lane = 0; lane < instance.lanes; ++lane)
      steps.push_back(e.builder.getIntegerAttr(first.getType(), lane));
    Value step = arith::ConstantOp::create(e.builder, e.loc,
                                           DenseElementsAttr::get(type, steps));
    result = arith::AddIOp::create(e.builder, e.loc, result, step);
  }
  instance.vectors.map(value, result);
  return result;
}

void LoopBody::emitOp(Instance &instance, Operation *op) {
  MotionAnalysis &motion = instance.motion;
  bool invariant = op->getNumResults() > 0 &&
                   llvm::all_of(op->getResults(), [&](Value result) {
                     return motion.invariant(result);
                   });
  if (invariant && invariants.contains(op->getResult(0)))
    return;
  if (auto index = dyn_cast<linalg::IndexOp>(op)) {
    if (invariant)
      instance.scalars.map(index.getResult(), nest.indices[index.getDim()]);
    return; // a counting one is made where it is used
  }
  if (op->getNumResults() == 1 &&
      motion.of(op->getResult(0)) == Motion::Counting)
    return;
  if (auto branch = dyn_cast<scf::IfOp>(op)) {
    SmallVector<Type> types;
    for (Type type : op->getResultTypes())
      types.push_back(instance.lanes == 1 || invariant
                          ? type
                          : VectorType::get(instance.lanes, type));
    // It varies only where there are no vectors.
    auto clone = scf::IfOp::create(e.builder, e.loc, types,
                                   scalar(instance, branch.getCondition()),
                                   branch.elseBlock() != nullptr);
    for (auto [from, to] :
         llvm::zip_equal(branch->getRegions(), clone->getRegions())) {
      if (from.empty())
        continue;
      OpBuilder::InsertionGuard guard(e.builder);
      e.builder.setInsertionPointToStart(&to.front());
      // What is emitted on one side is not there on the other.
      IRMapping scalars = instance.scalars, vectors = instance.vectors;
      emitBlock(instance, from.front());
      SmallVector<Value> yielded;
      for (Value value : from.front().getTerminator()->getOperands())
        yielded.push_back(invariant ? scalar(instance, value)
                                    : vector(instance, value));
      if (!yielded.empty())
        scf::YieldOp::create(e.builder, e.loc, yielded);
      instance.scalars = scalars;
      instance.vectors = vectors;
    }
    for (auto [from, to] :
         llvm::zip_equal(op->getResults(), clone->getResults()))
      (invariant ? instance.scalars : instance.vectors).map(from, to);
    return;
  }
  if (invariant || instance.lanes == 1) {
    IRMapping mapping;
    op->walk([&](Operation *nested) {
      for (Value operand : nested->getOperands())
        if (!op->isAncestor(operand.getParentBlock()->getParentOp()))
          mapping.map(operand, scalar(instance, operand));
    });
    Operation *clone = e.builder.clone(*op, mapping);
    clone->walk([&](linalg::IndexOp index) {
      Value fixed = nest.indices[index.getDim()];
      index.replaceAllUsesWith(fixed ? fixed : instance.iv);
    });
    for (auto [from, to] :
         llvm::zip_equal(op->getResults(), clone->getResults()))
      (invariant ? instance.scalars : instance.vectors).map(from, to);
    return;
  }
  if (auto load = dyn_cast<memref::LoadOp>(op)) {
    SmallVector<Value> indices;
    for (Value index : load.getIndices())
      indices.push_back(scalar(instance, index));
    auto type = VectorType::get(instance.lanes, load.getType());
    instance.vectors.map(
        load.getResult(),
        vector::LoadOp::create(e.builder, e.loc, type,
                               scalar(instance, load.getMemRef()), indices)
            .getResult());
    return;
  }
  SmallVector<Value> operands;
  for (Value operand : op->getOperands())
    operands.push_back(vector(instance, operand));
  // A condition that is the same for all lanes chooses between vectors.
  if (isa<arith::SelectOp>(op) && motion.invariant(op->getOperand(0)))
    operands[0] = scalar(instance, op->getOperand(0));
  SmallVector<Type> types;
  for (Type type : op->getResultTypes())
    types.push_back(VectorType::get(instance.lanes, type));
  OperationState state(e.loc, op->getName(), operands, types,
                       op->getDiscardableAttrDictionary().getValue());
  state.propertiesAttr = op->getPropertiesAsAttribute();
  Operation *clone = e.builder.create(state);
  for (auto [from, to] : llvm::zip_equal(op->getResults(), clone->getResults()))
    instance.vectors.map(from, to);
}

void LoopBody::emitBlock(Instance &instance, Block &block) {
  for (Operation &op : block.without_terminator())
    emitOp(instance, &op);
}

SmallVector<Value> LoopBody::emit(Value iv, int64_t lanes,
                                  ValueRange accumulators,
                                  const DenseMap<unsigned, Value> *overrides) {
  Instance instance(nest, iv, lanes);
  for (unsigned i = 0; i < nest.numInputs(); ++i) {
    BlockArgument argument = block.getArgument(i);
    if (argument.use_empty() || invariants.contains(argument))
      continue;
    Value given = overrides ? overrides->lookup(i) : Value();
    instance.vectors.map(argument, given ? given : load(i, iv, lanes));
  }
  unsigned outputs = nest.accesses.size() - nest.numInputs();
  for (unsigned i = 0, next = 0; i < outputs; ++i) {
    BlockArgument argument = block.getArgument(nest.numInputs() + i);
    if (nest.isReduced(i))
      instance.vectors.map(argument, accumulators[next++]);
    else if (!argument.use_empty())
      instance.vectors.map(argument, load(nest.numInputs() + i, iv, lanes));
  }
  emitBlock(instance, block);
  SmallVector<Value> carried;
  Operation *yield = block.getTerminator();
  for (unsigned i = 0; i < outputs; ++i) {
    Value value = vector(instance, yield->getOperand(i));
    if (nest.isReduced(i))
      carried.push_back(value);
    else
      store(i, iv, value);
  }
  return carried;
}
