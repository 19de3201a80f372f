// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One kernel from graph operations to machine code.
#include "compiler/Driver/Kernels.h"
#include "dialects/Rt/Rt.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/LLVMContext.h"

using namespace mlir;
using namespace hone;

OwningOpRef<ModuleOp> hone::isolateKernel(func::FuncOp kernel,
                                          const CpuMachine *machine) {
  OwningOpRef<ModuleOp> module = ModuleOp::create(kernel.getLoc());
  if (machine)
    module->getOperation()->setAttr(
        kCpuAttr, machine::CpuAttr::get(kernel.getContext(), *machine));
  func::FuncOp clone = kernel.clone();
  // It is called from outside now.
  clone.setPublic();
  module->push_back(clone);
  return module;
}

LogicalResult hone::lowerKernel(ModuleOp module, Phase phase) {
  return runPhase(module, [&](OpPassManager &pm) {
    buildKernelTilePipeline(pm);
    if (phase >= Phase::Buffer)
      buildKernelBufferPipeline(pm);
    if (phase >= Phase::Llvm)
      buildKernelLlvmPipeline(pm);
  });
}

llvm::Error hone::compileKernel(const KernelJob &job, CodeForm form,
                                KernelCode &result) {
  func::FuncOp kernel = job.kernel;
  OwningOpRef<ModuleOp> module = isolateKernel(kernel, &job.level->machine);
  std::string name = kernel.getSymName().str();
  auto failed = [&](const char *what) {
    return llvm::createStringError("kernel '" + name + "' for " +
                                   job.level->name + " " + what);
  };
  if (mlir::failed(lowerKernel(*module, Phase::Llvm)))
    return failed("could not be lowered");
  auto function = module->lookupSymbol<LLVM::LLVMFuncOp>(name);
  if (!function)
    return failed("has no code after lowering");
  if (auto scratch = function->getAttrOfType<IntegerAttr>("hone.scratch"))
    result.scratchBytes = scratch.getInt();
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> code =
      translateModuleToLLVMIR(*module, context, name);
  if (!code)
    return failed("could not be translated");
  module = {};
  for (llvm::Function &other : *code) {
    if (other.getName() == name) {
      other.setName(job.symbol);
      other.setVisibility(llvm::GlobalValue::HiddenVisibility);
    } else if (!other.isDeclaration())
      other.setLinkage(llvm::GlobalValue::InternalLinkage);
    else
      other.setVisibility(llvm::GlobalValue::DefaultVisibility);
  }
  for (llvm::GlobalVariable &global : code->globals())
    if (!global.isDeclaration())
      global.setLinkage(llvm::GlobalValue::InternalLinkage);
  return emitCode(*code, *job.level, CodeKind::Kernel, form, result.code);
}
