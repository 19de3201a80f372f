// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Fuses elementwise linalg.generic operations into their consumers, reductions
// included, so that a kernel sweeps memory as rarely as possible.
#include "passes/Linalg/Passes.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "passes/Analysis/Fusion.h"

namespace hone {
#define GEN_PASS_DEF_FUSELOOPSPASS
#include "passes/Linalg/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;

namespace {
/// Fuses one producer into `consumer`, if there is one to fuse.
bool fuseOnce(RewriterBase &rewriter, linalg::GenericOp consumer) {
  for (OpOperand *operand : consumer.getDpsInputOperands()) {
    auto producer = operand->get().getDefiningOp<linalg::GenericOp>();
    if (!producer)
      continue;
    Fusion fusion = planLoops(producer, operand);
    if (!fusion)
      continue;
    rewriter.setInsertionPoint(consumer);
    FailureOr<linalg::ElementwiseOpFusionResult> fused =
        linalg::fuseElementwiseOps(rewriter, operand);
    if (failed(fused))
      continue;
    for (auto [from, to] : fused->replacements)
      if (fusion.kind == FusionKind::Export || from.getDefiningOp() == consumer)
        rewriter.replaceAllUsesExcept(from, to, fused->fusedOp);
    rewriter.eraseOp(consumer);
    if (producer->use_empty())
      rewriter.eraseOp(producer);
    return true;
  }
  return false;
}

struct FuseLoopsPass : hone::impl::FuseLoopsPassBase<FuseLoopsPass> {
  using Base::Base;
  void runOnOperation() override {
    if (getOperation().isExternal())
      return;
    // Equal operands must be fused as one, and unused results must not be fused
    // further.
    do {
      if (failed(tidy()))
        return signalPassFailure();
    } while (fuseAny());
  }

private:
  /// Producers come first, so that a chain is folded from its start.
  bool fuseAny() {
    IRRewriter rewriter(&getContext());
    for (auto generic :
         getOperation().getBody().front().getOps<linalg::GenericOp>())
      if (fuseOnce(rewriter, generic))
        return true;
    return false;
  }

  /// Removes unused and duplicate operands and results.
  LogicalResult tidy() {
    RewritePatternSet patterns(&getContext());
    linalg::populateEraseUnusedOperandsAndResultsPatterns(patterns);
    linalg::populateInlineConstantOperandsPatterns(patterns);
    linalg::GenericOp::getCanonicalizationPatterns(patterns, &getContext());
    return applyPatternsGreedily(getOperation(), std::move(patterns));
  }
};
} // namespace
