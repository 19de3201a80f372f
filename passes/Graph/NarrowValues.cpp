// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Stores values between kernels in bf16 that only products of bf16 read: these
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

/// Whether a use is the left operand of a product that rounds it to bf16: with
/// few rows products take the time that reading weights takes, and multiply
/// f32.
static bool isRounded(OpOperand &use) {
  Operation *op = use.getOwner();
  PackedAttr packed;
  if (auto matmul = dyn_cast<MatmulOp>(op))
    packed = matmul.getPackedAttr();
  else if (auto conv = dyn_cast<ConvOp>(op))
    packed = conv.getPackedAttr();
  if (!packed || packed.getKr() != 2 || use.getOperandNumber() != 0)
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

static Attribute groupOf(Operation *op) { return op->getAttr("hone.group"); }

static bool isF32(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.getElementType().isF32();
}

namespace {
/// The largest set of values that can be rounded, each of which only products
/// that round it read, directly or after operations that pass on elements. Any
/// other reader may need all bits: it may subtract, or make an index of it.
class Narrowing {
public:
  explicit Narrowing(func::FuncOp function) {
    function.walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (isa<AttentionOp, ConvOp, MapOp, MatmulOp>(op) || isMovement(op))
        llvm::append_range(candidates, op->getResults());
    });
    llvm::erase_if(candidates, [](Value value) {
      return !isF32(value) || value.use_empty();
    });
    narrow.insert(candidates.begin(), candidates.end());
    for (Value value : candidates)
      if (!isPossible(value))
        remove(value);
  }

  /// Values that are stored in bf16, each after those it is computed from.
  SmallVector<OpResult> stored() {
    SmallVector<OpResult> values;
    for (Value value : candidates)
      if (narrow.contains(value))
        values.push_back(cast<OpResult>(value));
    return values;
  }

private:
  /// Whether an operation that is a kernel of its own passes on elements.
  static bool isMovement(Operation *op) { return passesOn(op) && !groupOf(op); }

  bool isPossible(Value value) {
    Operation *op = value.getDefiningOp();
    if (passesOn(op) && !llvm::all_of(op->getOperands(), [&](Value operand) {
          return !isa<RankedTensorType>(operand.getType()) ||
                 narrow.contains(operand);
        }))
      return false;
    return llvm::all_of(value.getUses(), [&](OpOperand &use) {
      return isRounded(use) || (isMovement(use.getOwner()) &&
                                narrow.contains(use.getOwner()->getResult(0)));
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
      if (passesOn(op))
        for (Value operand : op->getOperands())
          push(operand);
    }
  }

  SmallVector<Value> candidates; // in the order of the program
  llvm::DenseSet<Value> narrow;
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
      roundResult(value, bf16);
  }

  /// `value` as `type`. Products take subnormal numbers for 0, too.
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
  void roundResult(OpResult value, Type type) {
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
  }

  int64_t nextGroup; // a number that no group has
};
} // namespace
