// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention over buffers: what is common to the emitters of all targets.
#include "passes/Emit/Attention.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"
#include "passes/Machine/Estimate.h"

using namespace mlir;
using namespace hone;
using hone::graph::KernelAttentionOp;

namespace {
/// An operand, and its sizes [batch.., rows, elements of a row].
struct Sized {
  Attention::Operand operand;
  SmallVector<Value> sizes;
};
} // namespace

static Sized operandOf(Emitter &e, Value memref, bool byRow) {
  auto type = cast<MemRefType>(memref.getType());
  Sized result;
  FlatBuffer &buffer = result.operand.buffer;
  buffer = FlatBuffer::get(e, memref);
  result.sizes = graph::headMajor<Value>(buffer.sizes, byRow);
  SmallVector<int64_t> shape = graph::headMajor(type.getShape(), byRow);
  SmallVector<Value> strides = graph::headMajor<Value>(buffer.strides, byRow);
  for (int64_t i = 0; i < type.getRank() - 2; ++i)
    result.operand.batchStrides.push_back(shape[i] == 1 ? e.cst(0)
                                                        : strides[i]);
  result.operand.rowStride = strides[type.getRank() - 2];
  return result;
}

/// c where `value` is `argument` + c.
static std::optional<int64_t> distanceFrom(Value argument, Value value) {
  int64_t distance = 0;
  if (auto add = value.getDefiningOp<arith::AddIOp>()) {
    std::optional<int64_t> constant = constantOf(add.getRhs());
    if (!constant || std::abs(*constant) > kMaxEstimate)
      return std::nullopt;
    distance = *constant;
    value = add.getLhs();
  }
  return value == argument ? std::optional(distance) : std::nullopt;
}

static bool isLowest(Value value) {
  FloatAttr constant;
  return matchPattern(value, m_Constant(&constant)) &&
         constant.getValue().isInfinity() && constant.getValue().isNegative();
}

/// c if the scores of all columns beyond row + c are -inf: their region ends in
/// a select between -inf and a score by a comparison of column and row.
static std::optional<int64_t> lastColumnOf(KernelAttentionOp op) {
  using Predicate = arith::CmpIPredicate;
  Block &body = op.getEpilogue().front();
  Value row = body.getArgument(1), column = body.getArgument(2);
  auto select =
      body.getTerminator()->getOperand(0).getDefiningOp<arith::SelectOp>();
  if (!select)
    return std::nullopt;
  auto compare = select.getCondition().getDefiningOp<arith::CmpIOp>();
  if (!compare)
    return std::nullopt;
  // As a comparison of a column with a row that holds where there is a score.
  Predicate predicate = compare.getPredicate();
  if (isLowest(select.getTrueValue()))
    predicate = arith::invertPredicate(predicate);
  else if (!isLowest(select.getFalseValue()))
    return std::nullopt;
  Value left = compare.getLhs(), right = compare.getRhs();
  if (left != column) {
    std::swap(left, right);
    switch (predicate) {
    case Predicate::sge:
      predicate = Predicate::sle;
      break;
    case Predicate::sgt:
      predicate = Predicate::slt;
      break;
    default:
      return std::nullopt;
    }
  }
  std::optional<int64_t> distance = distanceFrom(row, right);
  if (left != column || !distance)
    return std::nullopt;
  if (predicate == Predicate::slt)
    return *distance - 1;
  return predicate == Predicate::sle ? distance : std::nullopt;
}

Value Attention::visibleKeys(Emitter &e, Value rowsEnd, int64_t step) const {
  if (!lastColumn)
    return keys;
  Value seen = e.max(e.add(rowsEnd, *lastColumn), e.cst(1));
  return e.min(e.mul(e.ceilDiv(seen, step), step), keys);
}

Value Attention::Operand::base(Emitter &e, ValueRange batch) const {
  Value offset = e.cst(0);
  for (auto [coordinate, stride] : llvm::zip_equal(batch, batchStrides))
    offset = e.add(offset, e.mul(coordinate, stride));
  return offset;
}

Attention Attention::get(Emitter &e, KernelAttentionOp op) {
  Sized query = operandOf(e, op.getQuery(), op.getQueryByRow()),
        key = operandOf(e, op.getKey(), op.getKeyByRow()),
        value = operandOf(e, op.getValue(), op.getValueByRow()),
        out = operandOf(e, op.getOuts().front(), op.getResultByRow());
  Attention attention;
  attention.query = query.operand;
  attention.key = key.operand;
  attention.value = value.operand;
  attention.out = out.operand;
  attention.masked = op.getMasked();
  attention.lastColumn = lastColumnOf(op);
  attention.width = out.sizes.pop_back_val();
  attention.rows = out.sizes.pop_back_val();
  attention.batch = out.sizes;
  attention.depth = key.sizes.pop_back_val();
  attention.keys = key.sizes.pop_back_val();
  return attention;
}

Value Attention::inverseOf(Emitter &e, Value total) const {
  Value zero = e.zero(total.getType());
  Value one = arith::ConstantOp::create(
      e.builder, e.loc, e.builder.getFloatAttr(total.getType(), 1));
  Value inverse = arith::DivFOp::create(e.builder, e.loc, one, total);
  // All exponentials are 0: every score is -inf, or there is no key.
  Value empty;
  if (masked)
    empty = arith::CmpFOp::create(e.builder, e.loc, arith::CmpFPredicate::OEQ,
                                  total, zero);
  else
    empty = e.cmp(arith::CmpIPredicate::eq, keys, e.cst(0));
  if (constantOf(empty) == 0)
    return inverse;
  return arith::SelectOp::create(e.builder, e.loc, empty, zero, inverse);
}

SmallVector<Value> Attention::scoreSizes() const {
  SmallVector<Value> sizes = batch;
  sizes.append({rows, keys});
  return sizes;
}

Value SoftmaxMath::constant(float value) const {
  return arith::ConstantOp::create(e.builder, e.loc,
                                   e.builder.getF32FloatAttr(value));
}

Value SoftmaxMath::lowest() const {
  return constant(-std::numeric_limits<float>::infinity());
}

Value SoftmaxMath::splat(Value scalar, int64_t lanes) const {
  return vector::BroadcastOp::create(
      e.builder, e.loc, VectorType::get({lanes}, scalar.getType()), scalar);
}

Value SoftmaxMath::numbersFrom(Value first, int64_t lanes) const {
  auto type = VectorType::get({lanes}, e.builder.getIndexType());
  Value steps = arith::ConstantOp::create(
      e.builder, e.loc,
      DenseElementsAttr::get(
          type, ArrayRef(llvm::to_vector(llvm::seq<int64_t>(lanes)))));
  return e.sum(splat(first, lanes), steps);
}

Value SoftmaxMath::select(Value condition, Value a, Value b) const {
  return arith::SelectOp::create(e.builder, e.loc, condition, a, b);
}

Value SoftmaxMath::isEqual(Value a, Value b) const {
  return arith::CmpFOp::create(e.builder, e.loc, arith::CmpFPredicate::OEQ, a,
                               b);
}

Value SoftmaxMath::expDiff(Value a, Value b) const {
  return math::ExpOp::create(e.builder, e.loc,
                             arith::SubFOp::create(e.builder, e.loc, a, b));
}
