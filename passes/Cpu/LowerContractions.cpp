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

static void lowerMatmul(Emitter &e, KernelMatmulOp op,
                        const CpuMachine &machine) {
  Contraction problem = Contraction::get(e, op);
  Epilogue epilogue(e, op, problem.shape.groups);
  problem.m = epilogue.sizes[epilogue.rank() - 2];
  problem.n = epilogue.sizes.back();
  emitContraction(e, machine, problem, epilogue, *op.getSchedule());
}

namespace {
struct LowerContractionsPass
    : hone::impl::LowerContractionsPassBase<LowerContractionsPass> {
  using Base::Base;

  void runOnOperation() override {
    const CpuMachine &machine = CpuMachine::of(getOperation());
    auto lower = [&](Emitter &e, KernelMatmulOp op) -> LogicalResult {
      if (failed(checkSchedule(op, machine)))
        return failure();
      lowerMatmul(e, op, machine);
      return success();
    };
    if (failed(lowerEach<KernelMatmulOp>(getOperation(), lower)))
      signalPassFailure();
  }
};
} // namespace
