// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Runs all simplification patterns to a fixed point.
#include "passes/Graph/Simplify.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "passes/Graph/Passes.h"

namespace hone {
#define GEN_PASS_DEF_SIMPLIFYPASS
#include "passes/Graph/Passes.h.inc"
} // namespace hone

using namespace mlir;

namespace {

/// A branch on a known condition is taken. (The patterns of scf would also turn
/// small branches into selects, which tensors do not support.)
struct TakeKnownBranch : OpRewritePattern<scf::IfOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(scf::IfOp op,
                                PatternRewriter &rewriter) const override {
    std::optional<int64_t> condition =
        getConstantIntValue(OpFoldResult(op.getCondition()));
    if (!condition)
      return rewriter.notifyMatchFailure(op, "the condition is not known");
    Region &region = *condition ? op.getThenRegion() : op.getElseRegion();
    if (region.empty()) {
      rewriter.eraseOp(op);
      return success();
    }
    Operation *yield = region.front().getTerminator();
    rewriter.inlineBlockBefore(&region.front(), op);
    rewriter.replaceOp(op, yield->getOperands());
    rewriter.eraseOp(yield);
    return success();
  }
};

/// Folding results of other dialects become their constants: a slice of equal
/// elements, for one.
struct OwnConstant : OpRewritePattern<arith::ConstantOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(arith::ConstantOp op,
                                PatternRewriter &rewriter) const override {
    auto elements = dyn_cast<ElementsAttr>(op.getValue());
    if (!elements || !isa<RankedTensorType>(op.getType()))
      return rewriter.notifyMatchFailure(op, "not a tensor");
    rewriter.replaceOpWithNewOp<hone::graph::ConstantOp>(op, elements);
    return success();
  }
};

/// Operations of more operands than this wait until the others are simplified:
/// each changed operand would have all of them revisited.
constexpr unsigned kWide = 64;

struct SimplifyPass : hone::impl::SimplifyPassBase<SimplifyPass> {
  using Base::Base;

  LogicalResult initialize(MLIRContext *context) override {
    RewritePatternSet owned(context);
    hone::populateSimplifyMapPatterns(owned);
    hone::populateSimplifyMovementPatterns(owned);
    hone::populateSimplifyTransposePatterns(owned);
    hone::populateSimplifyContractionPatterns(owned);
    hone::graph::ReshapeOp::getCanonicalizationPatterns(owned, context);
    hone::graph::TransposeOp::getCanonicalizationPatterns(owned, context);
    populateMathAlgebraicSimplificationPatterns(owned);
    for (RegisteredOperationName name : context->getRegisteredOperations())
      if (isa<arith::ArithDialect>(name.getDialect()))
        name.getCanonicalizationPatterns(owned, context);
    cf::AssertOp::getCanonicalizationPatterns(owned, context);
    owned.add<TakeKnownBranch, OwnConstant>(context);
    patterns = std::move(owned);
    return success();
  }

  void runOnOperation() override {
    GreedyRewriteConfig config;
    bool changed = true;
    for (int64_t i = 0; changed && i < config.getMaxIterations(); ++i) {
      changed = false;
      for (bool wide : {false, true})
        if (failed(simplify(wide, config, changed))) {
          getOperation()->emitError("hone-simplify did not converge");
          return signalPassFailure();
        }
    }
  }

private:
  /// Simplifies the operations of few operands, or those of many, from the
  /// inputs down.
  LogicalResult simplify(bool wide, GreedyRewriteConfig config, bool &changed) {
    SmallVector<Operation *> ops;
    getOperation()->walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (op != getOperation() && (op->getNumOperands() > kWide) == wide)
        ops.push_back(op);
    });
    std::reverse(ops.begin(), ops.end()); // the last is the first to be taken
    if (ops.empty())
      return success();
    config.setScope(&getOperation()->getRegion(0));
    config.setStrictness(GreedyRewriteStrictness::ExistingAndNewOps);
    bool changedNow = false;
    LogicalResult result =
        applyOpPatternsGreedily(ops, patterns, config, &changedNow);
    changed |= changedNow;
    return result;
  }

  FrozenRewritePatternSet patterns;
};
} // namespace
