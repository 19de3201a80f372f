// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sums and the like: a map, a reduction, and the initial values.
#include "compiler/Import/Mlir/Raise/SpaceBody.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace hone;
using namespace hone::raise;

std::optional<Combination> Structured::combinationOf(const Operand &output) {
  using graph::ReduceKind;
  Operation *combiner = yieldOf(output).getDefiningOp();
  BlockArgument so_far = output.argument;
  if (!combiner || combiner->getBlock() != &body ||
      combiner->getNumOperands() != 2 ||
      combiner->getOperand(0) == combiner->getOperand(1) ||
      !llvm::is_contained(combiner->getOperands(), so_far) ||
      llvm::any_of(so_far.getUsers(), [&](Operation *user) {
        return user != combiner &&
               neededOps.contains(body.findAncestorOpInBlock(*user));
      }))
    return std::nullopt;
  bool isBool = so_far.getType().isInteger(1);
  Combination result;
  result.combiner = combiner;
  result.element =
      combiner->getOperand(combiner->getOperand(0) == so_far ? 1 : 0);
  if (isa<arith::AddFOp>(combiner) || (isa<arith::AddIOp>(combiner) && !isBool))
    result.kind = ReduceKind::Sum;
  else if (isa<arith::MulFOp>(combiner) ||
           (isa<arith::MulIOp>(combiner) && !isBool))
    result.kind = ReduceKind::Prod;
  else if (isa<arith::MaximumFOp, arith::MaxNumFOp>(combiner) ||
           (isa<arith::MaxSIOp>(combiner) && !isBool))
    result.kind = ReduceKind::Max;
  else if (isa<arith::MinimumFOp, arith::MinNumFOp>(combiner) ||
           (isa<arith::MinSIOp>(combiner) && !isBool))
    result.kind = ReduceKind::Min;
  else if (isa<arith::MaxUIOp>(combiner) ||
           (isa<arith::OrIOp>(combiner) && isBool))
    result.kind = ReduceKind::UMax;
  else if (isa<arith::MinUIOp>(combiner) ||
           (isa<arith::AndIOp>(combiner) && isBool))
    result.kind = ReduceKind::UMin;
  else
    return std::nullopt;
  if (so_far.getType().isIndex())
    return std::nullopt;
  result.skipsNan = isa<arith::MaxNumFOp, arith::MinNumFOp>(combiner);
  for (BlockArgument argument : argumentsOf(result.element, body))
    if (argument.getArgNumber() >= op.getNumDpsInputs())
      return std::nullopt;
  return result;
}

TypedAttr Structured::initialValue(const Operand &output) {
  Value tensor = output.old;
  if (auto fill = tensor.getDefiningOp<linalg::FillOp>()) {
    Attribute constant;
    if (matchPattern(fill.value(), m_Constant(&constant)))
      return dyn_cast<TypedAttr>(constant);
  }
  DenseElementsAttr dense;
  if (matchPattern(tensor, m_Constant(&dense)) && dense && dense.isSplat())
    return dyn_cast<TypedAttr>(dense.getSplatValue<Attribute>());
  return {};
}

/// Whether combining with it changes nothing.
static bool isNeutral(TypedAttr value, graph::ReduceKind kind) {
  using graph::ReduceKind;
  if (auto number = dyn_cast_or_null<FloatAttr>(value)) {
    const APFloat &x = number.getValue();
    return kind == ReduceKind::Sum    ? x.isZero()
           : kind == ReduceKind::Prod ? x.isExactlyValue(1)
           : kind == ReduceKind::Max  ? x.isInfinity() && x.isNegative()
                                      : x.isInfinity() && !x.isNegative();
  }
  auto number = dyn_cast_or_null<IntegerAttr>(value);
  if (!number)
    return false;
  const APInt &x = number.getValue();
  return kind == ReduceKind::Sum    ? x.isZero()
         : kind == ReduceKind::Prod ? x.isOne()
         : kind == ReduceKind::Max  ? x.isMinSignedValue()
         : kind == ReduceKind::Min  ? x.isMaxSignedValue()
         : kind == ReduceKind::UMax ? x.isZero()
                                    : x.isAllOnes();
}

