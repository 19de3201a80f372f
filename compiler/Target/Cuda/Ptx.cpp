// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// LLVM's optimizer and its NVPTX code generator.
#include "compiler/Target/Cuda/Ptx.h"
#include "compiler/Target/Cpu/Optimize.h"
#include "mlir/Conversion/NVVMToLLVM/NVVMToLLVM.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"

using namespace llvm;
using namespace hone;

static std::unique_ptr<TargetMachine> makeMachine(const GpuChip &chip,
                                                  std::string &error) {
  initializeCudaTarget();
  Triple triple("nvptx64-nvidia-cuda");
  const Target *target = TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return nullptr;
  TargetOptions options;
  // As on the CPU: products and sums may be contracted, nothing else of fast
  // math.
  options.AllowFPOpFusion = FPOpFusion::Fast;
  return std::unique_ptr<TargetMachine>(target->createTargetMachine(
      triple, chip.name, chip.features, options, std::nullopt, std::nullopt,
      CodeGenOptLevel::Aggressive));
}

Expected<std::string> hone::emitPtx(mlir::gpu::GPUModuleOp device,
                                    const GpuChip &chip) {
  // Operations without an intrinsic become inline PTX in a copy: other targets
  // read the operations themselves.
  mlir::OwningOpRef<mlir::ModuleOp> holder =
      mlir::ModuleOp::create(device.getLoc());
  auto copy = cast<mlir::gpu::GPUModuleOp>(device->clone());
  holder->push_back(copy);
  mlir::PassManager pm(device.getContext());
  pm.addNestedPass<mlir::gpu::GPUModuleOp>(mlir::createConvertNVVMToLLVMPass());
  if (mlir::failed(pm.run(*holder)))
    return createStringError("operations of the device could not be lowered");
  LLVMContext context;
  std::unique_ptr<Module> module =
      mlir::translateModuleToLLVMIR(copy, context, device.getName());
  if (!module)
    return createStringError("the device's code could not be translated");
  std::string error;
  std::unique_ptr<TargetMachine> machine = makeMachine(chip, error);
  if (!machine)
    return createStringError(error);
  module->setTargetTriple(machine->getTargetTriple());
  module->setDataLayout(machine->createDataLayout());
  // Vectors are formed where memory accesses allow them, before this.
  runOptimizer(*module, *machine, /*vectorize=*/false);
  SmallString<0> text;
  raw_svector_ostream stream(text);
  legacy::PassManager passes;
  if (machine->addPassesToEmitFile(passes, stream, nullptr,
                                   CodeGenFileType::AssemblyFile))
    return createStringError("LLVM cannot emit PTX");
  passes.run(*module);
  return text.str().str();
}
