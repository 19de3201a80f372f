// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Numbers the groups of operations that become one kernel each. A group never
// waits for something that waits for the group: an operation joins only if no
// value that the group reads from outside depends on a member, counting other
// groups as one operation each.
#include "dialects/Graph/DimBuilder.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Transforms/RegionUtils.h"
#include "passes/Analysis/Fusion.h"
#include "passes/Graph/Passes.h"
#include "passes/Graph/Simplify.h"

namespace hone {
#define GEN_PASS_DEF_FORMGROUPSPASS
#include "passes/Graph/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;
using namespace hone::graph;

/// Kernels stay small enough to compile fast.
static constexpr size_t maxMembers = 24;
/// How far dependences are followed before an operation is left alone.
static constexpr size_t maxVisited = 256;
/// Why an operation does not join.
static constexpr const char *kRefused =
    "the kernel would be too large, or wait for itself";

/// Everything that `op` and its regions read.
static void readsOf(Operation *op, llvm::SetVector<Value> &values) {
  values.insert(op->operand_begin(), op->operand_end());
  getUsedValuesDefinedAbove(op->getRegions(), values);
}

namespace {

struct Group {
  SmallVector<Operation *> members;
  Operation *first = nullptr, *last = nullptr; // in the order of the block
};

/// The groups of one block.
class GroupBuilder {
public:
  GroupBuilder(Block &block, DimBuilder &dims, int64_t &next,
               bool storeTransposed)
      : block(block), dims(dims), next(next), storeTransposed(storeTransposed) {
  }

  void run();

private:
  bool isFree(Operation *op) const {
    return op && op->getBlock() == &block && !groupOf.count(op);
  }
  bool isIn(unsigned group, Operation *op) const {
    auto it = groupOf.find(op);
    return it != groupOf.end() && it->second == group;
  }
  /// Adds `op` unless that would make the group depend on itself.
  bool tryAdd(unsigned group, Operation *op);
  bool dependsOnItself(const Group &group);
  unsigned begin(Operation *op);

  void followContraction(Operation *op);
  void takeTranspose(ConvOp conv, Value value);

  void growRows(ReduceOp reduce);
  void takeProducer(ReduceOp reduce);
  void takeSiblings(ReduceOp reduce);
  void takeSlices(Operation *op);

