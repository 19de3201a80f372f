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

/// Inputs of one shape or broadcast along the reduced axis, and what a loop
/// over that axis makes of them: `init` is what it starts from.
Value reduceAlong(OpBuilder &builder, Location loc, ArgReduceOp op,
                  ValueRange inputs, Value init,
                  function_ref<Value(OpBuilder &, Location, ValueRange)> body) {
  int64_t rank = op.getInput().getType().getRank();
  AffineMap reduced =
      reducedMap(builder.getContext(), rank, op.getAxis(), op.getKeepdims());
  SmallVector<AffineMap> maps(inputs.size() + 1, reduced);
  maps.front() = builder.getMultiDimIdentityMap(rank);
  return linalg::GenericOp::create(
             builder, loc, init.getType(), inputs, init, maps,
             reducedIterators(rank, op.getAxis()),
             [&](OpBuilder &builder, Location loc, ValueRange args) {
               linalg::YieldOp::create(builder, loc, body(builder, loc, args));
             })
      .getResult(0);
}

/// Along the innermost axis, where a step that keeps the best element and its
/// index would wait for the step before: finds the best element, and then the
/// first or last index of one that equals it. Vectors do either.
struct ConvertInnerArgReduce : OpRewritePattern<ArgReduceOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ArgReduceOp op,
                                PatternRewriter &rewriter) const override {
    auto inputType = cast<RankedTensorType>(op.getInput().getType());
    Type elementType = inputType.getElementType();
    if (!elementType.isIntOrFloat())
      return rewriter.notifyMatchFailure(op, "not a number");
    int64_t axis = op.getAxis();
    if (llvm::any_of(inputType.getShape().drop_front(axis + 1),
                     [](int64_t size) { return size != 1; }))
      return rewriter.notifyMatchFailure(op, "not along the innermost axis");
    FailureOr<SmallVector<Value>> inits = emptyResults(rewriter, op);
    if (failed(inits))
      return rewriter.notifyMatchFailure(op, "result shape not known");
    Location loc = op.getLoc();
    bool narrow = elementType.isF16() || elementType.isBF16();
    Type type = narrow ? rewriter.getF32Type() : elementType;
    auto widened = [&](OpBuilder &builder, Value element) -> Value {
      return narrow ? arith::ExtFOp::create(builder, loc, type, element)
                    : element;
    };
    Value best =
        reduceAlong(rewriter, loc, op, op.getInput(),
                    filled(rewriter, loc, inits->front(),
                           neutralElement(op.getKind(), type)),
                    [&](OpBuilder &builder, Location loc, ValueRange args) {
                      return combine(builder, loc, op.getKind(), args[1],
                                     widened(builder, args[0]));
                    });

    int64_t length = inputType.getDimSize(axis);
    bool isShort = !ShapedType::isDynamic(length) &&
                   length <= std::numeric_limits<int32_t>::max();
    Type number = rewriter.getIntegerType(isShort ? 32 : 64);
    ReduceKind nearest = op.getLast() ? ReduceKind::Max : ReduceKind::Min;
    TypedAttr none = neutralElement(nearest, number);
    Value place = reduceAlong(
        rewriter, loc, op, {op.getInput(), best},
        filled(rewriter, loc, inits->front(), none),
        [&](OpBuilder &builder, Location loc, ValueRange args) {
          Value hit = isBest(builder, loc, widened(builder, args[0]), args[1]);
          Value index = arith::IndexCastOp::create(
              builder, loc, number,
              linalg::IndexOp::create(builder, loc, axis));
          Value nowhere = arith::ConstantOp::create(builder, loc, none);
          Value found =
              arith::SelectOp::create(builder, loc, hit, index, nowhere);
          return combine(builder, loc, nearest, args[2], found);
        });
    rewriter.replaceOp(op,
                       asIndices(rewriter, loc, place, inits->front(), none));
    return success();
  }

private:
  /// Where the best is NaN, so are all that equal it; else there is no NaN.
  static Value isBest(OpBuilder &builder, Location loc, Value element,
                      Value best) {
    if (!isa<FloatType>(element.getType()))
      return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                   element, best);
    using P = arith::CmpFPredicate;
    Value same = arith::CmpFOp::create(builder, loc, P::OEQ, element, best);
    Value isNan = arith::CmpFOp::create(builder, loc, P::UNO, element, element);
    return arith::OrIOp::create(builder, loc, same, isNan);
  }

  /// Places as i64; of no elements, 0.
  static Value asIndices(OpBuilder &builder, Location loc, Value places,
                         Value like, TypedAttr none) {
    int64_t rank = cast<RankedTensorType>(places.getType()).getRank();
    SmallVector<AffineMap> maps(2, builder.getMultiDimIdentityMap(rank));
    SmallVector<utils::IteratorType> iterators(rank,
                                               utils::IteratorType::parallel);
    return linalg::GenericOp::create(
               builder, loc, like.getType(), places, like, maps, iterators,
               [&](OpBuilder &builder, Location loc, ValueRange args) {
                 Value nowhere = arith::ConstantOp::create(builder, loc, none);
                 Value isEmpty = arith::CmpIOp::create(
                     builder, loc, arith::CmpIPredicate::eq, args[0], nowhere);
                 Value zero = arith::ConstantOp::create(
                     builder, loc, builder.getZeroAttr(none.getType()));
                 Value place = arith::SelectOp::create(builder, loc, isEmpty,
                                                       zero, args[0]);
                 if (!place.getType().isInteger(64))
                   place = arith::ExtUIOp::create(builder, loc,
                                                  builder.getI64Type(), place);
                 linalg::YieldOp::create(builder, loc, place);
               })
        .getResult(0);
  }
};

/// Along other axes, where vectors go over those inside: keeps the best element
/// so far beside its index.
struct ConvertOuterArgReduce : OpRewritePattern<ArgReduceOp> {
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
  patterns.add<ConvertReduce, ConvertOuterArgReduce>(patterns.getContext());
  patterns.add<ConvertInnerArgReduce>(patterns.getContext(), /*benefit=*/2);
}
