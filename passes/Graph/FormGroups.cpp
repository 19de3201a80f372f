// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Numbers the groups of operations that become one kernel each. A group never
// waits for something that waits for the group: an operation joins only if no
// value that the group reads from outside depends on a member, counting other
// groups as one operation each.
#include "dialects/Graph/DimBuilder.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Transforms/RegionUtils.h"
#include "passes/Graph/Passes.h"
#include "passes/Graph/Quantization.h"
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
/// Shorter rows are not worth vectorizing.
static constexpr int64_t minRowLength = 4;

/// An operation with one result, and an epilogue for maps of it.
static bool isContraction(Operation *op) {
  return isa<EpilogueOpInterface>(op) && op->getNumResults() == 1;
}

/// Only scalar arithmetic, which vectorizes lane by lane.
static bool isElementwise(MapOp map) {
  return llvm::all_of(
      map.getBody().front().without_terminator(), [](Operation &op) {
        return op.hasTrait<OpTrait::ConstantLike>() ||
               (OpTrait::hasElementwiseMappableTraits(&op) &&
                op.getNumRegions() == 0 && isMemoryEffectFree(&op));
      });
}

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

/// The leading `count` dimensions of `tensor`.
struct Rows {
  Value tensor;
  int64_t count;
};

/// The groups of one block.
class GroupBuilder {
public:
  GroupBuilder(Block &block, DimBuilder &dims, int64_t &next)
      : block(block), dims(dims), next(next) {}

  void run();

private:
  bool isFree(Operation *op) const {
    return op && op->getBlock() == &block && !groupOf.count(op);
  }
  /// Adds `op` unless that would make the group depend on itself.
  bool tryAdd(unsigned group, Operation *op);
  bool dependsOnItself(const Group &group);
  unsigned begin(Operation *op);

  void followContraction(Operation *op);
  MapOp nextMap(Value value);

  void growRows(ReduceOp reduce);
  void takeProducer(ReduceOp reduce);
  void takeSlices(Operation *op);
  /// Whether `op` works on rows of the given leading sizes.
  bool worksOnRows(Operation *op, const Rows &rows, unsigned group);
  bool hasRows(Value value, const Rows &rows);

