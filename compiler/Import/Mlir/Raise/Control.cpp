// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Branches and loops of the host.
#include "compiler/Import/Mlir/Raise/Raiser.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace hone;
using namespace hone::raise;

static SmallVector<Type> convertTypes(TypeRange types) {
  std::string why;
  return llvm::map_to_vector(
      types, [&](Type type) { return *Raiser::convertType(type, why); });
}

/// The values in the types that branches and iterations agree on.
static SmallVector<Value> handOver(Raiser &r, ValueRange old,
                                   ArrayRef<Type> types) {
  SmallVector<Value> result;
  for (auto [value, type] : llvm::zip_equal(old, types)) {
    Value made = r.lookup(value);
    result.push_back(isa<ShapedType>(type) ? r.castTo(made, type) : made);
  }
  return result;
}

/// Rebuilds a block of the old function in `to`, up to its terminator.
static LogicalResult raiseBody(Raiser &r, Block &from, Block &to) {
  for (auto [old, made] :
       llvm::zip_equal(from.getArguments(), to.getArguments()))
    r.define(old, made);
  r.b.setInsertionPointToEnd(&to);
  return r.raiseAll(
      llvm::make_range(from.begin(), from.getTerminator()->getIterator()));
}

static LogicalResult raise(Raiser &r, scf::IfOp op) {
  Location loc = r.loc;
  SmallVector<Type> types = convertTypes(op.getResultTypes());
  auto made = scf::IfOp::create(r.b, loc, types, r.lookup(op.getCondition()),
                                /*addThenBlock=*/true,
                                /*addElseBlock=*/!op.getElseRegion().empty());
  for (auto [from, to] :
       llvm::zip_equal(op->getRegions(), made->getRegions())) {
    if (from.empty())
      continue;
    OpBuilder::InsertionGuard guard(r.b);
    if (failed(raiseBody(r, from.front(), to.front())))
      return failure();
    scf::YieldOp::create(
        r.b, loc,
        handOver(r, from.front().getTerminator()->getOperands(), types));
  }
  for (auto [old, result] : llvm::zip_equal(op.getResults(), made.getResults()))
    r.define(old, result);
  return success();
}

static LogicalResult raise(Raiser &r, scf::ForOp op) {
  Location loc = r.loc;
  if (!op.getInductionVar().getType().isIndex())
    return r.fail(op, "it counts in another type than index");
  SmallVector<Type> types = convertTypes(op.getResultTypes());
  // A step that is not positive is undefined.
  Value one = arith::ConstantIndexOp::create(r.b, loc, 1);
  Value step =
      r.b.createOrFold<arith::MaxSIOp>(loc, r.lookup(op.getStep()), one);
  auto loop = scf::ForOp::create(r.b, loc, r.lookup(op.getLowerBound()),
                                 r.lookup(op.getUpperBound()), step,
                                 handOver(r, op.getInitArgs(), types));
  OpBuilder::InsertionGuard guard(r.b);
  Block &body = *loop.getBody();
  if (!body.empty()) // Without carried values there is a terminator.
    body.getTerminator()->erase();
  if (failed(raiseBody(r, *op.getBody(), body)))
    return failure();
  scf::YieldOp::create(r.b, loc, handOver(r, op.getYieldedValues(), types));
  for (auto [old, result] : llvm::zip_equal(op.getResults(), loop.getResults()))
    r.define(old, result);
  return success();
}

static LogicalResult raise(Raiser &r, scf::WhileOp op) {
  Location loc = r.loc;
  SmallVector<Type> types = convertTypes(op.getResultTypes()),
                    carried = convertTypes(op.getInits().getTypes());
  auto loop = scf::WhileOp::create(r.b, loc, types,
                                   handOver(r, op.getInits(), carried));
  auto blockOf = [&](Region &region, ArrayRef<Type> arguments) -> Block & {
    Block &block = region.emplaceBlock();
    block.addArguments(arguments, SmallVector<Location>(arguments.size(), loc));
    return block;
  };
  OpBuilder::InsertionGuard guard(r.b);
  if (failed(raiseBody(r, *op.getBeforeBody(),
                       blockOf(loop.getBefore(), carried))))
    return failure();
  scf::ConditionOp condition = op.getConditionOp();
  scf::ConditionOp::create(r.b, loc, r.lookup(condition.getCondition()),
                           handOver(r, condition.getArgs(), types));
  if (failed(raiseBody(r, *op.getAfterBody(), blockOf(loop.getAfter(), types))))
    return failure();
  scf::YieldOp::create(r.b, loc,
                       handOver(r, op.getYieldOp().getOperands(), carried));
  for (auto [old, result] : llvm::zip_equal(op.getResults(), loop.getResults()))
    r.define(old, result);
  return success();
}

LogicalResult hone::raise::raiseControl(Raiser &r, Operation *op) {
  if (auto branch = dyn_cast<scf::IfOp>(op))
    return ::raise(r, branch);
  if (auto loop = dyn_cast<scf::ForOp>(op))
    return ::raise(r, loop);
  if (auto loop = dyn_cast<scf::WhileOp>(op))
    return ::raise(r, loop);
  return r.fail(op, "the host has if, for and while only");
}
