// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Names of the phases, and registration for programs with a command line.
#include "compiler/Pipeline/Phases.h"
#include "compiler/Pipeline/ModulePipeline.h"
#include "dialects/Graph/Graph.h"
#include "dialects/Machine/Machine.h"
#include "dialects/Rt/Rt.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"
#include "passes/Buffer/Passes.h"
#include "passes/Cpu/ContractionPasses.h"
#include "passes/Cpu/Passes.h"
#include "passes/Gpu/Passes.h"
#include "passes/Graph/Passes.h"
#include "passes/Linalg/Passes.h"
#include "passes/Machine/Passes.h"
#include "passes/Rt/Passes.h"
#include "passes/Verify/Passes.h"
#include "llvm/ADT/StringSwitch.h"
#include <mutex>

using namespace mlir;
using namespace hone;

static constexpr StringLiteral kPhaseNames[] = {
    "import", "graph", "linalg", "buffer", "llvm", "asm", "obj", "so"};

StringRef hone::phaseName(Phase phase) {
  return kPhaseNames[static_cast<int>(phase)];
}

/// In the order of `Precision`.
static constexpr StringLiteral kPrecisionNames[] = {"f32", "bf16", "f16",
                                                    "auto"};

std::optional<Phase> hone::parsePhase(StringRef name) {
  for (auto [index, candidate] : llvm::enumerate(kPhaseNames))
    if (candidate == name)
      return static_cast<Phase>(index);
  return std::nullopt;
}

llvm::Expected<Precision> hone::parsePrecision(StringRef name) {
  for (auto [index, candidate] : llvm::enumerate(kPrecisionNames))
    if (candidate == name)
      return static_cast<Precision>(index);
  return llvm::createStringError("unknown precision '" + name +
                                 "'; there are f32, bf16, f16 and auto");
}

StringRef hone::precisionName(Precision precision) {
  return kPrecisionNames[static_cast<size_t>(precision)];
}

LogicalResult hone::runPhase(ModuleOp module,
                             llvm::function_ref<void(OpPassManager &)> build,
                             const Instrument &instrument) {
  PassManager pm(module.getContext());
  pm.enableVerifier(false);
  if (instrument)
    instrument(pm);
  build(pm);
  return failure(failed(pm.run(module)) || failed(verify(module)));
}

void hone::registerDialects(DialectRegistry &registry) {
  registry
      .insert<arith::ArithDialect, cf::ControlFlowDialect, func::FuncDialect,
              gpu::GPUDialect, graph::GraphDialect, linalg::LinalgDialect,
              LLVM::LLVMDialect, machine::MachineDialect, math::MathDialect,
              memref::MemRefDialect, nvgpu::NVGPUDialect, NVVM::NVVMDialect,
              rt::RtDialect, scf::SCFDialect, tensor::TensorDialect,
              ub::UBDialect, vector::VectorDialect>();
}

static void registerPassesOnce() {
  registerTransformsPasses();
  registerGraphPasses();
  registerBufferPasses();
  registerLinalgPasses();
  registerCpuContractionPasses();
  registerCpuPasses();
  registerGpuPasses();
  registerMachinePasses();
  registerVerifyPasses();
  registerRtPasses();
  using Build = void (*)(OpPassManager &);
  auto add = [](StringRef name, StringRef text, Build build) {
    registerModulePipeline<EmptyPipelineOptions>(
        name, text, [build](OpPassManager &pm, const EmptyPipelineOptions &) {
          build(pm);
          return llvm::Error::success();
        });
  };
  add("hone-kernel-linalg", "a kernel: fused operations on tensors",
      buildKernelLinalgPipeline);
  add("hone-kernel-buffer", "a kernel: loops and vectors on buffers",
      buildKernelBufferPipeline);
  add("hone-kernel-llvm", "a kernel: from loops to LLVM with the kernel ABI",
      buildKernelLlvmPipeline);
  add("hone-host-buffer",
      "the host function: from kernel calls to buffers with a plan",
      buildHostBufferPipeline);
  add("hone-gpu-kernel-buffer", "a kernel for a GPU: launches on buffers",
      buildGpuKernelBufferPipeline);
  add("hone-gpu-kernel-llvm",
      "a kernel for a GPU: from launches to device code and a launch stub",
      buildGpuKernelLlvmPipeline);
  add("hone-host-llvm", "the host function: from buffers to LLVM",
      buildHostLlvmPipeline);
}

void hone::registerPasses() {
  static std::once_flag registered;
  std::call_once(registered, registerPassesOnce);
}
