// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the operations of linalg have in common, and the ways to express them.
#include "compiler/Import/Mlir/Raise/Structured.h"
#include "compiler/Import/Mlir/Raise/Body.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/IR/Matchers.h"
#include "passes/Analysis/Remarks.h"

using namespace mlir;
using namespace hone;
using namespace hone::raise;

/// Of an iteration space: more do not fit in memory or time anyway.
static constexpr int64_t kMostIterations = int64_t(1) << 56;

Structured::Structured(Raiser &r, linalg::LinalgOp op)
    : r(r), op(op), body(*op.getBlock()),
      iterators(op.getIteratorTypesArray()) {
  for (OpOperand &operand : op->getOpOperands()) {
    Operand one;
    one.old = operand.get();
    if (isa<RankedTensorType>(operand.get().getType()))
      one.tensor = r.lookup(operand.get());
    one.map = op.getMatchingIndexingMap(&operand);
    one.argument = op.getMatchingBlockArgument(&operand);
    dropUnitAxes(one);
    if (op.isDpsInit(&operand))
      one.result = outputs.size();
    (op.isDpsInit(&operand) ? outputs : inputs).push_back(one);
  }
  keepNeededOutputs();
}

Value Structured::yieldOf(const Operand &output) const {
  return body.getTerminator()->getOperand(output.result);
}

/// Of results that have uses, and those whose elements so far these need.
void Structured::keepNeededOutputs() {
  SmallVector<bool> isNeeded;
  for (const Operand &output : outputs)
    isNeeded.push_back(!op->getResult(output.result).use_empty());
  for (bool isStable = false; !isStable;) {
    isStable = true;
    for (const Operand &output : outputs)
      if (isNeeded[output.result])
        for (BlockArgument argument : argumentsOf(yieldOf(output), body))
          if (argument.getArgNumber() >= op.getNumDpsInputs() &&
              !std::exchange(
                  isNeeded[argument.getArgNumber() - op.getNumDpsInputs()],
                  true))
            isStable = false;
  }
  llvm::erase_if(
      outputs, [&](const Operand &output) { return !isNeeded[output.result]; });
  SmallVector<Value> yielded;
  for (const Operand &output : outputs)
    yielded.push_back(yieldOf(output));
  neededOps = neededFor(yielded, body);
  neededOps.insert(body.getTerminator());
  // Assertions are needed in any case.
  for (Operation &inner : body)
    if (isa<cf::AssertOp>(inner)) {
      auto own = neededFor(inner.getOperands(), body);
      neededOps.insert(own.begin(), own.end());
      neededOps.insert(&inner);
    }
}

/// Axes of size 1 that no loop runs along.
void Structured::dropUnitAxes(Operand &operand) {
  if (!operand.tensor)
    return;
  SmallVector<AffineExpr> exprs;
  Sizes kept;
  for (auto [axis, expr] : llvm::enumerate(operand.map.getResults())) {
    Size size = r.dim(operand.tensor, axis);
    if (expr == getAffineConstantExpr(0, op.getContext()) &&
        Raiser::known(size) == 1)
      continue;
    exprs.push_back(expr);
    kept.push_back(size);
  }
  operand.tensor = r.reshape(operand.tensor, kept);
  operand.map =
      AffineMap::get(operand.map.getNumDims(), 0, exprs, op.getContext());
}

void Structured::define(const Operand &output, Value result) {
  // With the axes that were dropped.
  Value initial = r.lookup(output.old);
  r.define(op->getResult(output.result), r.reshape(result, r.sizesOf(initial)));
}

LogicalResult Structured::findLoops() {
  loops.resize(op.getNumLoops());
  // Known sizes are the better references.
  for (bool wantsKnown : {true, false})
    for (const auto *operands : {&inputs, &outputs})
      for (const Operand &operand : *operands) {
        if (!operand.tensor)
          continue;
        for (auto [axis, expr] : llvm::enumerate(operand.map.getResults()))
          if (auto loop = dyn_cast<AffineDimExpr>(expr)) {
            Size size = r.dim(operand.tensor, axis),
                 &own = loops[loop.getPosition()];
            if (!own && (!wantsKnown || Raiser::known(size)))
              own = size;
            else if (own && !wantsKnown && failed(r.agree(op, own, size)))
              return failure();
          }
      }
  int64_t count = 1;
  for (auto [loop, size] : llvm::enumerate(loops)) {
    if (!size)
      return r.fail(op, "no operand has the size of its loop " + Twine(loop));
    if (std::optional<int64_t> number = Raiser::known(size);
        number &&
        (llvm::MulOverflow(count, std::max<int64_t>(*number, 1), count) ||
         count > kMostIterations))
      return r.fail(op, "it has too many iterations");
  }
  return success();
}

