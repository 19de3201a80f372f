// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Marks the kernels that a GPU can run.
#include "dialects/Rt/Rt.h"
#include "passes/Gpu/GpuSupport.h"
#include "passes/Gpu/Passes.h"

namespace hone {
#define GEN_PASS_DEF_CHOOSEDEVICEKERNELSPASS
#include "passes/Gpu/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;

namespace {

struct ChooseDeviceKernelsPass
    : hone::impl::ChooseDeviceKernelsPassBase<ChooseDeviceKernelsPass> {
  using Base::Base;
  void runOnOperation() override {
    for (auto kernel : getOperation().getOps<func::FuncOp>())
      if (kernel->hasAttr(rt::kKernelAttr) && !kernel.isExternal() &&
          gpuSupports(kernel))
        kernel->setAttr(rt::kDeviceAttr, UnitAttr::get(&getContext()));
  }
};

} // namespace
