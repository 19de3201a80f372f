// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The host function's branches and loops as a control flow graph, from its end
// to its start: the code after a branch moves to a block of its own, and in
// this order that is only the code up to the next branch.
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Iterators.h"
#include "mlir/Rewrite/PatternApplicator.h"
#include "passes/Rt/Passes.h"

namespace hone {
#define GEN_PASS_DEF_LOWERHOSTCONTROLPASS
#include "passes/Rt/Passes.h.inc"
} // namespace hone

using namespace mlir;

namespace {

struct LowerHostControlPass
    : hone::impl::LowerHostControlPassBase<LowerHostControlPass> {
  using Base::Base;

  LogicalResult initialize(MLIRContext *context) override {
    RewritePatternSet owned(context);
    populateSCFToControlFlowConversionPatterns(owned);
    patterns = std::move(owned);
    return success();
  }

  void runOnOperation() override {
    // A region moves into the function while it has one or two blocks, before
    // its content is lowered.
    SmallVector<Operation *> ops;
    getOperation()->walk<WalkOrder::PreOrder, ReverseIterator>(
        [&](Operation *op) {
          if (isa<scf::IfOp, scf::ForOp, scf::WhileOp, scf::IndexSwitchOp>(op))
            ops.push_back(op);
        });
    PatternApplicator applicator(patterns);
    applicator.applyDefaultCostModel();
    PatternRewriter rewriter(&getContext());
    for (Operation *op : ops) {
      rewriter.setInsertionPoint(op);
      if (failed(applicator.matchAndRewrite(op, rewriter))) {
        op->emitError("has no control flow graph");
        return signalPassFailure();
      }
    }
  }

private:
  FrozenRewritePatternSet patterns;
};

} // namespace