  Block &block;
  DimBuilder &dims;
  int64_t &next;
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

/// The map that continues a chain after `value`: its first user, on exactly the
/// same shape.
MapOp GroupBuilder::nextMap(Value value) {
  Operation *first = nullptr;
  for (Operation *user : value.getUsers()) {
    Operation *here = block.findAncestorOpInBlock(*user);
    if (here && (!first || here->isBeforeInBlock(first)))
      first = here;
  }
  auto map = dyn_cast_or_null<MapOp>(first);
  if (!map || !isFree(map) || !llvm::is_contained(map.getInputs(), value) ||
      !isElementwise(map) ||
      tensorType(map.getResult(0)).getShape() != tensorType(value).getShape())
    return {};
  // Reductions read bytes faster than what they stand for.
  if (isDequantization(map) && llvm::all_of(map->getUsers(), [](Operation *op) {
        return isa<ReduceOp>(op);
      }))
    return {};
  // Bytes wait for the contraction whose sums meet them.
  bool isOfBytes = getElementTypeOrSelf(value).isInteger(8);
  if (isOfBytes && llvm::any_of(map.getInputs(), [&](Value input) {
        return input.getDefiningOp() && isContraction(input.getDefiningOp());
      }))
    return {};
  return map;
}

void GroupBuilder::followContraction(Operation *op) {
  unsigned group = begin(op);
  Value value = op->getResult(0);
  while (MapOp map = nextMap(value)) {
    if (!tryAdd(group, map))
      break;
    remark::passed(
        map.getLoc(),
        remark::RemarkOpts::name("behind-contraction").category("form-groups"));
    value = map.getResult(0);
    if (map->getNumResults() != 1)
      break;
  }
}

bool GroupBuilder::hasRows(Value value, const Rows &rows) {
  if (tensorType(value).getRank() < rows.count)
    return false;
  for (int64_t i = 0; i < rows.count; ++i)
    if (!dims.sameSize(value, i, rows.tensor, i))
      return false;
  return true;
}

bool GroupBuilder::worksOnRows(Operation *op, const Rows &rows,
                               unsigned group) {
  auto inGroup = [&](Value value) {
    Operation *producer = value.getDefiningOp();
    auto it = producer ? groupOf.find(producer) : groupOf.end();
    return it != groupOf.end() && it->second == group;
  };
  if (auto map = dyn_cast<MapOp>(op)) {
    RankedTensorType type = tensorType(map.getResult(0));
    if (!hasRows(map.getResult(0), rows))
      return false;
    for (Value input : map.getInputs())
      if (inGroup(input) && tensorType(input).getRank() != type.getRank())
        return false;
    // Values read by regions at computed indices must not be computed here.
    llvm::SetVector<Value> captured;
    getUsedValuesDefinedAbove(op->getRegions(), captured);
    return llvm::none_of(captured, inGroup);
  }
  auto reduce = dyn_cast<ReduceOp>(op);
  if (!reduce || !hasRows(reduce.getInput(), rows))
    return false;
  return llvm::all_of(reduce.getAxes(),
                      [&](int64_t axis) { return axis >= rows.count; });
}

/// A formula before a reduction without rows: each of its elements is consumed
/// where it is computed.
void GroupBuilder::takeProducer(ReduceOp reduce) {
  auto map = reduce.getInput().getDefiningOp<MapOp>();
  if (!isFree(map) || map->getNumResults() != 1 || !map->hasOneUse())
    return;
  for (Operation &op : map.getBody().front().without_terminator())
    if (!op.hasTrait<OpTrait::ConstantLike>() &&
        !(OpTrait::hasElementwiseMappableTraits(&op) &&
          isMemoryEffectFree(&op)))
      return;
  tryAdd(begin(reduce), map);
}

/// Maps and reductions around `reduce` that run row by row with it.
void GroupBuilder::growRows(ReduceOp reduce) {
  RankedTensorType type = reduce.getInput().getType();
  int64_t rank = type.getRank(), length = 1;
  ArrayRef<int64_t> axes = reduce.getAxes();
  for (auto [i, axis] : llvm::enumerate(axes)) {
    if (axis !=
        rank - static_cast<int64_t>(axes.size()) + static_cast<int64_t>(i))
      return takeProducer(reduce);
    length = ShapedType::isDynamic(type.getDimSize(axis)) ||
                     ShapedType::isDynamic(length)
                 ? ShapedType::kDynamic
                 : length * type.getDimSize(axis);
  }
  ArrayRef<int64_t> leading = type.getShape().drop_back(axes.size());
  if (axes.empty() ||
      (!ShapedType::isDynamic(length) && length < minRowLength) ||
      llvm::all_of(leading, [](int64_t size) { return size == 1; }))
    return takeProducer(reduce);
  Rows rows{reduce.getInput(), static_cast<int64_t>(leading.size())};
  unsigned group = begin(reduce);
  auto consider = [&](Operation *op) {
    return isFree(op) && isa<MapOp, ReduceOp>(op) &&
           worksOnRows(op, rows, group) && tryAdd(group, op);
  };
  // A map before, if its result is used nowhere else before the group ends.
  auto addProducers = [&](Operation *op) {
    for (Value operand : op->getOperands()) {
      auto map = operand.getDefiningOp<MapOp>();
      if (map && map->getNumResults() == 1 &&
          llvm::all_of(map->getUsers(), [&](Operation *user) {
            auto it = groupOf.find(user);
            return it != groupOf.end() && it->second == group;
          }))
        consider(map);
    }
  };
  for (size_t i = 0; i < groups[group].members.size(); ++i) {
    SmallVector<Operation *> users(groups[group].members[i]->user_begin(),
                                   groups[group].members[i]->user_end());
    llvm::sort(users, [](Operation *a, Operation *b) {
      return a->getBlock() == b->getBlock() && a->isBeforeInBlock(b);
    });
    for (Operation *user : users)
      consider(user);
  }
  for (size_t i = 0; i < groups[group].members.size(); ++i)
    addProducers(groups[group].members[i]);
}

/// Slices read by maps and reductions are views inside their kernel: each
/// reader takes its own.
void GroupBuilder::takeSlices(Operation *op) {
  auto viewsSlices = [&](Operation *reader) {
    if (!isa<MapOp, ReduceOp>(reader) || reader->getBlock() != &block)
      return false;
    auto it = groupOf.find(reader);
    return it == groupOf.end() ||
           llvm::none_of(groups[it->second].members, isContraction);
  };
  if (!viewsSlices(op))
    return;
  for (OpOperand &operand : op->getOpOperands()) {
    auto slice = operand.get().getDefiningOp<SliceOp>();
    if (!slice || !isFree(slice) ||
        !llvm::all_of(slice->getUsers(), viewsSlices))
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
    if (isContraction(op))
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
      GroupBuilder(*block, dims, next).run();
  }
};
} // namespace
