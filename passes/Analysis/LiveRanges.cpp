// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Lifetimes of the buffers of a host function, as ranges of steps.
#include "passes/Analysis/LiveRanges.h"
#include "dialects/Rt/Rt.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace hone;

static bool isBuffer(Value value) { return isa<MemRefType>(value.getType()); }

LiveRanges::LiveRanges(func::FuncOp function) {
  if (function.isExternal())
    return;
  number(function.getBody().front());
  // Classes first: users are filed under the final leader.
  function.walk([&](Operation *op) {
    for (Region &region : op->getRegions())
      for (BlockArgument argument : region.getArguments())
        if (isBuffer(argument))
          classes.insert(argument.getAsOpaquePointer());
    for (Value result : op->getResults())
      if (isBuffer(result))
        classes.insert(result.getAsOpaquePointer());
  });
  function.walk([&](Operation *op) { connect(op); });
  function.walk([&](Operation *op) {
    for (Value operand : op->getOperands())
      if (isBuffer(operand))
        usersOf[leader(operand)].push_back(op);
    if (isa<scf::IfOp, scf::ForOp, scf::WhileOp, rt::ViewOp>(op))
      return;
    for (Value result : op->getResults())
      if (isBuffer(result))
        rootsOf[leader(result)].push_back(result);
  });
}

void LiveRanges::number(Block &block) {
  for (Operation &op : block) {
    int32_t first = count++;
    for (Region &region : op.getRegions())
      for (Block &inner : region)
        number(inner);
    steps[&op] = {first, op.getNumRegions() ? count++ : first};
  }
}

/// Joins the values through which `op` passes a buffer on.
void LiveRanges::connect(Operation *op) {
  auto join = [&](ValueRange from, ValueRange to) {
    for (auto [a, b] : llvm::zip(from, to))
      if (isBuffer(a))
        classes.unionSets(a.getAsOpaquePointer(), b.getAsOpaquePointer());
  };
  if (auto view = dyn_cast<rt::ViewOp>(op)) {
    join(view.getSource(), view.getResult());
  } else if (auto yield = dyn_cast<scf::YieldOp>(op)) {
    Operation *parent = op->getParentOp();
    if (auto loop = dyn_cast<scf::ForOp>(parent))
      join(yield.getOperands(), loop.getRegionIterArgs());
    else if (auto loop = dyn_cast<scf::WhileOp>(parent))
      join(yield.getOperands(), loop.getBeforeArguments());
    else
      join(yield.getOperands(), parent->getResults());
  } else if (auto loop = dyn_cast<scf::ForOp>(op)) {
    join(loop.getInitArgs(), loop.getRegionIterArgs());
    join(loop.getInitArgs(), loop.getResults());
  } else if (auto loop = dyn_cast<scf::WhileOp>(op)) {
    join(loop.getInits(), loop.getBeforeArguments());
  } else if (auto condition = dyn_cast<scf::ConditionOp>(op)) {
    auto parent = cast<scf::WhileOp>(op->getParentOp());
    join(condition.getArgs(), parent.getAfterArguments());
    join(condition.getArgs(), parent.getResults());
  }
}

const void *LiveRanges::leader(Value value) const {
  return classes.getLeaderValue(value.getAsOpaquePointer());
}

void LiveRanges::replace(Value from, Value to) {
  const void *old = leader(from), *kept = leader(to);
  if (old == kept)
    return;
  for (Value root : rootsOf[old])
    known.erase(root);
  SmallVector<Value, 2> roots = std::move(rootsOf[kept]);
  SmallVector<Operation *, 4> users = std::move(usersOf[kept]);
  llvm::append_range(users, usersOf[old]);
  for (const void *gone : {old, kept}) {
    rootsOf.erase(gone);
    usersOf.erase(gone);
  }
  classes.unionSets(old, kept);
  rootsOf[leader(to)] = std::move(roots);
  usersOf[leader(to)] = std::move(users);
}

SmallVector<Value> LiveRanges::roots(Value value) const {
  return SmallVector<Value>(rootsOf.lookup(leader(value)));
}

LiveRange LiveRanges::range(Value root) const {
  auto &[result, counted] = known[root];
  Operation *maker = root.getDefiningOp();
  ArrayRef<Operation *> all = users(root);
  for (Operation *user : all.drop_front(counted)) {
    auto [first, last] = steps.lookup(user);
    // In a loop that the buffer was not made in, every iteration finds it as
    // the last one left it.
    for (Operation *parent = user->getParentOp(); parent && steps.count(parent);
         parent = parent->getParentOp()) {
      if (!isa<scf::ForOp, scf::WhileOp>(parent) || parent->isAncestor(maker))
        continue;
      first = std::min(first, steps.lookup(parent).first);
      last = std::max(last, steps.lookup(parent).second);
    }
    result.first = result.isEmpty() ? first : std::min(result.first, first);
    result.last = std::max(result.last, last);
  }
  counted = all.size();
  return result;
}