Space Structured::space(ArrayRef<unsigned> order) const {
  Space result;
  result.loops.assign(order.begin(), order.end());
  result.dimOf.assign(loops.size(), -1);
  for (auto [dim, loop] : llvm::enumerate(order)) {
    result.dimOf[loop] = dim;
    result.sizes.push_back(loops[loop]);
  }
  return result;
}

Value Structured::align(const Operand &operand, const Space &space) {
  Ints target; ///< dimension of the space of each axis
  llvm::SmallDenseSet<int64_t> seen;
  for (AffineExpr expr : operand.map.getResults()) {
    auto loop = dyn_cast<AffineDimExpr>(expr);
    if (!loop)
      return {};
    int64_t dim = space.dimOf[loop.getPosition()];
    if (dim < 0 || !seen.insert(dim).second)
      return {};
    target.push_back(dim);
  }
  Ints permutation(llvm::to_vector(llvm::seq<int64_t>(0, target.size())));
  llvm::sort(permutation,
             [&](int64_t a, int64_t b) { return target[a] < target[b]; });
  Value moved = r.transpose(operand.tensor, permutation);
  int64_t rank = space.loops.size(), first = rank;
  for (int64_t dim : target)
    first = std::min(first, dim);
  Sizes sizes(rank - first, r.index(1));
  for (int64_t dim : target)
    sizes[dim - first] = space.sizes[dim];
  return r.reshape(moved, sizes);
}

Value Structured::order(Value v, AffineMap map, ArrayRef<unsigned> order) {
  Ints permutation;
  for (unsigned loop : order)
    permutation.push_back(
        *map.getResultPosition(getAffineDimExpr(loop, op.getContext())));
  return r.transpose(v, permutation);
}

Value Structured::arrange(Value v, ArrayRef<unsigned> order, AffineMap map) {
  Ints permutation;
  for (AffineExpr expr : map.getResults())
    permutation.push_back(
        llvm::find(order, cast<AffineDimExpr>(expr).getPosition()) -
        order.begin());
  return r.transpose(v, permutation);
}

FailureOr<Value> Structured::apply(Value expr, const Operand &operand,
                                   Type element) {
  if (expr == operand.argument)
    return operand.tensor;
  LogicalResult result = success();
  Operation *map =
      r.mapOp(storageType(element), operand.tensor, r.sizesOf(operand.tensor),
              [&](OpBuilder &b, ValueRange elements) {
                raise::Body scalars(r, b, /*onHost=*/false);
                scalars.defineStored(operand.argument, elements[0]);
                for (const Operand &input : inputs)
                  if (!input.tensor)
                    scalars.define(input.argument, scalars.lookup(input.old));
                result = scalars.cloneFor(expr, body);
                if (succeeded(result))
                  graph::YieldOp::create(b, r.loc, scalars.stored(expr));
              });
  if (failed(result))
    return failure();
  return map->getResult(0);
}

//===- Without reductions -------------------------------------------------===//

/// The loops in the order of the dimensions of the first result.
FailureOr<Space> Structured::outputSpace() {
  SmallVector<unsigned> order;
  for (AffineExpr expr : outputs.front().map.getResults()) {
    auto loop = dyn_cast<AffineDimExpr>(expr);
    if (!loop || isReduction(loop.getPosition()) ||
        llvm::is_contained(order, loop.getPosition()))
      return r.fail(op, "a result is written at places that are not in the "
                        "order of its loops");
    order.push_back(loop.getPosition());
  }
  for (const Operand &output : outputs)
    if (output.map.getNumResults() != order.size() ||
        !output.map.isProjectedPermutation() ||
        llvm::any_of(order, [&](unsigned loop) {
          return !output.map.isFunctionOfDim(loop);
        }))
      return r.fail(op, "its results are written by different loops");
  for (unsigned loop = 0; loop < loops.size(); ++loop)
    if (!isReduction(loop) && !llvm::is_contained(order, loop))
      return r.fail(op, "loop " + Twine(loop) +
                            " is parallel, but no dimension of the result");
  return space(order);
}

