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
  // Classes first: users are recorded for the final leader.
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
        contents[leader(operand)].users.push_back(op);
    if (isa<scf::IfOp, scf::ForOp, scf::WhileOp, rt::ViewOp>(op))
      return;
    for (Value result : op->getResults())
      if (isBuffer(result))
        contents[leader(result)].roots.push_back(result);
  });
}

LogicalResult LiveRanges::checkStructured(func::FuncOp function) {
  WalkResult result = function->walk([](Operation *op) {
    return llvm::all_of(op->getRegions(),
                        [](Region &region) {
                          return region.empty() || region.hasOneBlock();
                        })
               ? WalkResult::advance()
               : WalkResult::interrupt();
  });
  if (!result.wasInterrupted())
    return success();
  return function.emitError("has branches between blocks; lifetimes are those "
                            "of structured control flow");
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

/// Merges the classes of values through which `op` passes a buffer on.
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
  Class result = std::move(contents[kept]);
  llvm::append_range(result.users, contents[old].users);
  contents.erase(old);
  contents.erase(kept);
  classes.unionSets(old, kept);
  contents[leader(to)] = std::move(result);
}

SmallVector<Value> LiveRanges::roots(Value value) const {
  auto found = contents.find(leader(value));
  return found == contents.end()
             ? SmallVector<Value>()
             : SmallVector<Value>(found->second.roots.begin(),
                                  found->second.roots.end());
}

static Operation *loopAround(Operation *op) {
  do {
    op = op->getParentOp();
  } while (op && !isa<scf::ForOp, scf::WhileOp>(op));
  return op;
}

LiveRange LiveRanges::range(Value root) const {
  Operation *home = loopAround(root.getDefiningOp());
  Class &members = contents[leader(root)];
  auto &[result, counted] = members.known[home];
  for (Operation *user : ArrayRef(members.users).drop_front(counted)) {
    auto [first, last] = steps.lookup(user);
    // In a loop that the buffer was not allocated in, every iteration finds it
    // as the previous one left it.
    for (Operation *loop = loopAround(user);
         loop && !(home && loop->isAncestor(home)); loop = loopAround(loop)) {
      first = std::min(first, steps.lookup(loop).first);
      last = std::max(last, steps.lookup(loop).second);
    }
    result.first = result.isEmpty() ? first : std::min(result.first, first);
    result.last = std::max(result.last, last);
  }
  counted = members.users.size();
  return result;
}