LogicalResult Structured::defineReduced(const Operand &own, Value reduced,
                                        const Combination &combination) {
  if (isNeutral(initialValue(own), combination.kind)) {
    define(own, reduced);
    return success();
  }
  LogicalResult result = success();
  Operation *combined = r.mapOp(
      storageType(getElementTypeOrSelf(own.old)),
      ValueRange{own.tensor, reduced}, r.sizesOf(own.tensor),
      [&](OpBuilder &b, ValueRange elements) {
        raise::Body scalars(r, b, /*onHost=*/false);
        scalars.defineStored(own.argument, elements[0]);
        scalars.defineStored(combination.element, elements[1]);
        result = scalars.clone(combination.combiner);
        if (succeeded(result))
          graph::YieldOp::create(
              b, r.loc, scalars.stored(combination.combiner->getResult(0)));
      });
  define(own, combined->getResult(0));
  return result;
}

/// `value`, or what loses against every number if it is not one.
static Value withoutNan(OpBuilder &b, Location loc, Value value,
                        graph::ReduceKind kind) {
  auto type = cast<FloatType>(value.getType());
  Value lost = arith::ConstantOp::create(
      b, loc,
      b.getFloatAttr(type, APFloat::getInf(type.getFloatSemantics(),
                                           kind == graph::ReduceKind::Max)));
  Value isNan =
      arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNO, value, value);
  return arith::SelectOp::create(b, loc, isNan, lost, value);
}

LogicalResult Structured::raiseReduction(ArrayRef<Combination> parts) {
  // In the order of an operand that has all dimensions: it need not be moved.
  SmallVector<unsigned> order(
      llvm::to_vector(llvm::seq<unsigned>(0, loops.size())));
  for (const Operand &input : inputs)
    if (input.tensor && input.map.isPermutation()) {
      for (auto [axis, expr] : llvm::enumerate(input.map.getResults()))
        order[axis] = cast<AffineDimExpr>(expr).getPosition();
      break;
    }
  SpaceBody elements(*this, space(order));
  for (const Operand &input : inputs)
    if (isRead(input))
      elements.take(input);
  SmallVector<Value> reduced;
  // What is reduced as it is needs no map.
  bool isPlain = parts.size() == 1 && elements.arguments.size() == 1 &&
                 parts[0].element == elements.arguments[0]->argument &&
                 !parts[0].skipsNan &&
                 elements.arguments[0]->map.isPermutation();
  if (isPlain) {
    reduced.push_back(elements.inputs.front());
  } else {
    LogicalResult result = success();
    Operation *map = r.mapOp(
        elementTypes(), elements.inputs, elements.space.sizes,
        [&](OpBuilder &b, ValueRange values) {
          raise::Body scalars(r, b, /*onHost=*/false);
          elements.begin(scalars, b, values);
          result = elements.read(scalars);
          SmallVector<Value> wanted, yielded;
          for (const Combination &part : parts)
            wanted.push_back(part.element);
          if (succeeded(result))
            result = scalars.cloneFor(wanted, body);
          if (failed(result))
            return;
          for (const Combination &part : parts) {
            if (part.skipsNan)
              scalars.define(part.element,
                             withoutNan(b, r.loc, scalars.lookup(part.element),
                                        part.kind));
            yielded.push_back(scalars.stored(part.element));
          }
          graph::YieldOp::create(b, r.loc, yielded);
        });
    if (failed(result))
      return failure();
    llvm::append_range(reduced, map->getResults());
  }
  Ints axes;
  SmallVector<unsigned> kept;
  for (auto [axis, loop] : llvm::enumerate(order)) {
    if (isReduction(loop))
      axes.push_back(axis);
    else
      kept.push_back(loop);
  }
  // With the axes, as others broadcast it along these.
  Sizes sizes = elements.space.sizes;
  for (int64_t axis : axes)
    sizes[axis] = r.index(1);
  for (auto [part, value, output] : llvm::zip_equal(parts, reduced, outputs)) {
    Value total = graph::ReduceOp::create(
        r.b, r.loc, r.tensorType(getElementTypeOrSelf(value), sizes), value,
        part.kind, axes, /*keepdims=*/true);
    Value dropped = r.reshape(total, space(kept).sizes);
    if (failed(defineReduced(output, arrange(dropped, kept, output.map), part)))
      return failure();
  }
  return success();
}
