// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Operations that become a map: those without reductions, and those whose
// reduction has no other form.
#include "compiler/Import/Mlir/Raise/SpaceBody.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Analysis/Remarks.h"

using namespace mlir;
using namespace hone;
using namespace hone::raise;

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

SmallVector<Type> Structured::elementTypes() const {
  return llvm::map_to_vector(outputs, [](const Operand &output) {
    return storageType(getElementTypeOrSelf(output.old));
  });
}

void Structured::defineAll(Operation *map, const Space &space) {
  for (auto [output, result] : llvm::zip_equal(outputs, map->getResults()))
    define(output, arrange(result, space.loops, output.map));
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
  LogicalResult result = success();
  Operation *map =
      r.mapOp(elementTypes(), elements.inputs, found->sizes,
              [&](OpBuilder &b, ValueRange values) {
                raise::Body scalars(r, b, /*onHost=*/false);
                elements.begin(scalars, b, values);
                result = elements.read(scalars);
                if (succeeded(result))
                  result = cloneNeeded(scalars);
                if (failed(result))
                  return;
                SmallVector<Value> yielded;
                for (const Operand &output : outputs)
                  yielded.push_back(scalars.stored(yieldOf(output)));
                graph::YieldOp::create(b, r.loc, yielded);
              });
  if (failed(result))
    return failure();
  defineAll(map, *found);
  return success();
}

LogicalResult Structured::raiseLoops() {
  FailureOr<Space> found = outputSpace();
  if (failed(found))
    return failure();
  SpaceBody elements(*this, *found);
  for (const Operand &output : outputs)
    elements.take(output);
  for (const Operand &input : inputs)
    elements.indexed.push_back(&input);
  LogicalResult result = success();
  Operation *map = r.mapOp(
      elementTypes(), elements.inputs, found->sizes,
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
  defineAll(map, *found);
  return success();
}
