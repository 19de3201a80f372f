// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Stores values between kernels in bf16 where products of bf16 read them, which
// round nearly all of them in any case.
#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Remarks.h"
#include "passes/Graph/Passes.h"
#include "passes/Graph/Simplify.h"
#include "passes/Machine/Estimate.h"
#include "passes/Machine/Tuning.h"

namespace hone {
#define GEN_PASS_DEF_NARROWVALUESPASS
#include "passes/Graph/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;
using namespace hone::graph;

/// Whether weights of bf16 are packed for products of pairs.
static bool isNarrowProduct(Operation *op) {
  PackedAttr packed;
  if (auto matmul = dyn_cast<MatmulOp>(op))
    packed = matmul.getPackedAttr();
  else if (auto conv = dyn_cast<ConvOp>(op))
    packed = conv.getPackedAttr();
  return packed && packed.getKr() == 2;
}

/// Whether a use is the left operand of a product that rounds it to bf16: with
/// few rows products take the time that reading weights takes, and multiply
/// f32.
static bool isRounded(OpOperand &use) {
  Operation *op = use.getOwner();
  if (!isNarrowProduct(op) || use.getOperandNumber() != 0)
    return false;
  auto result = cast<RankedTensorType>(op->getResult(0).getType());
  return result.hasStaticShape() &&
         estimateProduct(result.getShape().drop_back()) > tuning::kStreamedRows;
}

/// Whether a result is elements of the operands, and so has their type.
static bool passesOn(Operation *op) {
  auto pool = dyn_cast<PoolOp>(op);
  return isa<ConcatOp, ReshapeOp, SliceOp, TransposeOp>(op) ||
         (pool && pool.getKind() == PoolKind::Max &&
          pool->getNumResults() == 1);
}

/// Whether a map adds, scales or compares the elements of an input: what that
/// changes is in proportion to what rounding changes.
static bool isAdded(OpOperand &use) {
  auto map = dyn_cast<MapOp>(use.getOwner());
  if (!map || use.getOperandNumber() >= map.getInputs().size())
    return false;
  Value element = map.getBody().getArgument(use.getOperandNumber());
  return llvm::all_of(element.getUsers(), [](Operation *op) {
    return isa<arith::AddFOp, arith::SubFOp, arith::MulFOp, arith::MaximumFOp,
               arith::MinimumFOp>(op);
  });
}

static Attribute groupOf(Operation *op) { return op->getAttr("hone.group"); }

static bool isInside(OpOperand &use) {
  Attribute group = groupOf(use.get().getDefiningOp());
  return group && group == groupOf(use.getOwner());
}

static bool isF32(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.getElementType().isF32();
}

namespace {
/// The largest set of values such that each can be rounded and every use of it
/// allows that. Uses inside the own kernel read what is not stored.
class Narrowing {
public:
  explicit Narrowing(func::FuncOp function) {
    function.walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (isNarrowProduct(op) || llvm::any_of(op->getOperands(), [&](Value v) {
            return computed.contains(v);
          }))
        computed.insert(op->result_begin(), op->result_end());
      if (isa<AttentionOp, ConvOp, MapOp, MatmulOp>(op) ||
          (passesOn(op) && !groupOf(op) && op->getNumResults() == 1))
        llvm::append_range(candidates, op->getResults());
    });
    llvm::erase_if(candidates, [](Value value) {
      return !isF32(value) || value.use_empty();
    });
    for (Value value : llvm::reverse(candidates))
      if (llvm::any_of(value.getUses(), [&](OpOperand &use) {
            return isRounded(use) || (passesOn(use.getOwner()) &&
                                      multiplied.contains(resultOf(use)));
          }))
        multiplied.insert(value);
    narrow.insert(candidates.begin(), candidates.end());
    for (Value value : candidates)
      if (!isPossible(value))
        remove(value);
  }

  /// Values that are stored in bf16, each after those it is computed from.
  SmallVector<OpResult> stored() {
    SmallVector<OpResult> values;
    for (Value value : candidates)
      if (narrow.contains(value) && !isInside(*value.getUses().begin()))
        values.push_back(cast<OpResult>(value));
    return values;
  }

private:
  static Value resultOf(OpOperand &use) { return use.getOwner()->getResult(0); }

  /// Rounding what is added to something else, and not only multiplied, is for
  /// sums of products, whose terms were rounded.
  bool isFreelyAdded(OpOperand &use) {
    return isAdded(use) && multiplied.contains(use.get()) &&
           computed.contains(use.get());
  }

  /// Whether a use allows rounding as long as the results of its operation are
  /// in the set.
  bool isAllowed(OpOperand &use) {
    Operation *op = use.getOwner();
    if (isInside(use))
      return isa<MapOp>(op);
    return isRounded(use) || (passesOn(op) && !groupOf(op)) ||
           (isAdded(use) && computed.contains(use.get()));
  }

