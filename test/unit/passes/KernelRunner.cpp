// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Compiles a function over buffers with the kernel emitters and runs it here.
#include "KernelRunner.h"
#include "dialects/Graph/KernelOps.h"
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVMPass.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/ReconcileUnrealizedCasts/ReconcileUnrealizedCasts.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVMPass.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/Transforms/Passes.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Transforms/Passes.h"
#include "passes/Cpu/ContractionPasses.h"
#include "llvm/Support/TargetSelect.h"
#include <gtest/gtest.h>

using namespace mlir;

Tensor::Tensor(std::vector<int64_t> shape) : shape(std::move(shape)) {
  int64_t size = 1;
  for (int64_t dim : this->shape)
    size *= dim;
  data.resize(size);
}

Tensor Tensor::random(std::vector<int64_t> shape, unsigned seed) {
  Tensor tensor(std::move(shape));
  uint32_t state = seed * 2654435761u + 1;
  for (float &value : tensor.data) {
    state = state * 1664525u + 1013904223u;
    value = static_cast<float>(state >> 8) / (1 << 23) - 1.0f;
  }
  return tensor;
}

namespace {
/// Frees the scratch of a kernel before it returns: there is no context that
/// keeps it.
struct FreeScratchPass
    : PassWrapper<FreeScratchPass, OperationPass<func::FuncOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(FreeScratchPass)
  void runOnOperation() override {
    Block &body = getOperation().getBody().front();
    OpBuilder builder(body.getTerminator());
    for (auto alloc : body.getOps<memref::AllocOp>())
      memref::DeallocOp::create(builder, alloc.getLoc(), alloc);
  }
};
} // namespace

static void buildPipeline(PassManager &manager) {
  OpPassManager &functions = manager.nest<func::FuncOp>();
  functions.addPass(hone::createScheduleKernelsPass());
  functions.addPass(hone::createLowerContractionsPass());
  functions.addPass(hone::createLowerConvolutionsPass());
  functions.addPass(hone::createLowerPoolingPass());
  functions.addPass(createForallToForLoopPass());
  functions.addPass(std::make_unique<FreeScratchPass>());
  functions.addPass(createCanonicalizerPass());
  manager.addPass(createSCFToControlFlowPass());
  manager.addPass(createConvertVectorToLLVMPass());
  manager.addPass(createConvertMathToLLVMPass());
  manager.addPass(createArithToLLVMConversionPass());
  manager.addPass(createFinalizeMemRefToLLVMConversionPass());
  manager.addPass(createConvertFuncToLLVMPass());
  manager.addPass(createConvertControlFlowToLLVMPass());
  manager.addPass(createReconcileUnrealizedCastsPass());
}

bool runKernel(const std::string &source, const hone::CpuMachine &machine,
               std::vector<Tensor *> arguments) {
  static const bool initialized = [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
    return true;
  }();
  EXPECT_TRUE(initialized);

  DialectRegistry registry;
  registry.insert<hone::graph::GraphDialect, hone::machine::MachineDialect,
                  arith::ArithDialect, func::FuncDialect, LLVM::LLVMDialect,
                  memref::MemRefDialect>();
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  OwningOpRef<ModuleOp> module =
      parseSourceString<ModuleOp>(source, ParserConfig(&context));
  if (!module) {
    ADD_FAILURE() << "does not parse:\n" << source;
    return false;
  }
  context.loadDialect<hone::machine::MachineDialect>();
  (*module)->setAttr(hone::kCpuAttr,
                     hone::machine::CpuAttr::get(&context, machine));
  PassManager manager(&context);
  buildPipeline(manager);
  if (failed(manager.run(*module))) {
    ADD_FAILURE() << "does not compile:\n" << source;
    return false;
  }
  auto engine = ExecutionEngine::create(*module);
  if (!engine) {
    ADD_FAILURE() << llvm::toString(engine.takeError());
    return false;
  }

  // The arguments of a memref: two pointers, offset, sizes, strides.
  std::vector<int64_t> words;
  for (Tensor *tensor : arguments) {
    auto pointer = reinterpret_cast<int64_t>(tensor->data.data());
    words.insert(words.end(), {pointer, pointer, 0});
    words.insert(words.end(), tensor->shape.begin(), tensor->shape.end());
    for (size_t i = 0; i < tensor->shape.size(); ++i) {
      int64_t stride = 1;
      for (size_t j = i + 1; j < tensor->shape.size(); ++j)
        stride *= tensor->shape[j];
      words.push_back(stride);
    }
  }
  std::vector<void *> packed;
  for (int64_t &word : words)
    packed.push_back(&word);
  auto error = (*engine)->invokePacked("kernel", packed);
  if (error) {
    ADD_FAILURE() << llvm::toString(std::move(error));
    return false;
  }
  return true;
}
