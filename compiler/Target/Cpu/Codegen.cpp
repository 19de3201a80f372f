// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// LLVM's optimizer and code generator, set up for kernels and for the host
// function.
#include "compiler/Target/Cpu/Codegen.h"
#include "compiler/Target/Cpu/Optimize.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"

using namespace llvm;
using namespace hone;

/// Kernels that were vectorized before must not be unrolled and vectorized
/// again.
static bool usesVectors(const Module &module) {
  for (const Function &function : module)
    for (const BasicBlock &block : function)
      for (const Instruction &instruction : block) {
        if (instruction.getType()->isVectorTy())
          return true;
        for (const Value *operand : instruction.operand_values())
          if (operand->getType()->isVectorTy())
            return true;
      }
  return false;
}

static std::unique_ptr<TargetMachine>
makeMachine(const CpuLevel &level, CodeKind kind, std::string &error) {
  Triple triple(sys::getDefaultTargetTriple());
  const Target *target = TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return nullptr;
  TargetOptions options;
  // A multiplication and an addition may be contracted; nothing else of fast
  // math.
  options.AllowFPOpFusion = FPOpFusion::Fast;
  options.FunctionSections = options.DataSections = true;
  // A host function may have ten thousand calls in a row, and much of LLVM is
  // quadratic in that; its own time is negligible beside that of the calls.
  CodeGenOptLevel effort = kind == CodeKind::Kernel ? CodeGenOptLevel::Default
                                                    : CodeGenOptLevel::None;
  return std::unique_ptr<TargetMachine>(
      target->createTargetMachine(triple, level.cpu, level.features, options,
                                  Reloc::PIC_, CodeModel::Small, effort));
}

Error hone::emitCode(Module &module, const CpuLevel &level, CodeKind kind,
                     CodeForm form, SmallVectorImpl<char> &out) {
  initializeCpuTarget();
  std::string error;
  std::unique_ptr<TargetMachine> machine = makeMachine(level, kind, error);
  if (!machine)
    return createStringError(error);
  module.setTargetTriple(machine->getTargetTriple());
  module.setDataLayout(machine->createDataLayout());
  for (Function &function : module) {
    if (function.isDeclaration())
      continue;
    function.addFnAttr(Attribute::NoUnwind);
    // Use vectors of the level's width, whatever LLVM prefers on this
    // processor.
    function.addFnAttr("prefer-vector-width",
                       std::to_string(level.machine.vectorBits));
    function.addFnAttr("target-cpu", level.cpu);
    if (!level.features.empty())
      function.addFnAttr("target-features", level.features);
  }
  if (kind == CodeKind::Kernel)
    runOptimizer(module, *machine, /*vectorize=*/!usesVectors(module));
  raw_svector_ostream stream(out);
  legacy::PassManager passes;
  CodeGenFileType type = form == CodeForm::Object
                             ? CodeGenFileType::ObjectFile
                             : CodeGenFileType::AssemblyFile;
  // The translation to LLVM IR has verified the module.
  if (machine->addPassesToEmitFile(passes, stream, nullptr, type,
                                   /*DisableVerify=*/true))
    return createStringError("the target cannot emit this kind of file");
  passes.run(module);
  return Error::success();
}
