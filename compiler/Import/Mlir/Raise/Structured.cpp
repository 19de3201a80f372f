// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the operations of linalg have in common.
#include "compiler/Import/Mlir/Raise/Structured.h"
#include "compiler/Import/Mlir/Raise/Body.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"

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
