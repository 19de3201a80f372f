// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Fuses elementwise linalg.generic operations into their consumers, reductions
// included, so that a kernel sweeps memory as rarely as possible.
#include "passes/Linalg/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "passes/Machine/Tuning.h"

namespace hone {
#define GEN_PASS_DEF_FUSELOOPSPASS
#include "passes/Linalg/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;

namespace {
bool isCheap(linalg::GenericOp op) {
  int count = 0;
  for (Operation &inner : op.getRegion().front().without_terminator()) {
    if (isa<arith::ConstantOp, linalg::IndexOp, arith::IndexCastOp>(inner))
      continue;
    if (!isa<arith::ArithDialect>(inner.getDialect()) ||
        isa<arith::DivFOp, arith::DivSIOp, arith::DivUIOp, arith::RemSIOp,
            arith::RemUIOp, arith::RemFOp>(inner))
      return false;
    ++count;
  }
  return count <= tuning::kRecomputedOps;
}

/// Whether the consumer reads each element of the operand in only one
/// iteration.
bool readsOnce(linalg::GenericOp consumer, OpOperand *operand) {
  return consumer.getMatchingIndexingMap(operand).isPermutation();
}

/// All other users of the producer's results come later in the block.
bool isFirstUser(linalg::GenericOp producer, Operation *consumer) {
  for (Operation *user : producer->getUsers()) {
    Operation *inBlock = consumer->getBlock()->findAncestorOpInBlock(*user);
    if (!inBlock || (inBlock != consumer && inBlock->isBeforeInBlock(consumer)))
      return false;
  }
  return true;
}

bool shouldFuse(OpOperand *operand) {
  auto consumer = cast<linalg::GenericOp>(operand->getOwner());
  auto producer = operand->get().getDefiningOp<linalg::GenericOp>();
  if (!producer || !linalg::areElementwiseOpsFusable(operand))
    return false;
  // Users in regions read at computed indices.
  for (Operation *user : producer->getUsers())
    if (user->getBlock() != consumer->getBlock())
      return false;
  bool onlyUser = llvm::all_of(producer->getUsers(), [&](Operation *user) {
    return user == consumer.getOperation();
  });
  if (onlyUser)
    return true;
  if (isCheap(producer))
    return true;
  return readsOnce(consumer, operand) && isFirstUser(producer, consumer);
}

/// Fuses one producer into `consumer`, if there is one to fuse.
bool fuseOnce(RewriterBase &rewriter, linalg::GenericOp consumer) {
  for (OpOperand *operand : consumer.getDpsInputOperands()) {
    if (!shouldFuse(operand))
      continue;
    auto producer = operand->get().getDefiningOp<linalg::GenericOp>();
    bool moves =
        readsOnce(consumer, operand) && isFirstUser(producer, consumer);
    rewriter.setInsertionPoint(consumer);
    FailureOr<linalg::ElementwiseOpFusionResult> fused =
        linalg::fuseElementwiseOps(rewriter, operand);
    if (failed(fused))
      continue;
    for (auto [from, to] : fused->replacements)
      if (moves || from.getDefiningOp() == consumer)
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
