// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Turns matrix products over buffers into register kernels.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Cpu/Contraction.h"
#include "passes/Cpu/ContractionPasses.h"

namespace hone {
#define GEN_PASS_DEF_LOWERCONTRACTIONSPASS
#include "passes/Cpu/ContractionPasses.h.inc"
} // namespace hone

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

static void lowerContract(ContractOp op, const VectorUnit &unit) {
  OpBuilder builder(op);
  Emitter e(builder, op.getLoc());
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

  SmallVector<int64_t> groups;
  if (mergesBatches(op, lhs, rhs, out)) {
    groups = {rank - 1, 1};
  } else {
    groups.assign(rank, 1);
    auto strideOf = [&](const FlatBuffer &buffer, ShapedType type,
                        int64_t dim) {
      std::optional<int64_t> position = positionOf(type, rank, dim);
      return position ? buffer.strides[*position] : e.cst(0);
    };
    for (int64_t dim = 0; dim < batchRank; ++dim) {
      problem.aBatchStrides.push_back(strideOf(problem.a, lhs, dim));
      problem.bBatchStrides.push_back(
          op.getPanels() ? e.cst(0) : strideOf(problem.b, rhs, dim));
    }
  }
  Epilogue epilogue(e, op, groups);
  problem.m = epilogue.sizes[epilogue.rank() - 2];
  problem.n = epilogue.sizes.back();
  emitContraction(e, unit, problem, epilogue);
  op.erase();
}

namespace {
struct LowerContractionsPass
    : hone::impl::LowerContractionsPassBase<LowerContractionsPass> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<ContractOp> ops;
    getOperation().walk([&](ContractOp op) {
      if (isa<MemRefType>(op.getLhs().getType()))
        ops.push_back(op);
    });
    for (ContractOp op : ops)
      lowerContract(op, {vectorBits, fma});
  }
};
} // namespace
