// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention over buffers, as emitters of all targets see it.
#include "passes/Loops/Attention.h"

using namespace mlir;
using namespace hone;
using hone::graph::AttendOp;

static Attention::Operand operandOf(Emitter &e, Value memref, int64_t rank) {
  Attention::Operand operand;
  operand.buffer = FlatBuffer::get(e, memref);
  ArrayRef<int64_t> shape = cast<MemRefType>(memref.getType()).getShape();
  for (int64_t i = 0; i < rank - 2; ++i)
    operand.batchStrides.push_back(shape[i] == 1 ? e.cst(0)
                                                 : operand.buffer.strides[i]);
  return operand;
}

Value Attention::Operand::base(Emitter &e, ValueRange batch) const {
  Value offset = e.cst(0);
  for (auto [coordinate, stride] : llvm::zip_equal(batch, batchStrides))
    offset = e.add(offset, e.mul(coordinate, stride));
  return offset;
}

Attention Attention::get(Emitter &e, AttendOp op) {
  Value out = op.getOuts().front();
  int64_t rank = cast<MemRefType>(out.getType()).getRank();
  Attention attention;
  attention.query = operandOf(e, op.getQuery(), rank);
  attention.key = operandOf(e, op.getKey(), rank);
  attention.value = operandOf(e, op.getValue(), rank);
  attention.out = operandOf(e, out, rank);
  ArrayRef<Value> sizes = attention.out.buffer.sizes;
  attention.batch.assign(sizes.begin(), sizes.end() - 2);
  attention.rows = sizes[rank - 2];
  attention.width = sizes[rank - 1];
  attention.keys = attention.key.buffer.sizes[rank - 2];
  attention.depth = attention.key.buffer.sizes[rank - 1];
  attention.masked = op.getMasked();
  return attention;
}

SmallVector<Value> Attention::scoreSizes() const {
  SmallVector<Value> sizes = batch;
  sizes.append({rows, keys});
  return sizes;
}
