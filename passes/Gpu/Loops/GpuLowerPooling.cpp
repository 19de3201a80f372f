// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Turns pooling over buffers into launches with one thread per element,
// adjacent threads for adjacent elements.
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Emit/PoolPoint.h"
#include "passes/Gpu/Launch/Launch.h"
#include "passes/Gpu/Passes.h"
#include "passes/Machine/GpuTuning.h"

namespace hone {
#define GEN_PASS_DEF_GPULOWERPOOLINGPASS
#include "passes/Gpu/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;
using hone::graph::KernelPoolOp;

namespace {
struct GpuLowerPoolingPass
    : hone::impl::GpuLowerPoolingPassBase<GpuLowerPoolingPass> {
  using Base::Base;

  void runOnOperation() override {
    auto lower = [](Emitter &e, KernelPoolOp op) -> LogicalResult {
      PoolPoint point(e, op);
      Value count = e.cst(1);
      for (Value size : point.sizes())
        count = e.mul(count, size);
      emitThreads(e, count, tuning::kGpuThreads, [&](Value index) {
        point.emit(e.delinearize(index, point.sizes()));
      });
      return success();
    };
    if (failed(lowerEach<KernelPoolOp>(getOperation(), lower)))
      signalPassFailure();
  }
};
} // namespace
