// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A kernel's pipeline from hone operations on tensors to LLVM.
#include "compiler/Pipeline/Phases.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Transforms/Passes.h"
#include "passes/Buffer/Passes.h"
#include "passes/Cpu/ContractionPasses.h"
#include "passes/Cpu/Passes.h"
#include "passes/Linalg/Passes.h"
#include "passes/Rt/Passes.h"
#include "passes/Verify/Passes.h"

using namespace mlir;
using namespace hone;

static std::unique_ptr<Pass> verifyAfter(StringRef phase) {
  VerifyKernelsPassOptions options;
  options.phase = phase.str();
  return createVerifyKernelsPass(options);
}

// After: kernel operations of hone, linalg, tensor, arith, scf in bodies.
void hone::buildKernelLinalgPipeline(OpPassManager &pm) {
  OpPassManager &kernel = pm.nest<func::FuncOp>();
  // Contractions absorb the maps that follow them first; the rest becomes
  // linalg.
  kernel.addPass(createFuseEpiloguesPass());
  kernel.addPass(createConvertToLinalgPass());
  kernel.addPass(createCanonicalizerPass());
  kernel.addPass(createFuseLoopsPass());
  kernel.addPass(createCSEPass());
  pm.addPass(verifyAfter("linalg"));
}

// After: scf, vector, memref, arith, math.
void hone::buildKernelBufferPipeline(OpPassManager &pm) {
  // Kernels are identified by what they are before bufferization.
  pm.addNestedPass<func::FuncOp>(createApplyTuningPass());
  pm.addPass(createBufferizeKernelsPass());
  OpPassManager &kernel = pm.nest<func::FuncOp>();
  kernel.addPass(createScheduleKernelsPass());
  kernel.addPass(createNameArithmeticPass());
  kernel.addPass(createLowerContractionsPass());
  kernel.addPass(createLowerAttentionPass());
  kernel.addPass(createLowerConvolutionsPass());
  kernel.addPass(createLowerPoolingPass());
  kernel.addPass(createVectorizeLoopsPass());
  // No canonicalization: it would remove the single-iteration loop in which one
  // piece does what cannot be divided.
  kernel.addPass(createCSEPass());
  pm.addPass(verifyAfter("buffer"));
}

// After: llvm.
void hone::buildKernelLlvmPipeline(OpPassManager &pm) {
  pm.addPass(createLowerKernelAbiPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createClampBeforeRoundingPass());
  pm.addPass(createExpandLookupsPass());
  pm.addPass(createExpandMathPass());
  pm.addPass(createExpandRareMathPass());
  pm.addPass(createEmulateInstructionsPass());
  pm.addPass(createCSEPass());
  pm.addPass(createLowerKernelToLlvmPass());
  // Checks leave the kernel from inside its loops.
  pm.addPass(createReturnStatusPass());
  pm.addPass(verifyAfter("llvm"));
}
