// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Rare functions of f32, by vectorized series in f64: libm computes elements
// one by one. Integer divisions likewise.
#include "passes/Cpu/Passes.h"

#include "dialects/Machine/Machine.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "passes/Emit/WideFunctions.h"
#include "llvm/ADT/bit.h"

namespace hone {
#define GEN_PASS_DEF_EXPANDRAREMATHPASS
#include "passes/Cpu/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;

/// Replaces an operation on vectors by what `compute` makes of all elements at
/// once; where they do not all fit that, it is done element by element.
static void replaceWhereAllFit(PatternRewriter &rewriter, Operation *op,
                               Value fits, function_ref<Value()> compute) {
  Location loc = op->getLoc();
  Value all = vector::ReductionOp::create(rewriter, loc,
                                          vector::CombiningKind::AND, fits);
  auto branch = scf::IfOp::create(rewriter, loc, op->getResultTypes(), all,
                                  /*withElse=*/true);
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(rewriter, loc, compute());
  rewriter.setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(rewriter, loc, computeByElement(rewriter, op));
  rewriter.replaceOp(op, branch.getResults());
}

namespace {
/// The remainder of a division of vectors. In f64 it is exact up to quotients
/// of 29 bits; if one is larger, or there is none, all go to libm.
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
    // The quotient was rounded up to an integer.
    rest = f.select(f.less(rest, f.constant(0)), f.add(rest, b), rest);
    Value infinity = f.constant(std::numeric_limits<double>::infinity());
    Value fits =
        f.both(f.less(quotient, f.constant(0x1p29)), f.less(b, infinity));
    replaceWhereAllFit(rewriter, op, fits,
                       [&] { return f.narrow(f.copySign(rest, x)); });
    return success();
  }
};

/// The quotient or remainder of vectors of integers of up to 32 bits, for which
/// there is no instruction, by floats of twice the width. A quotient a / b that
/// is not an integer differs from the next one by at least |1 / b|, more than
/// its rounding error, so that truncation is exact.
template <typename OpTy, bool isSigned, bool isRemainder = false>
struct ExpandDivision : OpRewritePattern<OpTy> {
  using OpRewritePattern<OpTy>::OpRewritePattern;

  LogicalResult matchAndRewrite(OpTy op,
                                PatternRewriter &rewriter) const override {
    auto type = dyn_cast<VectorType>(op.getType());
    if (!type || type.getRank() != 1 || !type.getElementType().isInteger())
      return rewriter.notifyMatchFailure(op, "not a vector of integers");
    unsigned width = type.getElementType().getIntOrFloatBitWidth();
    if (width < 8 || width > 32)
      return rewriter.notifyMatchFailure(op, "not of 8 to 32 bits");
    if (matchPattern(op.getRhs(), m_Constant()))
      return rewriter.notifyMatchFailure(op, "LLVM multiplies instead");
    Location loc = op.getLoc();
    Type number =
        width <= 16 ? Type(rewriter.getF32Type()) : Type(rewriter.getF64Type());
    auto toFloat = [&](Value value) -> Value {
      Type to =
          isa<VectorType>(value.getType()) ? Type(type.clone(number)) : number;
      if (isSigned)
        return arith::SIToFPOp::create(rewriter, loc, to, value);
      return arith::UIToFPOp::create(rewriter, loc, to, value);
    };
    VectorType numbers = type.clone(number);
    Value a = toFloat(op.getLhs()), b = toFloat(op.getRhs()), quotient;
    if (auto same = op.getRhs().template getDefiningOp<vector::BroadcastOp>();
        same && same.getSource().getType() == type.getElementType()) {
      // A single divisor is inverted. Its inverse is slightly too large, by
      // more than its rounding error and less than the distance of integers.
      Value inverse = arith::DivFOp::create(
          rewriter, loc,
          arith::ConstantOp::create(
              rewriter, loc,
              rewriter.getFloatAttr(number,
                                    width <= 16 ? 1 + 0x1p-19 : 1 + 0x1p-40)),
          toFloat(same.getSource()));
      quotient = arith::MulFOp::create(
          rewriter, loc, a,
          vector::BroadcastOp::create(rewriter, loc, numbers, inverse));
    } else {
      quotient = arith::DivFOp::create(rewriter, loc, a, b);
    }
    Value result = math::TruncOp::create(rewriter, loc, quotient);
    if (isRemainder)
      result = arith::SubFOp::create(
          rewriter, loc, a, arith::MulFOp::create(rewriter, loc, result, b));
    if (isSigned)
      rewriter.replaceOpWithNewOp<arith::FPToSIOp>(op, type, result);
    else
      rewriter.replaceOpWithNewOp<arith::FPToUIOp>(op, type, result);
    return success();
  }
};

