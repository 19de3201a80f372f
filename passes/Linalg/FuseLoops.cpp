// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Fuses elementwise linalg.generic operations into their consumers, reductions
// included, so that a kernel sweeps memory as rarely as possible.
#include "passes/Linalg/Passes.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/IR/IRMapping.h"
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

/// A loop that does what two do.
linalg::GenericOp merge(RewriterBase &rewriter, linalg::GenericOp first,
                        linalg::GenericOp second) {
  SmallVector<Value> inputs(first.getInputs()), inits(first.getOutputs());
  llvm::append_range(inputs, second.getInputs());
  llvm::append_range(inits, second.getOutputs());
  SmallVector<AffineMap> maps;
  for (linalg::GenericOp op : {first, second})
    for (OpOperand *operand : op.getDpsInputOperands())
      maps.push_back(op.getMatchingIndexingMap(operand));
  for (linalg::GenericOp op : {first, second})
    for (OpOperand &operand : op.getDpsInitsMutable())
      maps.push_back(op.getMatchingIndexingMap(&operand));
  SmallVector<Type> types(first->getResultTypes());
  llvm::append_range(types, second->getResultTypes());

  rewriter.setInsertionPoint(second);
  auto both = linalg::GenericOp::create(
      rewriter, rewriter.getFusedLoc({first.getLoc(), second.getLoc()}), types,
      inputs, inits, maps, first.getIteratorTypesArray());
  Block *body = rewriter.createBlock(&both.getRegion());
  SmallVector<Value> yielded;
  size_t input = 0, init = inputs.size();
  for (Value operand : both->getOperands())
    body->addArgument(getElementTypeOrSelf(operand), operand.getLoc());
  for (linalg::GenericOp op : {first, second}) {
    IRMapping mapping;
    for (BlockArgument argument : op.getRegionInputArgs())
      mapping.map(argument, body->getArgument(input++));
    for (BlockArgument argument : op.getRegionOutputArgs())
      mapping.map(argument, body->getArgument(init++));
    for (Operation &inner : op.getBody()->without_terminator())
      rewriter.clone(inner, mapping);
    for (Value value : op.getBody()->getTerminator()->getOperands())
      yielded.push_back(mapping.lookupOrDefault(value));
  }
  linalg::YieldOp::create(rewriter, both.getLoc(), yielded);
  unsigned split = first->getNumResults();
  rewriter.replaceOp(first, both->getResults().take_front(split));
  rewriter.replaceOp(second, both->getResults().drop_front(split));
  return both;
}

struct FuseLoopsPass : hone::impl::FuseLoopsPassBase<FuseLoopsPass> {
  using Base::Base;
  void runOnOperation() override {
    if (getOperation().isExternal())
      return;
    mergeSiblings();
    // Equal operands must be fused as one, and unused results must not be fused
    // further.
    do {
      if (failed(tidy()))
        return signalPassFailure();
    } while (fuseAny());
  }

private:
  /// Merges reductions of the same input.
  void mergeSiblings() {
    IRRewriter rewriter(&getContext());
    SmallVector<linalg::GenericOp> reductions;
    for (auto generic :
         getOperation().getBody().front().getOps<linalg::GenericOp>())
      if (generic.getNumReductionLoops() > 0)
        reductions.push_back(generic);
    for (size_t i = 1; i < reductions.size(); ++i)
      for (size_t j = 0; j < i; ++j)
        if (reductions[j] && planSiblings(reductions[j], reductions[i])) {
          reductions[i] = merge(rewriter, reductions[j], reductions[i]);
          reductions[j] = nullptr;
        }
  }

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
