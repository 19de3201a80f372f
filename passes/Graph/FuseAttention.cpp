// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Finds product, softmax and product, and fuses them into one attention.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Remarks.h"
#include "passes/Analysis/Fusion.h"
#include "passes/Graph/Passes.h"
#include "passes/Graph/Simplify.h"
#include "passes/Machine/Tuning.h"

namespace hone {
#define GEN_PASS_DEF_FUSEATTENTIONPASS
#include "passes/Graph/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;
using namespace hone::graph;

namespace {

/// The operations of an attention, from the last to the first.
struct SoftmaxProduct {
  MatmulOp product; ///< probabilities x value
  MapOp normalize;  ///< exponentials x inverse, or exponentials / total
  ReduceOp noScore; ///< whether all scores of a row are -inf; may be missing
  MapOp isLowest;   ///< whether a score is -inf; with `noScore`
  MapOp inverse;    ///< 1 / total; may be missing
  ReduceOp total;
  MapOp powers; ///< exp(score - top)
  ReduceOp top;
  MapOp epilogue; ///< of the scores; may be missing
  MatmulOp scores;
  bool masked = false;

  /// Fills all from `product` on; otherwise says what is missing.
  const char *match();

private:
  /// The element that `last` chooses for a row without a score, and the other.
  Value withoutRowGuard(Value last);
  const char *matchNormalization();
  const char *matchPowers();
  const char *matchScores();
};

/// What a map of one result yields.
Value yielded(MapOp map) {
  return map.getBody().front().getTerminator()->getOperand(0);
}

/// The input of `map` for an argument of its region.
Value inputOf(MapOp map, Value argument) {
  auto blockArgument = dyn_cast<BlockArgument>(argument);
  if (!blockArgument || blockArgument.getOwner() != &map.getBody().front())
    return nullptr;
  return map.getInputs()[blockArgument.getArgNumber()];
}

/// The map whose only result is `value`, if it computes nothing else.
MapOp mapOf(Value value) {
  auto map = value ? value.getDefiningOp<MapOp>() : MapOp();
  return map && map->getNumResults() == 1 ? map : MapOp();
}

/// A reduction of the last dimension, which it keeps.
ReduceOp rowReduction(Value value, ReduceKind kind) {
  auto reduce = value.getDefiningOp<ReduceOp>();
  if (!reduce || reduce.getKind() != kind || !reduce.getKeepdims() ||
      reduce.getAxes() !=
          ArrayRef<int64_t>{reduce.getInput().getType().getRank() - 1})
    return nullptr;
  return reduce;
}

/// `select(x == constant, special, other)`, where `special` is 0 (or x, if that
/// is the constant 0): returns x and other.
template <typename Constant>
std::optional<std::pair<Value, Value>> guarded(Value value, Constant constant) {
  auto select = value.getDefiningOp<arith::SelectOp>();
  auto compare =
      select ? select.getCondition().getDefiningOp<arith::CmpFOp>() : nullptr;
  if (!compare || compare.getPredicate() != arith::CmpFPredicate::OEQ ||
      !matchPattern(compare.getRhs(), constant))
    return std::nullopt;
  bool zero = matchPattern(select.getTrueValue(), m_AnyZeroFloat()) ||
              (select.getTrueValue() == compare.getLhs() &&
               matchPattern(compare.getRhs(), m_AnyZeroFloat()));
  if (!zero)
    return std::nullopt;
  return std::pair(compare.getLhs(), select.getFalseValue());
}

} // namespace

const char *SoftmaxProduct::match() {
  if (product.getPacked() || product.getTransposeRhs())
    return "the values are packed or transposed";
  for (auto step : {&SoftmaxProduct::matchNormalization,
                    &SoftmaxProduct::matchPowers, &SoftmaxProduct::matchScores})
    if (const char *reason = (this->*step)())
      return reason;
  return nullptr;
}

/// `select(flag != 0, 0, other)`, where the flag says that all scores of the
/// row are -inf: returns other.
Value SoftmaxProduct::withoutRowGuard(Value last) {
  auto select = last.getDefiningOp<arith::SelectOp>();
  auto compare =
      select ? select.getCondition().getDefiningOp<arith::CmpIOp>() : nullptr;
  if (!compare || compare.getPredicate() != arith::CmpIPredicate::ne ||
      !matchPattern(compare.getRhs(), m_Zero()) ||
      !matchPattern(select.getTrueValue(), m_AnyZeroFloat()))
    return last;
  Value flag = inputOf(normalize, compare.getLhs());
  noScore = flag ? rowReduction(flag, ReduceKind::UMin) : ReduceOp();
  isLowest =
      noScore && noScore->hasOneUse() ? mapOf(noScore.getInput()) : MapOp();
  auto widened =
      isLowest && isLowest->hasOneUse() && isLowest.getInputs().size() == 1
          ? yielded(isLowest).getDefiningOp<arith::ExtUIOp>()
          : nullptr;
  auto lowest =
      widened ? widened.getIn().getDefiningOp<arith::CmpFOp>() : nullptr;
  if (!lowest || lowest.getPredicate() != arith::CmpFPredicate::OEQ ||
      !matchPattern(lowest.getRhs(), m_NegInfFloat())) {
    noScore = nullptr;
    return last;
  }
  Value score = lowest.getLhs();
  if (auto wide = score.getDefiningOp<arith::ExtFOp>())
    score = wide.getIn();
  if (!inputOf(isLowest, score)) {
    noScore = nullptr;
    return last;
  }
  masked = true;
  return select.getFalseValue();
}

const char *SoftmaxProduct::matchNormalization() {
  normalize = mapOf(product.getLhs());
  if (!normalize || !normalize->hasOneUse())
    return "no softmax before it";
  Value last = withoutRowGuard(yielded(normalize));
  if (normalize.getInputs().size() != (noScore ? 3 : 2))
    return "no softmax before it";
  if (auto narrow = last.getDefiningOp<arith::TruncFOp>())
    last = narrow.getIn();
  Value divisor;
  if (auto quotient = last.getDefiningOp<arith::DivFOp>()) {
    powers = mapOf(inputOf(normalize, quotient.getLhs()));
    divisor = inputOf(normalize, quotient.getRhs());
  } else if (auto multiply = last.getDefiningOp<arith::MulFOp>()) {
    Value a = inputOf(normalize, multiply.getLhs()),
          b = inputOf(normalize, multiply.getRhs());
    if (!a || !b)
      return "no softmax before it";
    ArrayRef<int64_t> factors = tensorType(b).getShape();
    if (factors.empty() || factors.back() != 1)
      std::swap(a, b);
    powers = mapOf(a);
    inverse = mapOf(b);
    if (!inverse || !inverse->hasOneUse())
      return "nothing to normalize by";
    Value factor = yielded(inverse);
    auto guard = guarded(factor, m_AnyZeroFloat());
    masked |= guard.has_value();
    auto quotient =
        (guard ? guard->second : factor).getDefiningOp<arith::DivFOp>();
    if (!quotient || !matchPattern(quotient.getLhs(), m_OneFloat()) ||
        (guard && guard->first != quotient.getRhs()))
      return "nothing to normalize by";
    divisor = inputOf(inverse, quotient.getRhs());
  }
  if (!divisor || !powers)
    return "no softmax before it";
  total = rowReduction(divisor, ReduceKind::Sum);
  if (!total || !total->hasOneUse() ||
      total.getInput() != powers.getResult(0) ||
      !powers.getResult(0).hasNUses(2))
    return "the sum is not that of the exponentials";
  return nullptr;
}

const char *SoftmaxProduct::matchPowers() {
  auto power = yielded(powers).getDefiningOp<math::ExpOp>();
  auto shifted =
      power ? power.getOperand().getDefiningOp<arith::SubFOp>() : nullptr;
  if (!shifted || powers.getInputs().size() != 2 || !power.getType().isF32())
    return "no exponentials of shifted scores";
  Value shift = shifted.getRhs();
  if (auto guard = guarded(shift, m_NegInfFloat())) {
    if (guard->first != guard->second)
      return "no exponentials of shifted scores";
    shift = guard->first;
  } else if (masked && !noScore) {
    return "rows without a score are treated in two ways";
  }
  Value score = inputOf(powers, shifted.getLhs());
  Value maximum = inputOf(powers, shift);
  if (!score || !maximum)
    return "no exponentials of shifted scores";
  top = rowReduction(maximum, ReduceKind::Max);
  if (!top || !top->hasOneUse() || top.getInput() != score ||
      (noScore && isLowest.getInputs().front() != score) ||
      !score.hasNUses(noScore ? 3 : 2))
    return "the shift is not the maximum of the row";
  return nullptr;
}

const char *SoftmaxProduct::matchScores() {
  Value score = top.getInput();
  int64_t rank = tensorType(score).getRank();
  scores = score.getDefiningOp<MatmulOp>();
  if ((epilogue = mapOf(score))) {
    for (Value input : epilogue.getInputs()) {
      auto matmul = input.getDefiningOp<MatmulOp>();
      if (matmul && matmul->hasOneUse() && matmul.getTransposeRhs() &&
          tensorType(input).getShape() == tensorType(score).getShape())
        scores = matmul;
    }
    for (Operation &op : epilogue.getBody().front().without_terminator()) {
      auto index = dyn_cast<IndexOp>(op);
      bool known = index && static_cast<int64_t>(index.getAxis()) >= rank - 2;
      if (!known && !isElementwise(op))
        return "scores depend on more than their operands";
    }
  }
  if (!scores || !scores.getTransposeRhs())
    return "the scores are no product with transposed keys";

  RankedTensorType query = scores.getLhs().getType(),
                   key = scores.getRhs().getType(),
                   value = product.getRhs().getType(),
                   result = product.getResult().getType();
  for (RankedTensorType type : {query, key, value})
    if (type.getRank() != result.getRank() ||
        type.getElementType() != result.getElementType())
      return "operands differ in rank or type";
  Type element = result.getElementType();
  if (!element.isF32() && !element.isF16() && !element.isBF16())
    return "elements are not f32, f16 or bf16";
  auto within = [](int64_t size, int64_t limit) {
    return !ShapedType::isDynamic(size) && size > 0 && size <= limit;
  };
  int64_t rows = query.getDimSize(rank - 2);
  if (!within(key.getDimSize(rank - 1), tuning::kMaxAttentionDepth) ||
      !within(value.getDimSize(rank - 1), tuning::kMaxAttentionWidth))
    return "keys or values are too long";
  if (!ShapedType::isDynamic(rows) && rows < tuning::kMinAttentionRows)
    return "there are few rows";
  return nullptr;
}

/// The region of the scores: the computation of the map, on a product in f32.
static void buildScores(OpBuilder &builder, SoftmaxProduct &pattern,
                        AttentionOp attention) {
  Location loc = attention.getLoc();
  Block *block = builder.createBlock(&attention.getScores());
  Value score = block->addArgument(builder.getF32Type(), loc);
  for (int i = 0; i < 2; ++i)
    block->addArgument(builder.getIndexType(), loc);
  IRMapping mapping;
  for (Value extra : attention.getExtras())
    mapping.map(extra, block->addArgument(getElementTypeOrSelf(extra), loc));
  if (!pattern.epilogue) {
    YieldOp::create(builder, loc, score);
    return;
  }
  Value product = pattern.scores.getResult();
  Type element = getElementTypeOrSelf(product);
  mapping.map(product, element.isF32() ? score
                                       : arith::TruncFOp::create(
                                             builder, loc, element, score));
  MapOp map = pattern.epilogue;
  Block &body = map.getBody().front();
  for (auto [argument, input] :
       llvm::zip_equal(body.getArguments(), map.getInputs()))
    mapping.map(argument, mapping.lookup(input));
  int64_t rank = tensorType(product).getRank();
  for (Operation &op : body.without_terminator()) {
    if (auto index = dyn_cast<IndexOp>(op))
      mapping.map(index.getResult(),
                  block->getArgument(index.getAxis() + 3 - rank));
    else
      builder.clone(op, mapping);
  }
  YieldOp::create(builder, loc, mapping.lookupOrDefault(yielded(map)));
}

/// A transpose that swaps the rows with the last dimension of the batch.
static bool swapsHeads(TransposeOp transpose) {
  int64_t rank = transpose.getPermutation().size();
  if (rank < 3)
    return false;
  auto order = llvm::to_vector(llvm::seq<int64_t>(rank));
  return transpose.getPermutation() ==
         ArrayRef(headMajor<int64_t>(order, /*byRow=*/true));
}

/// The operand of such a transpose, if `operand` is one.
static std::pair<Value, bool> withoutSwap(Value operand) {
  auto transpose = operand.getDefiningOp<TransposeOp>();
  if (transpose && swapsHeads(transpose))
    return {transpose.getInput(), true};
  return {operand, false};
}

/// The sizes of the dynamic dimensions of `type`, in another order of them.
static SmallVector<Value> swapDims(RankedTensorType type, ValueRange dims) {
  SmallVector<Value> all, result;
  for (int64_t size : type.getShape())
    all.push_back(ShapedType::isDynamic(size) ? dims.front() : Value());
  size_t next = 0;
  for (Value &value : all)
    if (value)
      value = dims[next++];
  for (Value value : headMajor<Value>(all, /*byRow=*/true))
    if (value)
      result.push_back(value);
  return result;
}

static void fuse(SoftmaxProduct &pattern) {
  MatmulOp product = pattern.product, scores = pattern.scores;
  OpBuilder builder(product);
  llvm::SetVector<Value> extras;
  if (pattern.epilogue)
    for (Value input : pattern.epilogue.getInputs())
      if (input != scores.getResult())
        extras.insert(input);
  llvm::SetVector<Operation *> swaps;
  for (Value operand : {scores.getLhs(), scores.getRhs(), product.getRhs()})
    swaps.insert(operand.getDefiningOp<TransposeOp>());
  auto [query, queryByRow] = withoutSwap(scores.getLhs());
  auto [key, keyByRow] = withoutSwap(scores.getRhs());
  auto [value, valueByRow] = withoutSwap(product.getRhs());
  RankedTensorType type = product.getResult().getType();
  SmallVector<Value> dims = product.getDims();
  TransposeOp transpose;
  if (product->hasOneUse())
    transpose = dyn_cast<TransposeOp>(*product->user_begin());
  bool resultByRow = transpose && swapsHeads(transpose);
  if (resultByRow) {
    dims = swapDims(type, dims);
    type = transpose.getResult().getType();
  }
  auto attention = AttentionOp::create(
      builder,
      builder.getFusedLoc(
          {scores.getLoc(), pattern.powers.getLoc(), product.getLoc()}),
      type, query, key, value, extras.getArrayRef(), dims, pattern.masked,
      queryByRow, keyByRow, valueByRow, resultByRow);
  buildScores(builder, pattern, attention);
  if (resultByRow) {
    transpose.getResult().replaceAllUsesWith(attention.getResult());
    transpose.erase();
  } else {
    product.getResult().replaceAllUsesWith(attention.getResult());
  }
  for (Operation *op :
       {product.getOperation(), pattern.normalize.getOperation(),
        pattern.noScore.getOperation(),
        pattern.noScore ? pattern.isLowest.getOperation() : nullptr,
        pattern.inverse.getOperation(), pattern.total.getOperation(),
        pattern.powers.getOperation(), pattern.top.getOperation(),
        pattern.epilogue.getOperation(), scores.getOperation()})
    if (op)
      op->erase();
  for (Operation *op : swaps)
    if (op && op->use_empty())
      op->erase();
}

namespace {
struct FuseAttentionPass
    : hone::impl::FuseAttentionPassBase<FuseAttentionPass> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<MatmulOp> products;
    getOperation().walk([&](MatmulOp op) { products.push_back(op); });
    // A product that becomes part of an attention precedes its last one.
    for (MatmulOp product : llvm::reverse(products)) {
      if (fused.contains(product))
        continue;
      SoftmaxProduct pattern;
      pattern.product = product;
      auto options =
          remark::RemarkOpts::name("attention").category("fuse-attention");
      if (const char *reason = pattern.match()) {
        if (pattern.total)
          remark::missed(product.getLoc(), options) << remark::reason(reason);
        continue;
      }
      remark::passed(product.getLoc(), options);
      fused.insert(pattern.scores);
      fuse(pattern);
    }
  }

private:
  /// Products that were erased.
  llvm::DenseSet<Operation *> fused;
};
} // namespace
