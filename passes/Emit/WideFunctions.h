// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Elementary functions of f32 by series in f64: with so much spare precision
// only ranges and special values need care.
#ifndef HONE_PASSES_EMIT_WIDEFUNCTIONS_H
#define HONE_PASSES_EMIT_WIDEFUNCTIONS_H

#include "passes/Emit/WideArithmetic.h"

namespace hone {

/// Functions of values that were f32, widened. Results are exact to some 1e-10.
class WideFunctions : public WideArithmetic {
public:
  using WideArithmetic::WideArithmetic;

  mlir::Value exp2(mlir::Value x);
  mlir::Value log2(mlir::Value x);
  mlir::Value log10(mlir::Value x);
  mlir::Value cbrt(mlir::Value x);
  mlir::Value sinh(mlir::Value x);
  mlir::Value cosh(mlir::Value x);
  mlir::Value asinh(mlir::Value x);
  mlir::Value acosh(mlir::Value x);
  mlir::Value atanh(mlir::Value x);
  mlir::Value atan(mlir::Value x);
  mlir::Value asin(mlir::Value x);
  mlir::Value acos(mlir::Value x);
  mlir::Value atan2(mlir::Value y, mlir::Value x);
  mlir::Value sin(mlir::Value x);
  mlir::Value cos(mlir::Value x);
  mlir::Value tan(mlir::Value x);
  mlir::Value pow(mlir::Value x, mlir::Value y);

private:
  mlir::Value complement(mlir::Value x);
  mlir::Value atanOfRatio(mlir::Value y, mlir::Value x);
  mlir::Value copyProduct(mlir::Value x, mlir::Value value);
  mlir::Value sine(mlir::Value r, mlir::Value quadrant);
};

/// Replaces a function of f32 by one of f64.
template <typename OpTy, mlir::Value (WideFunctions::*function)(mlir::Value)>
struct ExpandByWide : mlir::OpRewritePattern<OpTy> {
  ExpandByWide(mlir::MLIRContext *context, bool branches)
      : mlir::OpRewritePattern<OpTy>(context), branches(branches) {}

  mlir::LogicalResult
  matchAndRewrite(OpTy op, mlir::PatternRewriter &rewriter) const override {
    if (!mlir::getElementTypeOrSelf(op.getType()).isF32())
      return rewriter.notifyMatchFailure(op, "not f32");
    WideFunctions functions(rewriter, op.getLoc(), op.getType(), branches);
    mlir::Value x = functions.widen(op.getOperand());
    rewriter.replaceOp(op, functions.narrow((functions.*function)(x)));
    return mlir::success();
  }

private:
  bool branches;
};

/// Replaces a function of two f32 by one of f64.
template <typename OpTy,
          mlir::Value (WideFunctions::*function)(mlir::Value, mlir::Value)>
struct ExpandBinaryByWide : mlir::OpRewritePattern<OpTy> {
  using mlir::OpRewritePattern<OpTy>::OpRewritePattern;

  mlir::LogicalResult
  matchAndRewrite(OpTy op, mlir::PatternRewriter &rewriter) const override {
    if (!mlir::getElementTypeOrSelf(op.getType()).isF32())
      return rewriter.notifyMatchFailure(op, "not f32");
    WideFunctions functions(rewriter, op.getLoc(), op.getType());
    mlir::Value a = functions.widen(op->getOperand(0));
    mlir::Value b = functions.widen(op->getOperand(1));
    rewriter.replaceOp(op, functions.narrow((functions.*function)(a, b)));
    return mlir::success();
  }
};

/// The functions that all targets expand this way; see WideArithmetic for
/// `branches`.
void populateWideFunctionPatterns(mlir::RewritePatternSet &patterns,
                                  bool branches);

/// The result of an operation on one-dimensional vectors, assembled from its
/// results on each element.
mlir::Value computeByElement(mlir::OpBuilder &builder, mlir::Operation *op);

} // namespace hone

#endif // HONE_PASSES_EMIT_WIDEFUNCTIONS_H