/// The same for 64 bits, if all numbers have at most 51, as sizes and indices
/// do; otherwise elements are divided one by one.
template <typename OpTy, bool isSigned, bool isRemainder = false>
struct ExpandLongDivision : OpRewritePattern<OpTy> {
  using OpRewritePattern<OpTy>::OpRewritePattern;

  LogicalResult matchAndRewrite(OpTy op,
                                PatternRewriter &rewriter) const override {
    auto type = dyn_cast<VectorType>(op.getType());
    if (!type || type.getRank() != 1 || !type.getElementType().isInteger(64))
      return rewriter.notifyMatchFailure(op, "not a vector of 64 bits");
    if (matchPattern(op.getRhs(), m_Constant()))
      return rewriter.notifyMatchFailure(op, "LLVM multiplies instead");
    Location loc = op.getLoc();
    VectorType numbers = type.clone(rewriter.getF64Type());
    auto integer = [&](int64_t value) {
      return arith::ConstantOp::create(
          rewriter, loc, DenseElementsAttr::get(type, APInt(64, value)));
    };
    // Added to 1.5 times 2^52, an integer is in the low bits of the sum.
    Value round = arith::ConstantOp::create(
        rewriter, loc, DenseElementsAttr::get(numbers, APFloat(0x1.8p52)));
    Value bits = integer(llvm::bit_cast<int64_t>(0x1.8p52));
    auto toFloat = [&](Value value) -> Value {
      Value sum = arith::BitcastOp::create(
          rewriter, loc, numbers,
          arith::AddIOp::create(rewriter, loc, value, bits));
      return arith::SubFOp::create(rewriter, loc, sum, round);
    };
    int64_t limit = int64_t(1) << 51;
    auto fits = [&](Value value) -> Value {
      if (isSigned)
        value = arith::AddIOp::create(rewriter, loc, value, integer(limit));
      return arith::CmpIOp::create(rewriter, loc, arith::CmpIPredicate::ult,
                                   value,
                                   integer(isSigned ? 2 * limit : limit));
    };
    Value both = arith::AndIOp::create(rewriter, loc, fits(op.getLhs()),
                                       fits(op.getRhs()));
    replaceWhereAllFit(rewriter, op, both, [&] {
      Value a = toFloat(op.getLhs()), b = toFloat(op.getRhs());
      Value result = math::TruncOp::create(
          rewriter, loc, arith::DivFOp::create(rewriter, loc, a, b));
      if (isRemainder)
        result = arith::SubFOp::create(
            rewriter, loc, a, arith::MulFOp::create(rewriter, loc, result, b));
      Value sum = arith::BitcastOp::create(
          rewriter, loc, type,
          arith::AddFOp::create(rewriter, loc, result, round));
      return arith::SubIOp::create(rewriter, loc, sum, bits).getResult();
    });
    return success();
  }
};

struct ExpandRareMathPass
    : hone::impl::ExpandRareMathPassBase<ExpandRareMathPass> {
  using Base::Base;
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<ExpandDivision<arith::DivSIOp, true>,
                 ExpandDivision<arith::DivUIOp, false>,
                 ExpandDivision<arith::RemSIOp, true, true>,
                 ExpandDivision<arith::RemUIOp, false, true>,
                 ExpandLongDivision<arith::DivSIOp, true>,
                 ExpandLongDivision<arith::DivUIOp, false>,
                 ExpandLongDivision<arith::RemSIOp, true, true>,
                 ExpandLongDivision<arith::RemUIOp, false, true>>(
        &getContext());
    if (CpuMachine::of(getOperation()).hasFma()) {
      populateWideFunctionPatterns(patterns, /*branches=*/true);
      patterns.add<ExpandRemainder>(&getContext());
    }
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns)))) {
      getOperation()->emitError("math functions could not be expanded");
      signalPassFailure();
    }
  }
};
} // namespace
