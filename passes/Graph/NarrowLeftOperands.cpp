// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Stores values in bf16 that only products of bf16 read: nearly all of them
// round them to it in any case.
#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Remarks.h"
#include "passes/Graph/Passes.h"
#include "passes/Graph/Simplify.h"
#include "passes/Machine/Estimate.h"
#include "passes/Machine/Tuning.h"

namespace hone {
#define GEN_PASS_DEF_NARROWLEFTOPERANDSPASS
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

/// Rounds what a map yields as its result `number`.
static void roundYielded(MapOp map, unsigned number, Type type) {
  auto yield = cast<YieldOp>(map.getBody().front().getTerminator());
  OpBuilder b(yield);
  OpOperand &yielded = yield->getOpOperand(number);
  yielded.set(arith::TruncFOp::create(b, map.getLoc(), type, yielded.get()));
  Value result = map->getResult(number);
  result.setType(tensorType(result).clone(type));
}

namespace {
struct NarrowLeftOperandsPass
    : hone::impl::NarrowLeftOperandsPassBase<NarrowLeftOperandsPass> {
  void runOnOperation() override {
    SmallVector<OpResult> values;
    getOperation().walk([&](Operation *op) {
      if (isa<MapOp, MatmulOp, ConvOp>(op))
        llvm::append_range(values, op->getResults());
    });
    Type bf16 = BFloat16Type::get(&getContext());
    for (OpResult value : values) {
      auto type = dyn_cast<RankedTensorType>(value.getType());
      if (!type || !type.getElementType().isF32() || value.use_empty() ||
          !llvm::all_of(value.getUses(), isRounded))
        continue;
      remark::passed(value.getLoc(), remark::RemarkOpts::name("bf16").category(
                                         "narrow-left-operands"));
      if (auto map = dyn_cast<MapOp>(value.getOwner())) {
        roundYielded(map, value.getResultNumber(), bf16);
        continue;
      }
      OpBuilder b(&getContext());
      b.setInsertionPointAfterValue(value);
      auto round = [&](OpBuilder &b, Location loc, ValueRange args) {
        Value result = arith::TruncFOp::create(b, loc, bf16, args[0]);
        YieldOp::create(b, loc, result);
      };
      Value rounded =
          MapOp::create(b, value.getLoc(), TypeRange(type.clone(bf16)),
                        Value(value), ValueRange(), round)
              .getResult(0);
      value.replaceAllUsesExcept(rounded, rounded.getDefiningOp());
    }
  }
};
} // namespace
