// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention over buffers, as emitters of all targets see it.
#include "passes/Loops/Attention.h"

using namespace mlir;
using namespace hone;
using hone::graph::AttendOp;

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

Value Attention::Operand::base(Emitter &e, ValueRange batch) const {
  Value offset = e.cst(0);
  for (auto [coordinate, stride] : llvm::zip_equal(batch, batchStrides))
    offset = e.add(offset, e.mul(coordinate, stride));
  return offset;
}

Attention Attention::get(Emitter &e, AttendOp op) {
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
  // No power at all: every score is -inf, or there is no key.
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
