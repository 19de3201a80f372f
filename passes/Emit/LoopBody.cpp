// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Bodies of loop nests: invariant values are emitted once, linear ones are
// scalars, and only the rest needs vectors.
#include "passes/Emit/LoopBody.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Emit/LoopMotion.h"

using namespace mlir;
using namespace hone;

/// One emission of the body.
struct LoopBody::Instance {
  Instance(const LoopNest &nest, Value iv, int64_t lanes, Value mask)
      : motion(nest, nest.dims.empty() ? -1 : 0), iv(iv), lanes(lanes),
        mask(mask) {}
  MotionAnalysis motion;
  Value iv;
  int64_t lanes;
  Value mask;        ///< Of the lanes in use, or null for all.
  IRMapping scalars; ///< First lane of invariant and linear values.
  IRMapping vectors; ///< Of varying values; scalars if `lanes` is 1.
};

LoopBody::LoopBody(Emitter &e, const LoopNest &nest)
    : e(e), nest(nest), block(nest.op.getRegion().front()) {
  assert(nest.dims.size() <= 1 && "outer loops must be fixed");
  MotionAnalysis motion(nest, nest.dims.empty() ? -1 : 0);
  for (unsigned i = 0; i < nest.numInputs(); ++i) {
    BlockArgument argument = block.getArgument(i);
    if (motion.invariant(argument) && !argument.use_empty())
      invariants.map(argument, load(i, Value(), 1, Value()));
  }
  for (Operation *comparison : nest.assumed)
    invariants.map(
        comparison->getResult(0),
        arith::ConstantIntOp::create(e.builder, e.loc, 1, 1).getResult());
  for (Operation &op : block.without_terminator()) {
    if (nest.assumed.contains(&op))
      continue;
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

/// Contiguous elements.
static Value loadVector(Emitter &e, VectorType type, Value memref,
                        ValueRange indices, Value mask) {
  if (!mask)
    return vector::LoadOp::create(e.builder, e.loc, type, memref, indices);
  return vector::MaskedLoadOp::create(e.builder, e.loc, type, memref, indices,
                                      mask, e.zero(type));
}

Value LoopBody::load(unsigned operand, Value iv, int64_t lanes, Value mask) {
  const NestAccess &access = nest.accesses[operand];
  if (access.isScalar())
    return access.source;
  Value offset = access.base;
  if (iv && !nest.dims.empty())
    offset = e.add(offset, e.mul(iv, access.strides[0]));
  if (lanes == 1 || nest.stride(operand, 0) == 1)
    return access.load(e, offset, lanes, mask);
  assert(!mask && "lanes past the end would be read");
  SmallVector<Value> elements;
  for (int64_t lane = 0; lane < lanes; ++lane) {
    elements.push_back(
        memref::LoadOp::create(e.builder, e.loc, access.flat, offset));
    offset = e.add(offset, access.strides[0]);
  }
  return vector::FromElementsOp::create(
      e.builder, e.loc, VectorType::get(lanes, access.elementType()), elements);
}

/// Repeats each element of a vector, or a scalar, `times` times.
static Value repeated(Emitter &e, Value value, int64_t times) {
  auto vector = dyn_cast<VectorType>(value.getType());
  if (!vector)
    return vector::BroadcastOp::create(
        e.builder, e.loc, VectorType::get(times, value.getType()), value);
  SmallVector<int64_t> lanes;
  for (int64_t lane = 0; lane < vector.getNumElements(); ++lane)
    lanes.append(times, lane);
  return vector::ShuffleOp::create(e.builder, e.loc, value, value, lanes);
}

void LoopBody::store(unsigned output, Value iv, Value value, Value mask) {
  const NestAccess &access = nest.output(output);
  Value offset = access.base;
  if (iv && !nest.dims.empty())
    offset = e.add(offset, e.mul(iv, access.strides[0]));
  if (access.repeat > 1)
    value = repeated(e, value, access.repeat);
  access.store(e, offset, value, mask);
}

Value LoopBody::scalar(Instance &instance, Value value) {
  if (Value known = instance.scalars.lookupOrNull(value))
    return known;
  if (Value known = invariants.lookupOrNull(value))
    return known;
  Motion motion = instance.motion.of(value);
  Operation *op = value.getDefiningOp();
  if (motion == Motion::Linear) {
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
  if (instance.motion.of(value) == Motion::Linear) {
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

/// Loads elements that are not contiguous. What differs between lanes is
/// separate from what they share, which may change in an inner loop.
Value LoopBody::gather(Instance &instance, memref::LoadOp load) {
  Value buffer = scalar(instance, load.getMemRef()), shared;
  SmallVector<Value> strides;
  getLayout(e, buffer, shared, strides);
  Value own,
      counted = e.cst(0); // vector of indices, and the increment per lane
  for (auto [index, stride] : llvm::zip_equal(load.getIndices(), strides)) {
    Motion motion = instance.motion.of(index);
    if (motion == Motion::Linear)
      counted = e.add(counted, stride);
    if (motion != Motion::Varying) {
      shared = e.add(shared, e.mul(scalar(instance, index), stride));
      continue;
    }
    Value places = vector(instance, index);
    if (constantOf(stride) != 1)
      places =
          e.product(places, vector::BroadcastOp::create(
                                e.builder, e.loc, places.getType(), stride));
    own = own ? e.sum(own, places) : places;
  }
  Value flat = flatView(e, rootOf(buffer));
  SmallVector<Value> elements;
  for (int64_t lane = 0; lane < instance.lanes; ++lane) {
    Value place = e.mul(counted, lane);
    if (own)
      place =
          e.add(place, vector::ExtractOp::create(e.builder, e.loc, own, lane));
    elements.push_back(
        memref::LoadOp::create(e.builder, e.loc, flat, e.add(shared, place)));
  }
  return vector::FromElementsOp::create(
      e.builder, e.loc, VectorType::get(instance.lanes, load.getType()),
      elements);
}

/// One check for all lanes; zeros are replaced by 1.
Value LoopBody::checkDivisors(Instance &instance,
                              graph::CheckedDivisorOp check) {
  Value divisors = vector(instance, check.getDivisor());
  Type type = divisors.getType(), element = check.getDivisor().getType();
  Value isZero =
      e.cmp(arith::CmpIPredicate::eq, divisors, e.zero(divisors.getType()));
  Value any = vector::ReductionOp::create(e.builder, e.loc,
                                          vector::CombiningKind::OR, isZero);
  Value one = arith::ConstantOp::create(e.builder, e.loc,
                                        e.builder.getIntegerAttr(element, 1));
  Value sample =
      arith::SelectOp::create(e.builder, e.loc, any, e.zero(element), one);
  auto scalarCheck = graph::CheckedDivisorOp::create(e.builder, e.loc, sample);
  scalarCheck->setDiscardableAttrs(check->getDiscardableAttrDictionary());
  Value ones = vector::BroadcastOp::create(e.builder, e.loc, type,
                                           scalarCheck.getResult());
  return arith::SelectOp::create(e.builder, e.loc, isZero, ones, divisors);
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
    return; // a linear one is materialized where it is used
  }
  if (op->getNumResults() == 1 && motion.of(op->getResult(0)) == Motion::Linear)
    return;
  if (auto branch = dyn_cast<scf::IfOp>(op);
      branch && nest.holds(branch.getCondition())) {
    Block &taken = *branch.thenBlock();
    emitBlock(instance, taken);
    for (auto [from, to] : llvm::zip_equal(
             op->getResults(), taken.getTerminator()->getOperands()))
      if (invariant)
        instance.scalars.map(from, scalar(instance, to));
      else
        instance.vectors.map(from, vector(instance, to));
    return;
  }
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
      // Values emitted on one side are not available on the other.
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
    if (!motion.isContiguous(load)) {
      instance.vectors.map(load.getResult(), gather(instance, load));
      return;
    }
    SmallVector<Value> indices;
    for (Value index : load.getIndices())
      indices.push_back(scalar(instance, index));
    auto type = VectorType::get(instance.lanes, load.getType());
    instance.vectors.map(load.getResult(),
                         loadVector(e, type, scalar(instance, load.getMemRef()),
                                    indices, instance.mask));
    return;
  }
  if (auto check = dyn_cast<graph::CheckedDivisorOp>(op)) {
    instance.vectors.map(check.getResult(), checkDivisors(instance, check));
    return;
  }
  SmallVector<Value> operands;
  for (Value operand : op->getOperands())
    operands.push_back(vector(instance, operand));
  // A uniform condition selects between vectors.
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
                                  const DenseMap<unsigned, Value> *overrides,
                                  Value mask) {
  Instance instance(nest, iv, lanes, mask);
  for (unsigned i = 0; i < nest.numInputs(); ++i) {
    BlockArgument argument = block.getArgument(i);
    if (argument.use_empty() || invariants.contains(argument))
      continue;
    Value given = overrides ? overrides->lookup(i) : Value();
    instance.vectors.map(argument, given ? given : load(i, iv, lanes, mask));
  }
  unsigned outputs = nest.accesses.size() - nest.numInputs();
  for (unsigned i = 0, next = 0; i < outputs; ++i) {
    BlockArgument argument = block.getArgument(nest.numInputs() + i);
    if (nest.isReduced(i))
      instance.vectors.map(argument, accumulators[next++]);
    else if (!argument.use_empty())
      instance.vectors.map(argument,
                           load(nest.numInputs() + i, iv, lanes, mask));
  }
  emitBlock(instance, block);
  SmallVector<Value> carried;
  Operation *yield = block.getTerminator();
  for (unsigned i = 0; i < outputs; ++i) {
    Value value = vector(instance, yield->getOperand(i));
    if (!nest.isReduced(i)) {
      store(i, iv, value, mask);
      continue;
    }
    if (mask)
      value = arith::SelectOp::create(e.builder, e.loc, mask, value,
                                      accumulators[carried.size()]);
    carried.push_back(value);
  }
  return carried;
}
