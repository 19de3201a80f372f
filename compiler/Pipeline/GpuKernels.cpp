// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A kernel's pipeline to a GPU, from where it diverges from that to a CPU: from
// buffers to launches, and from there to device code and the host code that
// launches it.
#include "compiler/Pipeline/Phases.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Transforms/Passes.h"
#include "passes/Buffer/Passes.h"
#include "passes/Cpu/Passes.h"
#include "passes/Gpu/Passes.h"
#include "passes/Rt/Passes.h"
#include "passes/Verify/Passes.h"

using namespace mlir;
using namespace hone;

static std::unique_ptr<Pass> verifyAfter(StringRef phase) {
  VerifyKernelsPassOptions options;
  options.phase = phase.str();
  return createVerifyKernelsPass(options);
}

void hone::buildGpuPlacementPipeline(OpPassManager &pm) {
  pm.addPass(createChooseDeviceKernelsPass());
}

// After: gpu.launch with scf, vector, memref, arith, math, nvgpu in it.
void hone::buildGpuKernelBufferPipeline(OpPassManager &pm) {
  BufferizeKernelsPassOptions buffers;
  buffers.teams = true;
  pm.addPass(createBufferizeKernelsPass(buffers));
  OpPassManager &kernel = pm.nest<func::FuncOp>();
  kernel.addPass(createGpuLowerAttentionPass());
  kernel.addPass(createGpuLowerContractionsPass());
  kernel.addPass(createGpuLowerConvolutionsPass());
  kernel.addPass(createGpuLowerPoolingPass());
  kernel.addPass(createMapLoopsToGpuPass());
  kernel.addPass(createCSEPass());
  pm.addPass(verifyAfter("gpu-buffer"));
}

// After: llvm; nvvm as well in gpu.module.
void hone::buildGpuKernelLlvmPipeline(OpPassManager &pm) {
  pm.addPass(createOutlineLaunchesPass());
  pm.addPass(createLowerLaunchStubPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createExpandLookupsPass());
  pm.addPass(createExpandMathPass());
  pm.addPass(createExpandGpuMathPass());
  pm.addPass(createCSEPass());
  OpPassManager &device = pm.nest<gpu::GPUModuleOp>();
  device.addPass(createLowerGpuToNvvmPass());
  device.addPass(createCanonicalizerPass());
  device.addPass(createCSEPass());
  pm.addPass(createLowerKernelToLlvmPass());
  pm.addPass(createReturnStatusPass());
  pm.addPass(verifyAfter("gpu-llvm"));
}
