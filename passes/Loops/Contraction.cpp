// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A matrix product over buffers, as emitters of all targets see it.
#include "passes/Loops/Contraction.h"
#include "passes/Loops/Epilogue.h"

using namespace mlir;
using namespace hone;
using hone::graph::ContractOp;

/// Position in an operand of output dimension `dim`, if it is not broadcast.
static std::optional<int64_t> positionOf(ShapedType type, int64_t outRank,
                                         int64_t dim) {
  int64_t position = dim - (outRank - type.getRank());
  if (position < 0 || type.getDimSize(position) == 1)
    return std::nullopt;
  return position;
}

/// Whether all of the left-hand side is one matrix against the same right-hand
/// side, also for the epilogue.
static bool mergesBatches(ContractOp op, ShapedType lhs, ShapedType rhs,
                          ShapedType out) {
  int64_t rank = out.getRank();
  for (int64_t dim = 0; dim < rank - 2; ++dim) {
    if (!op.getPanels() && positionOf(rhs, rank, dim))
      return false;
    if (!positionOf(lhs, rank, dim) && out.getDimSize(dim) != 1)
      return false;
  }
  return Epilogue::canMerge(op, 0, rank - 2);
}

Contraction Contraction::get(Emitter &e, ContractOp op) {
  auto lhs = cast<MemRefType>(op.getLhs().getType());
  auto rhs = cast<MemRefType>(op.getRhs().getType());
  auto out = cast<MemRefType>(op.getOuts().front().getType());
  int64_t rank = out.getRank(), batchRank = rank - 2;

  Contraction problem;
  problem.a = FlatBuffer::get(e, op.getLhs());
  problem.b = FlatBuffer::get(e, op.getRhs());
  problem.layout = op.getPanels()         ? RhsLayout::Panels
                   : op.getTransposeRhs() ? RhsLayout::Transposed
                                          : RhsLayout::RowMajor;
  problem.accumulator = op.getAccumulatorType();
  problem.k = problem.a.sizes.back();
  if (mergesBatches(op, lhs, rhs, out)) {
    problem.groups = {rank - 1, 1};
    return problem;
  }
  problem.groups.assign(rank, 1);
  auto strideOf = [&](const FlatBuffer &buffer, ShapedType type, int64_t dim) {
    std::optional<int64_t> position = positionOf(type, rank, dim);
    return position ? buffer.strides[*position] : e.cst(0);
  };
  for (int64_t dim = 0; dim < batchRank; ++dim) {
    problem.aBatchStrides.push_back(strideOf(problem.a, lhs, dim));
    problem.bBatchStrides.push_back(
        op.getPanels() ? e.cst(0) : strideOf(problem.b, rhs, dim));
  }
  return problem;
}
