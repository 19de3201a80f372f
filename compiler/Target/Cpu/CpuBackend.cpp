// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Kernels for CPU levels, and the code of the host.
#include "compiler/Target/Cpu/CpuBackend.h"
#include "compiler/Target/Cpu/Codegen.h"
#include "compiler/Target/Cpu/Descriptor.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "passes/Cpu/ContractionPasses.h"
#include "llvm/IR/LLVMContext.h"

using namespace mlir;
using namespace hone;

llvm::Expected<std::unique_ptr<CpuBackend>>
CpuBackend::create(const TargetOptions &options) {
  llvm::Expected<std::vector<CpuLevel>> levels =
      parseCpuLevels(options.cpu, options.threads);
  if (!levels)
    return levels.takeError();
  if (options.precision != Precision::F32)
    for (const CpuLevel &level : *levels)
      if (!level.machine.hasFma())
        return llvm::createStringError(
            precisionName(options.precision) +
            " needs instructions of x86-64-v3 to be fast, and the CPU "
            "level '" +
            level.name + "' lacks them: leave out one or the other");
  return std::unique_ptr<CpuBackend>(new CpuBackend(std::move(*levels)));
}

bool CpuBackend::hasFastBf16() const {
  return llvm::all_of(levels, [](const CpuLevel &level) {
    return level.machine.hasBf16Matrix() || level.machine.bf16Dot == 1;
  });
}

bool CpuBackend::multipliesOrderedBytes() const {
  return llvm::all_of(levels, [](const CpuLevel &level) {
    return level.machine.multipliesOrderedBytes();
  });
}

NamedAttribute CpuBackend::machine(MLIRContext *context, size_t variant) const {
  return {StringAttr::get(context, kCpuAttr),
          machine::CpuAttr::get(context, levels[variant].machine)};
}

void CpuBackend::addBufferPhase(OpPassManager &pm) const {
  buildKernelBufferPipeline(pm);
}

void CpuBackend::addLlvmPhase(OpPassManager &pm) const {
  buildKernelLlvmPipeline(pm);
}

llvm::Error CpuBackend::compile(const KernelJob &job,
                                SmallVectorImpl<char> &code,
                                KernelReport &report) const {
  func::FuncOp kernel = job.kernel;
  const CpuLevel &level = levels[job.variant];
  std::string name = kernel.getSymName().str();
  auto failed = [&](const char *what) {
    return llvm::createStringError("kernel '" + name + "' for " + level.name +
                                   " " + what);
  };
  OwningOpRef<ModuleOp> module =
      lower(kernel, Phase::Llvm, machine(kernel.getContext(), job.variant));
  if (!module)
    return failed("could not be lowered");
  auto function = module->lookupSymbol<LLVM::LLVMFuncOp>(name);
  if (!function)
    return failed("has no code after lowering");
  if (auto scratch = function->getAttrOfType<IntegerAttr>("hone.scratch"))
    report.scratchBytes = scratch.getInt();
  if (auto arithmetic = function->getAttrOfType<StringAttr>(kArithmeticAttr))
    report.arithmetic = arithmetic.str();
  report.schedules = function->getAttrOfType<ArrayAttr>(kSchedulesAttr);
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> translated =
      translateModuleToLLVMIR(*module, context, name);
  if (!translated)
    return failed("could not be translated");
  module = {};
  for (llvm::Function &other : *translated) {
    if (other.getName() == name) {
      other.setName(kernelSymbol(name, job.variant));
      other.setVisibility(llvm::GlobalValue::HiddenVisibility);
    } else if (!other.isDeclaration())
      other.setLinkage(llvm::GlobalValue::InternalLinkage);
    else
      other.setVisibility(llvm::GlobalValue::DefaultVisibility);
  }
  for (llvm::GlobalVariable &global : translated->globals())
    if (!global.isDeclaration())
      global.setLinkage(llvm::GlobalValue::InternalLinkage);
  return emitCode(*translated, level, CodeKind::Kernel, job.form, code);
}

void CpuBackend::describe(ModelInfo &info) const {
  for (const CpuLevel &level : levels)
    info.levels.push_back({level.name, level.required});
}

void CpuBackend::describeKernel(size_t kernel, size_t variant,
                                const KernelReport &report,
                                ModelInfo &info) const {
  info.kernels[kernel].onCpu = true;
  LevelInfo &level = info.levels[variant];
  level.scratchBytes = std::max(level.scratchBytes, report.scratchBytes);
  level.arithmetic.resize(info.kernels.size());
  level.arithmetic[kernel] = report.arithmetic;
}

llvm::Error CpuBackend::emitHost(llvm::Module &module, CodeForm form,
                                 SmallVectorImpl<char> &out) const {
  llvm::Expected<std::vector<CpuLevel>> baseline =
      parseCpuLevels("x86-64", /*threads=*/0);
  if (!baseline)
    return baseline.takeError();
  return emitCode(module, baseline->front(), CodeKind::Host, form, out);
}

llvm::Error CpuBackend::emitStub(llvm::Module &module,
                                 SmallVectorImpl<char> &out) const {
  return emitCode(module, levels.front(), CodeKind::Host, CodeForm::Object,
                  out);
}