namespace {
/// The body of a map over a space: elements that are its inputs, and others
/// that it reads by index.
struct SpaceBody {
  SpaceBody(Structured &s, Space space) : s(s), space(std::move(space)) {}

  /// Operands that are aligned become inputs.
  void take(const Operand &operand) {
    Value aligned = operand.tensor ? s.align(operand, space) : Value();
    if (!operand.tensor || !aligned) {
      indexed.push_back(&operand);
      return;
    }
    arguments.push_back(&operand);
    inputs.push_back(aligned);
  }
  /// At the beginning of the map's body.
  void begin(raise::Body &body, OpBuilder &b, ValueRange elements) {
    body.coordinates.resize(s.loops.size());
    for (auto [dim, loop] : llvm::enumerate(space.loops)) {
      Value coordinate = graph::IndexOp::create(b, s.r.loc, dim);
      s.r.limits[coordinate] = s.loops[loop];
      body.coordinates[loop] = coordinate;
    }
    for (auto [operand, element] : llvm::zip_equal(arguments, elements))
      body.defineStored(operand->argument, element);
  }
  /// Where all coordinates that these operands need are known.
  LogicalResult read(raise::Body &body) {
    for (const Operand *operand : indexed) {
      if (!operand->tensor) {
        body.define(operand->argument, body.lookup(operand->old));
        continue;
      }
      SmallVector<Value> indices;
      for (AffineExpr expr : operand->map.getResults()) {
        indices.push_back(body.evaluate(expr, body.coordinates));
        if (!indices.back())
          return s.r.fail(s.op, "it reads an operand at places that are no "
                                "sums, multiples and quotients of indices");
      }
      body.define(operand->argument,
                  body.extract(operand->tensor, indices,
                               getElementTypeOrSelf(operand->old)));
    }
    return success();
  }

  Structured &s;
  Space space;
  SmallVector<const Operand *> arguments, indexed;
  SmallVector<Value> inputs;
};
} // namespace

const Operand *Structured::copied() {
  if (outputs.size() != 1 || neededOps.size() != 1)
    return nullptr;
  auto source = llvm::find_if(inputs, [&](const Operand &input) {
    return input.tensor && input.argument == yieldOf(outputs[0]);
  });
  return source == inputs.end() ? nullptr : source;
}

LogicalResult Structured::cloneNeeded(raise::Body &scalars) {
  for (Operation &inner : body.without_terminator())
    if (neededOps.contains(&inner) && failed(scalars.clone(&inner)))
      return failure();
  return success();
}

LogicalResult Structured::raiseParallel() {
  FailureOr<Space> found = outputSpace();
  if (failed(found))
    return failure();
  if (const Operand *source = copied())
    if (Value moved = align(*source, *found);
        moved && llvm::equal(r.sizesOf(moved), found->sizes,
                             [&](Size a, Size b) { return r.same(a, b); })) {
      define(outputs[0], arrange(moved, found->loops, outputs[0].map));
      return success();
    }
  SpaceBody elements(*this, *found);
  for (const auto *operands : {&inputs, &outputs})
    for (const Operand &operand : *operands)
      if (isRead(operand))
        elements.take(operand);
  SmallVector<Type> types;
  for (const Operand &output : outputs)
    types.push_back(storageType(getElementTypeOrSelf(output.old)));
  LogicalResult result = success();
  Operation *map =
      r.mapOp(types, elements.inputs, found->sizes,
              [&](OpBuilder &b, ValueRange values) {
                raise::Body scalars(r, b, /*onHost=*/false);
                elements.begin(scalars, b, values);
                result = elements.read(scalars);
                if (succeeded(result))
                  result = cloneNeeded(scalars);
                if (failed(result))
                  return;
                SmallVector<Value> yielded;
                for (Value value : body.getTerminator()->getOperands())
                  yielded.push_back(scalars.stored(value));
                graph::YieldOp::create(b, r.loc, yielded);
              });
  if (failed(result))
    return failure();
  for (auto [i, output] : llvm::enumerate(outputs))
    define(output, arrange(map->getResult(i), found->loops, output.map));
  return success();
}

