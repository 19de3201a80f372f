// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// hone.reduce and hone.arg_reduce -> linalg.fill with the neutral element and
// linalg.generic.
#include "passes/Analysis/NeutralElement.h"
#include "passes/Convert/Passes.h"
#include "passes/Convert/Utils.h"

#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace hone;
using namespace hone::graph;

namespace {
Value combine(OpBuilder &builder, Location loc, ReduceKind kind, Value a,
              Value b) {
  bool isFloat = isa<FloatType>(a.getType());
  switch (kind) {
  case ReduceKind::Sum:
    if (isFloat)
      return arith::AddFOp::create(builder, loc, a, b);
    return arith::AddIOp::create(builder, loc, a, b);
  case ReduceKind::Prod:
    if (isFloat)
      return arith::MulFOp::create(builder, loc, a, b);
    return arith::MulIOp::create(builder, loc, a, b);
  case ReduceKind::Max:
    if (isFloat)
      return arith::MaximumFOp::create(builder, loc, a, b);
    return arith::MaxSIOp::create(builder, loc, a, b);
  case ReduceKind::Min:
    if (isFloat)
      return arith::MinimumFOp::create(builder, loc, a, b);
    return arith::MinSIOp::create(builder, loc, a, b);
  case ReduceKind::UMax:
    return arith::MaxUIOp::create(builder, loc, a, b);
  case ReduceKind::UMin:
    return arith::MinUIOp::create(builder, loc, a, b);
  }
  llvm_unreachable("all kinds are above");
}

/// The map from coordinates of the input to those of the result.
AffineMap reducedMap(MLIRContext *context, int64_t rank, ArrayRef<int64_t> axes,
                     bool keepdims) {
  SmallVector<AffineExpr> exprs;
  for (int64_t i = 0; i < rank; ++i) {
    if (!llvm::is_contained(axes, i))
      exprs.push_back(getAffineDimExpr(i, context));
    else if (keepdims)
      exprs.push_back(getAffineConstantExpr(0, context));
  }
  return AffineMap::get(rank, 0, exprs, context);
}

SmallVector<utils::IteratorType> reducedIterators(int64_t rank,
                                                  ArrayRef<int64_t> axes) {
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::parallel);
  for (int64_t axis : axes)
    iterators[axis] = utils::IteratorType::reduction;
  return iterators;
}

/// A tensor like `like` but of `elementType`, filled with `value`.
Value filled(OpBuilder &builder, Location loc, Value like, TypedAttr value) {
  auto empty = like.getDefiningOp<tensor::EmptyOp>();
  auto type = cast<RankedTensorType>(like.getType()).clone(value.getType());
  Value init =
      tensor::EmptyOp::create(builder, loc, type, empty.getDynamicSizes());
  Value scalar = arith::ConstantOp::create(builder, loc, value);
  return linalg::FillOp::create(builder, loc, scalar, init).getResult(0);
}

struct ConvertReduce : OpRewritePattern<ReduceOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ReduceOp op,
                                PatternRewriter &rewriter) const override {
    Type elementType = op.getInput().getType().getElementType();
    if (!elementType.isIntOrFloat())
      return rewriter.notifyMatchFailure(op, "not a number");
    FailureOr<SmallVector<Value>> inits = emptyResults(rewriter, op);
    if (failed(inits))
      return rewriter.notifyMatchFailure(op, "result shape not known");
    Location loc = op.getLoc();
    bool narrow = elementType.isF16() || elementType.isBF16();
    Type sumType = narrow ? rewriter.getF32Type() : elementType;
    ReduceKind kind = op.getKind();
    int64_t rank = op.getInput().getType().getRank();
    Value init =
        filled(rewriter, loc, inits->front(), neutralElement(kind, sumType));
    AffineMap maps[] = {
        rewriter.getMultiDimIdentityMap(rank),
        reducedMap(getContext(), rank, op.getAxes(), op.getKeepdims())};
    auto generic = linalg::GenericOp::create(
        rewriter, loc, init.getType(), op.getInput(), init, maps,
        reducedIterators(rank, op.getAxes()),
        [&](OpBuilder &builder, Location loc, ValueRange args) {
          Value element = args[0];
          if (narrow)
            element = arith::ExtFOp::create(builder, loc, sumType, element);
          Value sum = combine(builder, loc, kind, args[1], element);
          linalg::YieldOp::create(builder, loc, sum);
        });
    Value result = generic.getResult(0);
    if (narrow) {
      int64_t resultRank = op.getResult().getType().getRank();
      AffineMap identity = rewriter.getMultiDimIdentityMap(resultRank);
      AffineMap twice[] = {identity, identity};
      SmallVector<utils::IteratorType> iterators(resultRank,
                                                 utils::IteratorType::parallel);
      result = linalg::GenericOp::create(
                   rewriter, loc, op.getResult().getType(), result,
                   inits->front(), twice, iterators,
                   [&](OpBuilder &builder, Location loc, ValueRange args) {
                     Value element = arith::TruncFOp::create(
                         builder, loc, elementType, args[0]);
                     linalg::YieldOp::create(builder, loc, element);
                   })
                   .getResult(0);
    }
    rewriter.replaceOp(op, result);
    return success();
  }
};

