// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Images of kernels for NVIDIA's GPUs, and PTX of a whole model.
#include "compiler/Target/Cuda/CudaBackend.h"
#include "compiler/Target/Cuda/Assembler.h"
#include "compiler/Target/Cuda/Ptx.h"
#include "hone/abi.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "llvm/Support/FileSystem.h"

using namespace mlir;
using namespace hone;

static constexpr StringLiteral kDefaultChips = "sm_80,sm_90a";

/// What kernels are lowered for, once for all chips: the largest of them, as
/// what keeps a large chip busy also keeps a small one busy.
static GpuMachine largest(ArrayRef<GpuChip> chips) {
  GpuMachine largest = chips.front().machine;
  for (const GpuChip &chip : chips)
    if (chip.machine.multiprocessors > largest.multiprocessors)
      largest = chip.machine;
  return largest;
}

CudaBackend::CudaBackend(std::vector<GpuChip> chips, std::string ptxas)
    : GpuBackend("libcuda.so.1", largest(chips)), chips(std::move(chips)),
      ptxas(std::move(ptxas)) {}

llvm::Expected<std::unique_ptr<Backend>>
CudaBackend::create(const TargetOptions &options, NoteFn note) {
  std::string ptxas = findPtxas();
  if (!ptxas.empty() && !llvm::sys::fs::can_execute(ptxas))
    return llvm::createStringError("HONE_PTXAS names '" + ptxas +
                                   "', which is not a program");
  // It has to know the chips if it will be used.
  std::optional<AssemblerChips> assembler;
  if (options.files && !ptxas.empty()) {
    llvm::Expected<AssemblerChips> told = readAssemblerChips(ptxas);
    if (!told)
      return told.takeError();
    assembler = std::move(*told);
  }
  llvm::Expected<std::vector<GpuChip>> chips =
      parseGpuChips(options.gpu.value_or(kDefaultChips.str()),
                    assembler ? &*assembler : nullptr);
  if (!chips)
    return chips.takeError();
  if (options.files && ptxas.empty())
    note("no ptxas was found (HONE_PTXAS, PATH, CUDA_HOME): the library "
         "contains only PTX, which the driver compiles at load");
  return std::unique_ptr<Backend>(
      new CudaBackend(std::move(*chips), std::move(ptxas)));
}

/// Appends the content of `device` to `all`. Kernels have unique names; every
/// other definition gets the kernel's name as a prefix.
static LogicalResult merge(gpu::GPUModuleOp device, StringRef kernel,
                           gpu::GPUModuleOp all) {
  SymbolTable symbols(device), present(all);
  for (Operation &op :
       llvm::make_early_inc_range(device.getBody()->getOperations())) {
    auto symbol = dyn_cast<SymbolOpInterface>(op);
    if (!symbol || op.hasAttr(NVVM::NVVMDialect::getKernelFuncAttrName()))
      continue;
    auto global = dyn_cast<LLVM::GlobalOp>(op);
    bool isDeclared = global ? global.getLinkage() == LLVM::Linkage::External
                             : cast<LLVM::LLVMFuncOp>(op).isExternal();
    if (isDeclared && present.lookup(symbol.getName()))
      op.erase();
    else if (!isDeclared && failed(symbols.rename(
                                &op, (kernel + "_" + symbol.getName()).str())))
      return failure();
  }
  Block &body = *all.getBody();
  body.getOperations().splice(body.end(), device.getBody()->getOperations());
  return success();
}

llvm::Expected<std::string> CudaBackend::emitText(ModuleOp model) const {
  const GpuChip &chip = chips.front();
  OwningOpRef<ModuleOp> holder = ModuleOp::create(model.getLoc());
  gpu::GPUModuleOp all;
  for (auto kernel : model.getOps<func::FuncOp>()) {
    if (!runs(kernel))
      continue;
    llvm::Expected<OwningOpRef<ModuleOp>> one =
        lowerToDevice(kernel, chip.machine);
    if (!one)
      return one.takeError();
    gpu::GPUModuleOp device = deviceModule(**one);
    if (!all) {
      OpBuilder builder = OpBuilder::atBlockEnd(holder->getBody());
      all = cast<gpu::GPUModuleOp>(builder.cloneWithoutRegions(*device));
      all.getBodyRegion().emplaceBlock();
    }
    if (failed(merge(device, kernel.getSymName(), all)))
      return problem(kernel, "has names that cannot be changed");
  }
  return all ? emitPtx(all, chip) : "";
}

llvm::Error CudaBackend::makeImages(const KernelJob &job, ModuleOp,
                                    gpu::GPUModuleOp device,
                                    KernelReport &report,
                                    std::vector<Image> &images) const {
  func::FuncOp kernel = job.kernel;
  auto add = [&](StringRef chip, int32_t kind, std::string bytes) {
    std::string symbol =
        imageSymbol(kernel) + "." + std::to_string(images.size());
    ImageInfo info{chip.str(), symbol, int64_t(bytes.size()), kind};
    images.push_back({info, std::move(bytes)});
  };
  auto make = [&](const GpuChip &chip) -> llvm::Expected<std::string> {
    llvm::Expected<std::string> ptx = emitPtx(device, chip);
    if (!ptx)
      return problem(kernel, "for " + chip.name + ": " +
                                 llvm::toString(ptx.takeError()));
    return ptx;
  };
  GpuChip portable = portableChip(chips);
  std::string portablePtx;
  if (!ptxas.empty())
    for (const GpuChip &chip : chips) {
      llvm::Expected<std::string> ptx = make(chip);
      if (!ptx)
        return ptx.takeError();
      llvm::Expected<Assembled> code =
          assemblePtx(ptxas, *ptx, chip.name, job.directory);
      if (!code)
        return problem(kernel, llvm::toString(code.takeError()));
      llvm::append_range(report.resources, code->functions);
      for (StringRef line : llvm::split(code->remarks, '\n'))
        if (!line.empty())
          report.notes.push_back(("ptxas: " + line).str());
      add(chip.name, HONE_IMAGE_CUBIN,
          std::string(code->code.begin(), code->code.end()));
      if (chip.name == portable.name)
        portablePtx = std::move(*ptx);
    }
  if (portablePtx.empty()) {
    llvm::Expected<std::string> ptx = make(portable);
    if (!ptx)
      return ptx.takeError();
    portablePtx = std::move(*ptx);
  }
  // The driver reads it up to a zero.
  portablePtx.push_back('\0');
  add(portable.name, HONE_IMAGE_PTX, std::move(portablePtx));
  device.erase();
  return llvm::Error::success();
}
