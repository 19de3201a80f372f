// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reductions of single operations, as patterns that test whether the failure
// stays. Dialects of plugins can have some too, by MLIR's interface.
//
// MLIR's own pass for such patterns applies all of them first, and reads a
// module that it has freed if the failure is gone then.
#include "compiler/Reduce/Patterns.h"
#include "dialects/Graph/Graph.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Reducer/ReductionPatternInterface.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;
using namespace hone;

namespace {

/// An operation is replaced by an operand of its type.
struct UseOperand : RewritePattern {
  UseOperand(MLIRContext *context, Tester &tester)
      : RewritePattern(MatchAnyOpTypeTag(), /*benefit=*/1, context),
        tester(tester) {}

  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    if (op->getNumResults() != 1 || op->use_empty())
      return rewriter.notifyMatchFailure(op, "not one result with uses");
    for (Value operand : op->getOperands())
      if (operand.getType() == op->getResult(0).getType() &&
          failsWith(op, operand)) {
        rewriter.replaceOp(op, operand);
        return success();
      }
    return rewriter.notifyMatchFailure(op, "the failure needs it");
  }

private:
  /// Whether the module fails with `value` in place of the operation.
  bool failsWith(Operation *op, Value value) const {
    auto module = op->getParentOfType<ModuleOp>();
    SmallVector<OpOperand *> uses;
    for (OpOperand &use : op->getUses())
      uses.push_back(&use);
    for (OpOperand *use : uses)
      use->set(value);
    bool fails =
        succeeded(verify(module)) &&
        tester.isInteresting(module).first == Tester::Interestingness::True;
    for (OpOperand *use : uses)
      use->set(op->getResult(0));
    return fails;
  }

  Tester &tester;
};

struct GraphReductions : DialectReductionPatternInterface {
  explicit GraphReductions(Dialect *dialect)
      : DialectReductionPatternInterface(dialect) {}

  void populateReductionPatterns(RewritePatternSet &) const override {}
  void populateReductionPatternsWithTester(RewritePatternSet &patterns,
                                           Tester &tester) const override {
    patterns.add<UseOperand>(patterns.getContext(), tester);
  }
};

} // namespace

void hone::applyReductionPatterns(ModuleOp module, Tester &tester) {
  MLIRContext *context = module.getContext();
  auto *dialect = context->getLoadedDialect<graph::GraphDialect>();
  if (!dialect->getRegisteredInterface<DialectReductionPatternInterface>())
    dialect->addInterfaces<GraphReductions>();
  RewritePatternSet patterns(context);
  for (const DialectReductionPatternInterface &reductions :
       DialectInterfaceCollection<DialectReductionPatternInterface>(context))
    reductions.populateReductionPatternsWithTester(patterns, tester);
  SmallVector<Operation *> operations;
  module.walk([&](Operation *op) {
    if (!op->hasTrait<OpTrait::IsTerminator>())
      operations.push_back(op);
  });
  GreedyRewriteConfig config;
  config.setStrictness(GreedyRewriteStrictness::ExistingOps)
      .enableFolding(false)
      .enableConstantCSE(false)
      .setRegionSimplificationLevel(GreedySimplifyRegionLevel::Disabled);
  // What it converges to does not matter.
  LogicalResult converged =
      applyOpPatternsGreedily(operations, std::move(patterns), config);
  static_cast<void>(converged);
}
