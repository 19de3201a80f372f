// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// hone.reduce and hone.arg_reduce -> linalg.fill with the neutral element and
// linalg.generic.
#include "dialects/Graph/NeutralElement.h"
#include "passes/Linalg/Passes.h"
#include "passes/Linalg/Utils.h"

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

/// Applies `body` to each element of `input`, in a tensor like `init`.
Value eachElement(OpBuilder &builder, Location loc, Value input, Value init,
                  function_ref<Value(OpBuilder &, Location, Value)> body) {
  int64_t rank = cast<RankedTensorType>(init.getType()).getRank();
  SmallVector<AffineMap> maps(2, builder.getMultiDimIdentityMap(rank));
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             builder, loc, init.getType(), input, init, maps, iterators,
             [&](OpBuilder &builder, Location loc, ValueRange args) {
               linalg::YieldOp::create(builder, loc,
                                       body(builder, loc, args[0]));
             })
      .getResult(0);
}

/// Inputs of one shape or broadcast along the reduced axes, reduced by a loop
/// over these that starts from `init`.
Value reduceAlong(OpBuilder &builder, Location loc, ArrayRef<int64_t> axes,
                  bool keepdims, ValueRange inputs, Value init,
                  function_ref<Value(OpBuilder &, Location, ValueRange)> body) {
  int64_t rank = cast<RankedTensorType>(inputs[0].getType()).getRank();
  AffineMap reduced = reducedMap(builder.getContext(), rank, axes, keepdims);
  SmallVector<AffineMap> maps(inputs.size() + 1, reduced);
  maps.front() = builder.getMultiDimIdentityMap(rank);
  return linalg::GenericOp::create(
             builder, loc, init.getType(), inputs, init, maps,
             reducedIterators(rank, axes),
             [&](OpBuilder &builder, Location loc, ValueRange args) {
               linalg::YieldOp::create(builder, loc, body(builder, loc, args));
             })
      .getResult(0);
}

bool isNarrow(Type type) { return type.isF16() || type.isBF16(); }

/// f16 and bf16 are reduced in f32.
Value widened(OpBuilder &builder, Location loc, Value element) {
  if (!isNarrow(element.getType()))
    return element;
  return arith::ExtFOp::create(builder, loc, builder.getF32Type(), element);
}

/// The reduction in the widened type, of the shape of `like`.
Value reduceWide(OpBuilder &builder, Location loc, ReduceKind kind, Value input,
                 ArrayRef<int64_t> axes, bool keepdims, Value like) {
  Type type = getElementTypeOrSelf(input.getType());
  if (isNarrow(type))
    type = builder.getF32Type();
  return reduceAlong(builder, loc, axes, keepdims, input,
                     filled(builder, loc, like, neutralElement(kind, type)),
                     [&](OpBuilder &builder, Location loc, ValueRange args) {
                       return combine(builder, loc, kind, args[1],
                                      widened(builder, loc, args[0]));
                     });
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
    Value result = reduceWide(rewriter, loc, op.getKind(), op.getInput(),
                              op.getAxes(), op.getKeepdims(), inits->front());
    if (isNarrow(elementType))
      result = eachElement(
          rewriter, loc, result, inits->front(),
          [&](OpBuilder &builder, Location loc, Value sum) -> Value {
            return arith::TruncFOp::create(builder, loc, elementType, sum);
          });
    rewriter.replaceOp(op, result);
    return success();
  }
};

struct ConvertArgReduce : OpRewritePattern<ArgReduceOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ArgReduceOp op,
                                PatternRewriter &rewriter) const override {
    RankedTensorType type = op.getInput().getType();
    if (!type.getElementType().isIntOrFloat())
      return rewriter.notifyMatchFailure(op, "not a number");
    FailureOr<SmallVector<Value>> inits = emptyResults(rewriter, op);
    if (failed(inits))
      return rewriter.notifyMatchFailure(op, "result shape not known");
    bool isInnermost =
        llvm::all_of(type.getShape().drop_front(op.getAxis() + 1),
                     [](int64_t size) { return size == 1; });
    Value init = inits->front();
    rewriter.replaceOp(op, isInnermost ? alongInnermost(rewriter, op, init)
                                       : alongOther(rewriter, op, init));
    return success();
  }

