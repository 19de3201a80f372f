// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Functions of f32 that are rare, by series in f64, which vectors do many of at
// once: libm takes them one by one.
#include "passes/Cpu/Passes.h"

#include "dialects/Machine/Machine.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "passes/Loops/WideFunctions.h"

namespace hone {
#define GEN_PASS_DEF_EXPANDRAREMATHPASS
#include "passes/Cpu/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;

namespace {
/// The remainder of a division of vectors. In f64 it is exact up to quotients
/// of 29 bits; where one has more, or is none, all go to libm.
struct ExpandRemainder : OpRewritePattern<arith::RemFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::RemFOp op,
                                PatternRewriter &rewriter) const override {
    auto type = dyn_cast<VectorType>(op.getType());
    if (!type || type.getRank() != 1 || !type.getElementType().isF32())
      return rewriter.notifyMatchFailure(op, "not a vector of f32");
    Location loc = op.getLoc();
    WideFunctions f(rewriter, loc, type);
    Value x = f.widen(op.getLhs()), a = f.abs(x);
    Value b = f.abs(f.widen(op.getRhs()));
    Value quotient = f.floor(f.div(a, b));
    Value rest = f.fma(f.sub(f.constant(0), quotient), b, a);
    // The quotient was rounded up to a whole number.
    rest = f.select(f.less(rest, f.constant(0)), f.add(rest, b), rest);
    Value infinity = f.constant(std::numeric_limits<double>::infinity());
    Value fits =
        f.both(f.less(quotient, f.constant(0x1p29)), f.less(b, infinity));
    Value all = vector::ReductionOp::create(rewriter, loc,
                                            vector::CombiningKind::AND, fits);
    auto branch = scf::IfOp::create(rewriter, loc, TypeRange{type}, all,
                                    /*withElse=*/true);
    OpBuilder::InsertionGuard guard(rewriter);
    rewriter.setInsertionPointToStart(branch.thenBlock());
    scf::YieldOp::create(rewriter, loc, f.narrow(f.copySign(rest, x)));
    rewriter.setInsertionPointToStart(branch.elseBlock());
    scf::YieldOp::create(rewriter, loc, computeByElement(rewriter, op));
    rewriter.replaceOp(op, branch.getResult(0));
    return success();
  }
};

struct ExpandRareMathPass
    : hone::impl::ExpandRareMathPassBase<ExpandRareMathPass> {
  using Base::Base;
  void runOnOperation() override {
    if (!CpuMachine::of(getOperation()).hasFma())
      return;
    RewritePatternSet patterns(&getContext());
    populateWideFunctionPatterns(patterns, /*branches=*/true);
    patterns.add<ExpandRemainder>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns)))) {
      getOperation()->emitError("math functions could not be expanded");
      signalPassFailure();
    }
  }
};
} // namespace