  bool isPossible(Value value) {
    Operation *op = value.getDefiningOp();
    if (passesOn(op) && !llvm::all_of(op->getOperands(), [&](Value operand) {
          return !isa<RankedTensorType>(operand.getType()) ||
                 narrow.contains(operand);
        }))
      return false;
    // What the own kernel reads as well would have to be computed twice.
    bool inside = isInside(*value.getUses().begin());
    return llvm::all_of(value.getUses(), [&](OpOperand &use) {
      return isInside(use) == inside && isAllowed(use) &&
             (isRounded(use) || isFreelyAdded(use) ||
              llvm::all_of(use.getOwner()->getResults(),
                           [&](Value v) { return narrow.contains(v); }));
    });
  }

  /// Removes a value, and others for which it was a condition.
  void remove(Value value) {
    SmallVector<Value> work;
    auto push = [&](Value v) {
      if (narrow.erase(v))
        work.push_back(v);
    };
    push(value);
    while (!work.empty()) {
      Value removed = work.pop_back_val();
      for (Operation *user : removed.getUsers())
        if (passesOn(user))
          push(user->getResult(0));
      Operation *op = removed.getDefiningOp();
      for (OpOperand &use : op->getOpOperands())
        if (!isRounded(use) && !isFreelyAdded(use))
          push(use.get());
    }
  }

  SmallVector<Value> candidates;  // in the order of the program
  llvm::DenseSet<Value> computed, // from results of products of bf16
      multiplied,                 // by such products
      narrow;
};

struct NarrowValuesPass : hone::impl::NarrowValuesPassBase<NarrowValuesPass> {
  void runOnOperation() override {
    nextGroup = 0;
    getOperation().walk([&](Operation *op) {
      if (auto group = op->getAttrOfType<IntegerAttr>("hone.group"))
        nextGroup = std::max(nextGroup, group.getInt() + 1);
    });
    for (OpResult value : Narrowing(getOperation()).stored()) {
      remark::passed(value.getLoc(), remark::RemarkOpts::name("bf16").category(
                                         "narrow-values"));
      store(value);
    }
  }

private:
  void store(OpResult value) {
    Type bf16 = BFloat16Type::get(&getContext());
    auto type = cast<RankedTensorType>(value.getType());
    if (auto map = dyn_cast<MapOp>(value.getOwner()))
      roundYielded(map, value.getResultNumber(), bf16);
    else if (isa<AttentionOp>(value.getOwner()) || passesOn(value.getOwner()))
      value.setType(type.clone(bf16));
    else
      value = roundResult(value, bf16);
    for (OpOperand &use : value.getUses())
      if (auto map = dyn_cast<MapOp>(use.getOwner()))
        widenElement(map.getBody().getArgument(use.getOperandNumber()), bf16);
  }

  /// `value` as `type`: more of it than is stored need not be computed.
  static Value round(OpBuilder &b, Location loc, Value value, Type type) {
    auto op = arith::TruncFOp::create(b, loc, type, value);
    op.setFastmath(arith::FastMathFlags::afn);
    return op;
  }

  /// Rounds what a map yields as its result `number`.
  static void roundYielded(MapOp map, unsigned number, Type type) {
    auto yield = cast<YieldOp>(map.getBody().front().getTerminator());
    OpBuilder b(yield);
    OpOperand &yielded = yield->getOpOperand(number);
    yielded.set(round(b, map.getLoc(), yielded.get(), type));
    Value result = map->getResult(number);
    result.setType(tensorType(result).clone(type));
  }

  /// The result of a product, rounded by a map of the same kernel.
  OpResult roundResult(OpResult value, Type type) {
    Operation *product = value.getOwner();
    OpBuilder b(&getContext());
    b.setInsertionPointAfter(product);
    auto yieldRounded = [&](OpBuilder &b, Location loc, ValueRange args) {
      YieldOp::create(b, loc, round(b, loc, args[0], type));
    };
    DimBuilder dims = dimsOf(product);
    auto map = MapOp::create(
        b, value.getLoc(), TypeRange(tensorType(value).clone(type)),
        Value(value), dynamicSizes(b, value.getLoc(), dims, value),
        yieldRounded);
    if (!groupOf(product))
      product->setAttr("hone.group", b.getI64IntegerAttr(nextGroup++));
    map->setAttr("hone.group", groupOf(product));
    value.replaceAllUsesExcept(map.getResult(0), map);
    return map->getResult(0);
  }

  /// A map computes with f32, whatever it reads.
  static void widenElement(BlockArgument element, Type stored) {
    OpBuilder b = OpBuilder::atBlockBegin(element.getOwner());
    Type computed = element.getType();
    element.setType(stored);
    auto widened =
        arith::ExtFOp::create(b, element.getLoc(), computed, element);
    element.replaceAllUsesExcept(widened, widened);
  }

  int64_t nextGroup; // a number that no group has
};
} // namespace