private:
  /// Keeping the best element together with its index would be a serial
  /// dependence: instead finds the best element, and then the first or last
  /// index of an equal one. Both vectorize.
  static Value alongInnermost(OpBuilder &builder, ArgReduceOp op, Value init) {
    int64_t axis = op.getAxis();
    Location loc = op.getLoc();
    Value best = reduceWide(builder, loc, op.getKind(), op.getInput(), axis,
                            op.getKeepdims(), init);

    int64_t length = op.getInput().getType().getDimSize(axis);
    bool isShort = !ShapedType::isDynamic(length) &&
                   length <= std::numeric_limits<int32_t>::max();
    Type number = builder.getIntegerType(isShort ? 32 : 64);
    ReduceKind nearest = op.getLast() ? ReduceKind::Max : ReduceKind::Min;
    TypedAttr none = neutralElement(nearest, number);
    Value place = reduceAlong(
        builder, loc, axis, op.getKeepdims(), {op.getInput(), best},
        filled(builder, loc, init, none),
        [&](OpBuilder &builder, Location loc, ValueRange args) {
          Value hit =
              isBest(builder, loc, widened(builder, loc, args[0]), args[1]);
          Value index = arith::IndexCastOp::create(
              builder, loc, number,
              linalg::IndexOp::create(builder, loc, axis));
          Value nowhere = arith::ConstantOp::create(builder, loc, none);
          Value found =
              arith::SelectOp::create(builder, loc, hit, index, nowhere);
          return combine(builder, loc, nearest, args[2], found);
        });
    return asIndices(builder, loc, place, init, none);
  }

  /// If the best is NaN, so are all that equal it; otherwise there is no NaN.
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

  /// Indices as i64; 0 for no elements.
  static Value asIndices(OpBuilder &builder, Location loc, Value places,
                         Value like, TypedAttr none) {
    return eachElement(
        builder, loc, places, like,
        [&](OpBuilder &builder, Location loc, Value place) -> Value {
          Value nowhere = arith::ConstantOp::create(builder, loc, none);
          Value isEmpty = arith::CmpIOp::create(
              builder, loc, arith::CmpIPredicate::eq, place, nowhere);
          Value zero = arith::ConstantOp::create(
              builder, loc, builder.getZeroAttr(none.getType()));
          place = arith::SelectOp::create(builder, loc, isEmpty, zero, place);
          return place.getType().isInteger(64)
                     ? place
                     : arith::ExtUIOp::create(builder, loc,
                                              builder.getI64Type(), place);
        });
  }

  /// Vectorized over inner axes: keeps the best element so far and its index.
  static Value alongOther(OpBuilder &builder, ArgReduceOp op, Value init) {
    RankedTensorType inputType = op.getInput().getType();
    Type elementType = inputType.getElementType();
    Location loc = op.getLoc();
    int64_t rank = inputType.getRank();
    int64_t axis = op.getAxis();
    ReduceKind kind = op.getKind();
    Value values =
        filled(builder, loc, init, neutralElement(kind, elementType));
    Value indices = filled(builder, loc, init, builder.getI64IntegerAttr(0));
    AffineMap reduced =
        reducedMap(builder.getContext(), rank, axis, op.getKeepdims());
    AffineMap maps[] = {builder.getMultiDimIdentityMap(rank), reduced, reduced};
    auto generic = linalg::GenericOp::create(
        builder, loc, TypeRange{values.getType(), indices.getType()},
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
    return generic.getResult(1);
  }

  /// Whether `element` replaces `best`, which precedes it. NaN beats all
  /// numbers.
  static Value isBetter(OpBuilder &builder, Location loc, ReduceKind kind,
                        bool last, Value element, Value best) {
    bool max = kind == ReduceKind::Max || kind == ReduceKind::UMax;
    if (isa<FloatType>(element.getType())) {
      auto compare = [&](arith::CmpFPredicate predicate, Value a, Value b) {
        return arith::CmpFOp::create(builder, loc, predicate, a, b);
      };
      using P = arith::CmpFPredicate;
      // Unordered comparisons hold if either side is NaN.
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
