// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A kernel's road from hone operations over tensors to LLVM.
#include "compiler/Pipeline/ModulePipeline.h"
#include "compiler/Pipeline/Phases.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"
#include "passes/Buffer/Passes.h"
#include "passes/Convert/Passes.h"
#include "passes/Cpu/ContractionPasses.h"
#include "passes/Cpu/Passes.h"
#include "passes/Rt/Passes.h"
#include "passes/Tile/Passes.h"
#include "passes/Verify/Passes.h"

using namespace mlir;
using namespace hone;

static std::unique_ptr<Pass> verifyAfter(StringRef phase) {
  VerifyKernelsPassOptions options;
  options.phase = phase.str();
  return createVerifyKernelsPass(options);
}

// After: kernel operations of hone, linalg, tensor, arith, scf in bodies.
void hone::buildKernelTilePipeline(OpPassManager &pm, const KernelTarget &) {
  OpPassManager &kernel = pm.nest<func::FuncOp>();
  // Contractions take the maps behind them first; what is left becomes linalg.
  kernel.addPass(createFuseEpiloguesPass());
  kernel.addPass(createConvertToLinalgPass());
  kernel.addPass(createCanonicalizerPass());
  kernel.addPass(createFuseLoopsPass());
  kernel.addPass(createCSEPass());
  pm.addPass(verifyAfter("tile"));
}

// After: scf, vector, memref, arith, math.
void hone::buildKernelBufferPipeline(OpPassManager &pm,
                                     const KernelTarget &target) {
  pm.addPass(createBufferizeKernelsPass());
  OpPassManager &kernel = pm.nest<func::FuncOp>();
  LowerContractionsPassOptions contractions;
  contractions.vectorBits = target.vectorBits;
  contractions.fma = target.fma;
  kernel.addPass(createLowerContractionsPass(contractions));
  LowerAttentionPassOptions attention;
  attention.vectorBits = target.vectorBits;
  attention.fma = target.fma;
  kernel.addPass(createLowerAttentionPass(attention));
  LowerConvolutionsPassOptions convolutions;
  convolutions.vectorBits = target.vectorBits;
  convolutions.fma = target.fma;
  kernel.addPass(createLowerConvolutionsPass(convolutions));
  LowerPoolingPassOptions pooling;
  pooling.vectorBits = target.vectorBits;
  pooling.fma = target.fma;
  kernel.addPass(createLowerPoolingPass(pooling));
  VectorizeLoopsPassOptions loops;
  loops.vectorBits = target.vectorBits;
  kernel.addPass(createVectorizeLoopsPass(loops));
  // No canonicalization: it would take the loop of one iteration away that
  // makes one piece do what cannot be divided.
  kernel.addPass(createCSEPass());
  pm.addPass(verifyAfter("buffer"));
}

// After: llvm.
void hone::buildKernelLlvmPipeline(OpPassManager &pm,
                                   const KernelTarget &target) {
  pm.addPass(createLowerKernelAbiPass());
  pm.addPass(createCanonicalizerPass());
  ExpandMathPassOptions math;
  math.fma = target.fma;
  math.vectorBits = target.vectorBits;
  pm.addPass(createExpandMathPass(math));
  if (target.fma)
    pm.addPass(createExpandRareMathPass());
  pm.addPass(createCSEPass());
  pm.addPass(createLowerKernelToLlvmPass());
  // Checks leave the kernel from inside its loops.
  pm.addPass(createReturnStatusPass());
  pm.addPass(verifyAfter("llvm"));
}

namespace {
struct KernelOptions : PassPipelineOptions<KernelOptions> {
  Option<unsigned> vectorBits{*this, "vector-bits",
                              llvm::cl::desc("width of a vector register"),
                              llvm::cl::init(256)};
  Option<bool> fma{*this, "fma",
                   llvm::cl::desc("the CPU has fused multiply-add"),
                   llvm::cl::init(true)};

  KernelTarget target() const {
    KernelTarget target;
    target.vectorBits = vectorBits;
    target.vectorRegisters = vectorBits >= 512 ? 32 : 16;
    target.fma = fma;
    return target;
  }
};
} // namespace

void hone::registerKernelPipelines() {
  using Build = void (*)(OpPassManager &, const KernelTarget &);
  auto add = [](StringRef name, StringRef text, Build build) {
    registerModulePipeline<KernelOptions>(
        name, text, [build](OpPassManager &pm, const KernelOptions &options) {
          build(pm, options.target());
        });
  };
  add("hone-kernel-tile", "a kernel: fused operations on tensors",
      buildKernelTilePipeline);
  add("hone-kernel-buffer", "a kernel: loops and vectors on buffers",
      buildKernelBufferPipeline);
  add("hone-kernel-llvm", "a kernel: from loops to LLVM with the kernel ABI",
      buildKernelLlvmPipeline);
}
