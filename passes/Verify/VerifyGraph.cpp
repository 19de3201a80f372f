// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a model's function may contain before kernels are outlined.
#include "passes/Verify/Passes.h"

#include "dialects/Graph/KernelOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/IR/Verifier.h"

namespace hone {
#define GEN_PASS_DEF_VERIFYGRAPHPASS
#include "passes/Verify/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone::graph;

namespace {

bool isKernelOp(Operation *op) {
  return isa<KernelOpInterface, KernelYieldOp>(op);
}

struct VerifyGraphPass : hone::impl::VerifyGraphPassBase<VerifyGraphPass> {
  using Base::Base;
  void runOnOperation() override {
    blocks.clear();
    WalkResult result = getOperation().walk<WalkOrder::PreOrder>(
        [&](Operation *op) { return check(op); });
    // The phase, and its operations, continue.
    if (result.wasInterrupted() || failed(verify(getOperation())))
      signalPassFailure();
  }

private:
  WalkResult check(Operation *op) {
    bool fits = isa<GraphDialect>(op->getDialect())
                    ? !isKernelOp(op)
                    : isa<arith::ArithDialect, cf::ControlFlowDialect,
                          func::FuncDialect, math::MathDialect, scf::SCFDialect,
                          tensor::TensorDialect, ub::UBDialect, BuiltinDialect>(
                          op->getDialect());
    if (!fits) {
      op->emitOpError("must not be left in a model after the 'graph' phase");
      return WalkResult::interrupt();
    }
    auto group = op->getAttrOfType<IntegerAttr>("hone.group");
    if (!group)
      return WalkResult::advance();
    Block *&block = blocks[group.getInt()];
    if (!block)
      block = op->getBlock();
    if (block == op->getBlock())
      return WalkResult::advance();
    op->emitOpError("is of group ")
        << group.getInt() << ", which has members in another block";
    return WalkResult::interrupt();
  }

  llvm::DenseMap<int64_t, Block *> blocks; // of each group
};
} // namespace