//===- Sums and the like --------------------------------------------------===//

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
    SmallVector<Type> types;
    for (const Operand &output : outputs)
      types.push_back(storageType(getElementTypeOrSelf(output.old)));
    LogicalResult result = success();
    Operation *map = r.mapOp(
        types, elements.inputs, elements.space.sizes,
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

//===- Everything else ----------------------------------------------------===//

LogicalResult Structured::raiseLoops() {
  FailureOr<Space> found = outputSpace();
  if (failed(found))
    return failure();
  SpaceBody elements(*this, *found);
  for (const Operand &output : outputs)
    elements.take(output);
  for (const Operand &input : inputs)
    elements.indexed.push_back(&input);
  SmallVector<Type> types;
  for (const Operand &output : outputs)
    types.push_back(storageType(getElementTypeOrSelf(output.old)));
  LogicalResult result = success();
  Operation *map = r.mapOp(
      types, elements.inputs, found->sizes,
      [&](OpBuilder &b, ValueRange values) {
        raise::Body scalars(r, b, /*onHost=*/false);
        elements.begin(scalars, b, values);
        SmallVector<Value> carried;
        for (const Operand &output : outputs)
          carried.push_back(scalars.lookup(output.argument));
        SmallVector<scf::ForOp> nest;
        Value zero = arith::ConstantIndexOp::create(b, r.loc, 0),
              one = arith::ConstantIndexOp::create(b, r.loc, 1);
        for (unsigned loop = 0; loop < loops.size(); ++loop) {
          if (!isReduction(loop))
            continue;
          Value bound = Raiser::known(loops[loop])
                            ? r.dims.materialize(b, r.loc, loops[loop])
                            : r.value(loops[loop]);
          nest.push_back(
              scf::ForOp::create(b, r.loc, zero, bound, one, carried));
          Value at = nest.back().getInductionVar();
          r.limits[at] = loops[loop];
          scalars.coordinates[loop] = at;
          carried.assign(nest.back().getRegionIterArgs().begin(),
                         nest.back().getRegionIterArgs().end());
          b.setInsertionPointToStart(nest.back().getBody());
        }
        for (auto [output, value] : llvm::zip_equal(outputs, carried))
          scalars.define(output.argument, value);
        result = elements.read(scalars);
        if (succeeded(result))
          result = cloneNeeded(scalars);
        if (failed(result))
          return;
        SmallVector<Value> yielded;
        for (const Operand &output : outputs)
          yielded.push_back(scalars.lookup(yieldOf(output)));
        for (scf::ForOp loop : llvm::reverse(nest)) {
          b.setInsertionPointToEnd(loop.getBody());
          scf::YieldOp::create(b, r.loc, yielded);
          yielded.assign(loop.getResults().begin(), loop.getResults().end());
          b.setInsertionPointAfter(loop);
        }
        for (auto [value, output] : llvm::zip_equal(yielded, outputs)) {
          scalars.define(output.argument, value);
          value = scalars.stored(output.argument);
        }
        graph::YieldOp::create(b, r.loc, yielded);
      });
  if (failed(result))
    return failure();
  remarkSlow(map, "raise-to-graph",
             "its reduction is computed one element after the other");
  for (auto [i, output] : llvm::enumerate(outputs))
    define(output, arrange(map->getResult(i), found->loops, output.map));
  return success();
}

LogicalResult Structured::raise() {
  if (failed(findLoops()))
    return failure();
  if (outputs.empty())
    return success();
  if (op.getNumParallelLoops() == loops.size())
    return raiseParallel();
  for (auto form : {raiseContraction, raiseConvolution, raisePooling}) {
    FailureOr<bool> done = form(*this);
    if (failed(done))
      return failure();
    if (*done)
      return success();
  }
  FailureOr<Space> found = outputSpace();
  if (failed(found))
    return failure();
  SmallVector<Combination> parts;
  for (const Operand &output : outputs)
    if (std::optional<Combination> part = combinationOf(output))
      parts.push_back(*part);
  if (parts.size() == outputs.size())
    return raiseReduction(parts);
  return raiseLoops();
}

LogicalResult hone::raise::raiseStructured(Raiser &r, linalg::LinalgOp op) {
  if (!op.hasPureTensorSemantics())
    return r.fail(op, "it works on memory; compile the module as it is before "
                      "bufferization");
  return Structured(r, op).raise();
}