  Block &block;
  DimBuilder &dims;
  int64_t &next;
  bool storeTransposed;
  SmallVector<Group> groups;
  llvm::DenseMap<Operation *, unsigned> groupOf;
};

} // namespace

unsigned GroupBuilder::begin(Operation *op) {
  groups.push_back({{op}, op, op});
  groupOf[op] = groups.size() - 1;
  return groups.size() - 1;
}

bool GroupBuilder::tryAdd(unsigned number, Operation *op) {
  Group &group = groups[number];
  if (group.members.size() >= maxMembers)
    return false;
  Group before = group;
  group.members.push_back(op);
  groupOf[op] = number;
  if (op->isBeforeInBlock(group.first))
    group.first = op;
  if (group.last->isBeforeInBlock(op))
    group.last = op;
  if (!dependsOnItself(group))
    return true;
  group = std::move(before);
  groupOf.erase(op);
  return false;
}

bool GroupBuilder::dependsOnItself(const Group &group) {
  llvm::SmallPtrSet<Operation *, 32> members(group.members.begin(),
                                             group.members.end());
  llvm::SmallPtrSet<Operation *, 32> visited;
  SmallVector<Operation *> work;
  // Queues what `op` reads; true if that is a member, and `op` is not.
  auto expand = [&](Operation *op) {
    llvm::SetVector<Value> reads;
    readsOf(op, reads);
    for (Value value : reads) {
      Operation *producer = value.getDefiningOp();
      if (!producer || producer->getBlock() != &block)
        continue;
      if (members.contains(producer)) {
        if (!members.contains(op))
          return true;
      } else if (visited.insert(producer).second) {
        work.push_back(producer);
      }
    }
    return false;
  };
  for (Operation *member : group.members)
    expand(member);
  while (!work.empty()) {
    if (visited.size() > maxVisited)
      return true;
    Operation *op = work.pop_back_val();
    auto it = groupOf.find(op);
    if (it == groupOf.end()) {
      if (!op->isBeforeInBlock(group.first) && expand(op))
        return true;
      continue;
    }
    const Group &other = groups[it->second];
    if (other.last->isBeforeInBlock(group.first))
      continue;
    for (Operation *member : other.members) {
      visited.insert(member);
      if (expand(member))
        return true;
    }
  }
  return false;
}

void GroupBuilder::followContraction(Operation *op) {
  unsigned group = begin(op);
  Value value = op->getResult(0);
  while (MapOp map = firstMapOn(value)) {
    if (!isFree(map))
      return;
    Fusion fusion = planEpilogue(value, map);
    if (fusion && !tryAdd(group, map))
      fusion = Fusion::no(kRefused);
    if (!fusion)
      return remarkApart(value.getDefiningOp(), map, "form-groups", fusion);
    remark::passed(
        map.getLoc(),
        remark::RemarkOpts::name("behind-contraction").category("form-groups"));
    value = map.getResult(0);
    if (map->getNumResults() != 1)
      return;
  }
  if (auto conv = dyn_cast<ConvOp>(op); conv && storeTransposed)
    takeTranspose(conv, value);
}

/// The transposition of what `conv` and the maps behind it compute.
void GroupBuilder::takeTranspose(ConvOp conv, Value value) {
  auto transposes = llvm::make_filter_range(
      value.getUsers(), [](Operation *user) { return isa<TransposeOp>(user); });
  if (transposes.empty() || !isFree(*transposes.begin()))
    return;
  auto transpose = cast<TransposeOp>(*transposes.begin());
  Fusion fusion = planTransposedResult(conv, value, transpose);
  if (fusion && !tryAdd(groupOf.at(conv), transpose))
    fusion = Fusion::no(kRefused);
  if (!fusion)
    return remarkApart(value.getDefiningOp(), transpose, "form-groups", fusion);
  remark::passed(
      transpose.getLoc(),
      remark::RemarkOpts::name("stored-transposed").category("form-groups"));
}

/// A formula before reductions without rows: each of its elements is consumed
/// where it is computed.
void GroupBuilder::takeProducer(ReduceOp reduce) {
  auto map = reduce.getInput().getDefiningOp<MapOp>();
  if (!isFree(map))
    return;
  unsigned group = groupOf.at(reduce);
  Fusion fusion =
      planFormula(map, [&](Operation *user) { return isIn(group, user); });
  if (fusion && !tryAdd(group, map))
    fusion = Fusion::no(kRefused);
  if (!fusion)
    remarkApart(map, reduce, "form-groups", fusion);
}

/// Other reductions of the same input, which is then read once.
void GroupBuilder::takeSiblings(ReduceOp reduce) {
  for (Operation *user : reduce.getInput().getUsers()) {
    auto sibling = dyn_cast<ReduceOp>(user);
    if (!sibling || sibling == reduce || !isFree(sibling))
      continue;
    Fusion fusion = planSiblings(reduce, sibling);
    if (fusion && !tryAdd(groupOf.at(reduce), sibling))
      fusion = Fusion::no(kRefused);
    if (!fusion)
      remarkApart(reduce, sibling, "form-groups", fusion);
  }
}

/// Maps and reductions around `reduce` that run row by row with it.
void GroupBuilder::growRows(ReduceOp reduce) {
  unsigned group = begin(reduce);
  takeSiblings(reduce);
  std::optional<Rows> rows = rowsOf(reduce);
  if (!rows)
    return takeProducer(reduce);
  auto isInside = [&](Value value) {
    return isIn(group, value.getDefiningOp());
  };
  auto consider = [&](Operation *producer, Operation *consumer, Operation *op) {
    if (!isFree(op) || !isa<MapOp, ReduceOp>(op))
      return;
    Fusion fusion = planRow(op, *rows, dims, isInside);
    if (fusion && !tryAdd(group, op))
      fusion = Fusion::no(kRefused);
    if (!fusion)
      remarkApart(producer, consumer, "form-groups", fusion);
  };
  // A map before, if its result is used nowhere else before the group ends.
  auto addProducers = [&](Operation *op) {
    for (Value operand : op->getOperands()) {
      auto map = operand.getDefiningOp<MapOp>();
      if (map && map->getNumResults() == 1 &&
          llvm::all_of(map->getUsers(),
                       [&](Operation *user) { return isIn(group, user); }))
        consider(map, op, map);
    }
  };
  for (size_t i = 0; i < groups[group].members.size(); ++i) {
    Operation *member = groups[group].members[i];
    SmallVector<Operation *> users(member->user_begin(), member->user_end());
    llvm::sort(users, [](Operation *a, Operation *b) {
      return a->getBlock() == b->getBlock() && a->isBeforeInBlock(b);
    });
    for (Operation *user : users)
      consider(member, user, user);
  }
  for (size_t i = 0; i < groups[group].members.size(); ++i)
    addProducers(groups[group].members[i]);
}

/// Slices read by maps and reductions are views inside their kernel: each
/// reader takes its own.
void GroupBuilder::takeSlices(Operation *op) {
  auto canView = [&](Operation *reader) {
    if (!viewsSlices(reader) || reader->getBlock() != &block)
      return false;
    auto it = groupOf.find(reader);
    return it == groupOf.end() ||
           llvm::none_of(groups[it->second].members, hasEpilogue);
  };
  if (!canView(op))
    return;
  for (OpOperand &operand : op->getOpOperands()) {
    auto slice = operand.get().getDefiningOp<SliceOp>();
    if (!slice || !isFree(slice) || !llvm::all_of(slice->getUsers(), canView))
      continue;
    unsigned group = groupOf.count(op) ? groupOf.lookup(op) : begin(op);
    Operation *own = slice;
    if (!slice->hasOneUse()) {
      own = OpBuilder(op).clone(*slice);
      operand.set(own->getResult(0));
    }
    if (!tryAdd(group, own) && own != slice) {
      operand.set(slice);
      own->erase();
    }
  }
}

void GroupBuilder::run() {
  SmallVector<Operation *> operations;
  for (Operation &op : block)
    operations.push_back(&op);
  for (Operation *op : operations)
    if (hasEpilogue(op))
      followContraction(op);
  for (Operation *op : operations)
    if (auto reduce = dyn_cast<ReduceOp>(op); reduce && isFree(op))
      growRows(reduce);
  for (Operation *op : operations)
    takeSlices(op);

  Builder builder(block.getParentOp()->getContext());
  for (const Group &group : groups) {
    if (group.members.size() < 2)
      continue;
    IntegerAttr number = builder.getI64IntegerAttr(next++);
    for (Operation *member : group.members)
      member->setAttr("hone.group", number);
  }
}

namespace {
struct FormGroupsPass : hone::impl::FormGroupsPassBase<FormGroupsPass> {
  using Base::Base;

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isExternal())
      return;
    DimBuilder dims(function);
    SmallVector<Block *> blocks;
    function.walk([&](Block *block) {
      if (!isa<GraphDialect>(block->getParentOp()->getDialect()))
        blocks.push_back(block);
    });
    int64_t next = 0;
    for (Block *block : blocks)
      GroupBuilder(*block, dims, next, storeTransposed).run();
  }
};
} // namespace