/// Keeps the best element so far beside its index.
struct ConvertArgReduce : OpRewritePattern<ArgReduceOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ArgReduceOp op,
                                PatternRewriter &rewriter) const override {
    auto inputType = cast<RankedTensorType>(op.getInput().getType());
    Type elementType = inputType.getElementType();
    if (!elementType.isIntOrFloat())
      return rewriter.notifyMatchFailure(op, "not a number");
    FailureOr<SmallVector<Value>> inits = emptyResults(rewriter, op);
    if (failed(inits))
      return rewriter.notifyMatchFailure(op, "result shape not known");
    Location loc = op.getLoc();
    int64_t rank = inputType.getRank();
    int64_t axis = op.getAxis();
    ReduceKind kind = op.getKind();
    Value values = filled(rewriter, loc, inits->front(),
                          neutralElement(kind, elementType));
    Value indices =
        filled(rewriter, loc, inits->front(), rewriter.getI64IntegerAttr(0));
    AffineMap reduced = reducedMap(getContext(), rank, axis, op.getKeepdims());
    AffineMap maps[] = {rewriter.getMultiDimIdentityMap(rank), reduced,
                        reduced};
    auto generic = linalg::GenericOp::create(
        rewriter, loc, TypeRange{values.getType(), indices.getType()},
        op.getInput(), ValueRange{values, indices}, maps,
        reducedIterators(rank, axis),
        [&](OpBuilder &builder, Location loc, ValueRange args) {
          Value wins =
              isBetter(builder, loc, kind, op.getLast(), args[0], args[1]);
          Value index = linalg::IndexOp::create(builder, loc, axis);
          Value number = arith::IndexCastOp::create(
              builder, loc, builder.getI64Type(), index);
          Value value =
              arith::SelectOp::create(builder, loc, wins, args[0], args[1]);
          Value best =
              arith::SelectOp::create(builder, loc, wins, number, args[2]);
          linalg::YieldOp::create(builder, loc, ValueRange{value, best});
        });
    rewriter.replaceOp(op, generic.getResult(1));
    return success();
  }

private:
  /// Whether `element` takes the place of `best`, which comes before it. NaN
  /// beats all numbers.
  static Value isBetter(OpBuilder &builder, Location loc, ReduceKind kind,
                        bool last, Value element, Value best) {
    bool max = kind == ReduceKind::Max || kind == ReduceKind::UMax;
    if (isa<FloatType>(element.getType())) {
      auto compare = [&](arith::CmpFPredicate predicate, Value a, Value b) {
        return arith::CmpFOp::create(builder, loc, predicate, a, b);
      };
      using P = arith::CmpFPredicate;
      // Unordered comparisons hold for NaN on either side.
      P predicate = max ? (last ? P::UGE : P::UGT) : (last ? P::ULE : P::ULT);
      Value wins = compare(predicate, element, best);
      Value nan = compare(P::UNO, element, element);
      Value bestIsNumber = compare(P::ORD, best, best);
      Value allowed =
          last ? arith::OrIOp::create(builder, loc, nan, bestIsNumber)
                     .getResult()
               : bestIsNumber;
      return arith::AndIOp::create(builder, loc, wins, allowed);
    }
    using P = arith::CmpIPredicate;
    P predicate;
    if (kind == ReduceKind::Max)
      predicate = last ? P::sge : P::sgt;
    else if (kind == ReduceKind::Min)
      predicate = last ? P::sle : P::slt;
    else if (kind == ReduceKind::UMax)
      predicate = last ? P::uge : P::ugt;
    else
      predicate = last ? P::ule : P::ult;
    return arith::CmpIOp::create(builder, loc, predicate, element, best);
  }
};
} // namespace

void hone::populateReduceToLinalgPatterns(RewritePatternSet &patterns) {
  patterns.add<ConvertReduce, ConvertArgReduce>(patterns.getContext());
}
