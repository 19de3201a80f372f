// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Turns matrix products over buffers into register kernels.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Cpu/Contraction.h"
#include "passes/Cpu/ContractionPasses.h"
#include "passes/Cpu/Schedule.h"

namespace hone {
#define GEN_PASS_DEF_LOWERCONTRACTIONSPASS
#include "passes/Cpu/ContractionPasses.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;
using hone::graph::KernelMatmulOp;

static void lowerMatmul(KernelMatmulOp op, const CpuMachine &machine) {
  OpBuilder builder(op);
  Emitter e(builder, op.getLoc());
  Contraction problem = Contraction::get(e, op);
  Epilogue epilogue(e, op, problem.shape.groups);
  problem.m = epilogue.sizes[epilogue.rank() - 2];
  problem.n = epilogue.sizes.back();
  emitContraction(e, machine, problem, epilogue, *op.getSchedule());
  op.erase();
}

namespace {
struct LowerContractionsPass
    : hone::impl::LowerContractionsPassBase<LowerContractionsPass> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<KernelMatmulOp> ops;
    getOperation().walk([&](KernelMatmulOp op) {
      if (isa<MemRefType>(op.getLhs().getType()))
        ops.push_back(op);
    });
    const CpuMachine &machine = CpuMachine::of(getOperation());
    for (KernelMatmulOp op : ops) {
      if (failed(checkSchedule(op, machine)))
        return signalPassFailure();
      lowerMatmul(op, machine);
    }
  }
};
} // namespace
