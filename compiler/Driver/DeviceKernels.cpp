// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One kernel from graph operations to a launch stub and code for the device.
#include "compiler/Driver/DeviceKernels.h"
#include "compiler/Target/Cuda/Ptx.h"
#include "compiler/Target/Emulated/Emulated.h"
#include "dialects/Rt/Rt.h"
#include "hone/abi.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/Constants.h"
#include "llvm/Support/FileSystem.h"

using namespace mlir;
using namespace hone;

std::string Targets::driver() const {
  return emulated ? HONE_EMULATOR_LIBRARY : "libcuda.so.1";
}

GpuMachine Targets::machine() const {
  GpuMachine largest;
  for (const GpuChip &chip : chips)
    if (chip.machine.multiprocessors > largest.multiprocessors ||
        &chip == &chips.front())
      largest = chip.machine;
  return largest;
}

llvm::Expected<Targets> hone::parseTargets(StringRef target, StringRef gpu,
                                           bool assembles) {
  Targets targets;
  targets.cpu = false;
  for (StringRef name : llvm::split(target, ','))
    if (name == "cpu")
      targets.cpu = true;
    else if (name == "cuda")
      targets.cuda = true;
    else if (name == "cuda-emulated")
      targets.emulated = true;
    else
      return llvm::createStringError("unknown target '" + name +
                                     "'; there are cpu, cuda, and both, as in "
                                     "cuda,cpu");
  if (targets.cuda && targets.emulated)
    return llvm::createStringError(
        "a library is made for cuda or for cuda-emulated, not for both");
  if (!targets.cuda)
    return targets;
  targets.ptxas = findPtxas();
  if (!targets.ptxas.empty() && !llvm::sys::fs::can_execute(targets.ptxas))
    return llvm::createStringError("HONE_PTXAS names '" + targets.ptxas +
                                   "', which is no program");
  std::optional<AssemblerChips> assembler;
  if (assembles && !targets.ptxas.empty()) {
    llvm::Expected<AssemblerChips> told = readAssemblerChips(targets.ptxas);
    if (!told)
      return told.takeError();
    assembler = std::move(*told);
  }
  llvm::Expected<std::vector<GpuChip>> chips =
      parseGpuChips(gpu, assembler ? &*assembler : nullptr);
  if (!chips)
    return chips.takeError();
  targets.chips = std::move(*chips);
  return targets;
}

OwningOpRef<ModuleOp> hone::isolateDeviceKernel(func::FuncOp kernel,
                                                const GpuMachine &machine) {
  OwningOpRef<ModuleOp> module = isolateKernel(kernel);
  module->getOperation()->setAttr(
      kGpuAttr, machine::GpuAttr::get(kernel.getContext(), machine));
  return module;
}

LogicalResult hone::lowerDeviceKernel(ModuleOp module, Phase phase) {
  return runPhase(module, [&](OpPassManager &pm) {
    buildKernelTilePipeline(pm);
    if (phase >= Phase::Buffer)
      buildGpuKernelBufferPipeline(pm);
    if (phase >= Phase::Llvm)
      buildGpuKernelLlvmPipeline(pm);
  });
}

static llvm::Error problem(func::FuncOp kernel, const llvm::Twine &what) {
  return llvm::createStringError("kernel '" + kernel.getSymName() +
                                 "' for the device " + what);
}

static gpu::GPUModuleOp deviceModule(ModuleOp module) {
  auto modules = module.getOps<gpu::GPUModuleOp>();
  return modules.empty() ? gpu::GPUModuleOp() : *modules.begin();
}

/// The kernel's module with all of its code in LLVM dialects.
static llvm::Expected<OwningOpRef<ModuleOp>>
lowered(func::FuncOp kernel, const GpuMachine &machine) {
  OwningOpRef<ModuleOp> module = isolateDeviceKernel(kernel, machine);
  if (failed(lowerDeviceKernel(*module, Phase::Llvm)))
    return problem(kernel, "could not be lowered");
  if (!deviceModule(*module))
    return problem(kernel, "has no code after lowering");
  return module;
}

/// Moves what is in `device` behind what is in `all`. Kernels have names of
/// their own; all else that is defined gets the kernel's before its own.
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

llvm::Expected<std::string> hone::devicePtx(ModuleOp module,
                                            const GpuChip &chip) {
  OwningOpRef<ModuleOp> holder = ModuleOp::create(module.getLoc());
  gpu::GPUModuleOp all;
  for (auto kernel : module.getOps<func::FuncOp>()) {
    if (!kernel->hasAttr(rt::kDeviceAttr))
      continue;
    llvm::Expected<OwningOpRef<ModuleOp>> one = lowered(kernel, chip.machine);
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

namespace {
/// Bytes of an image until they become a constant of the stub's module.
struct ImageBytes {
  ImageInfo info;
  std::string bytes;
};
} // namespace

static llvm::Error makeImages(const DeviceKernelJob &job,
                              gpu::GPUModuleOp device, DeviceKernelCode &result,
                              SmallVectorImpl<ImageBytes> &images) {
  func::FuncOp kernel = job.kernel;
  std::string name = kernel.getSymName().str();
  int64_t count = result.functions.size();
  auto add = [&](StringRef chip, int32_t kind, std::string bytes) {
    std::string symbol =
        "hone_image." + name + "." + std::to_string(images.size());
    ImageInfo info{chip.str(), symbol, int64_t(bytes.size()), kind, 0, count};
    images.push_back({info, std::move(bytes)});
  };
  const Targets &targets = *job.targets;
  auto make = [&](const GpuChip &chip) -> llvm::Expected<std::string> {
    llvm::Expected<std::string> ptx = emitPtx(device, chip);
    if (!ptx)
      return problem(kernel, "for " + chip.name + ": " +
                                 llvm::toString(ptx.takeError()));
    return ptx;
  };
  GpuChip portable = portableChip(targets.chips);
  std::string portablePtx;
  if (!targets.ptxas.empty())
    for (const GpuChip &chip : targets.chips) {
      llvm::Expected<std::string> ptx = make(chip);
      if (!ptx)
        return ptx.takeError();
      llvm::Expected<Assembled> code =
          assemblePtx(targets.ptxas, *ptx, chip.name, job.directory);
      if (!code)
        return problem(kernel, llvm::toString(code.takeError()));
      llvm::append_range(result.resources, code->functions);
      result.remarks += code->remarks;
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
  return llvm::Error::success();
}

static void addConstant(llvm::Module &module, const ImageBytes &image) {
  llvm::Constant *bytes = llvm::ConstantDataArray::getString(
      module.getContext(), image.bytes, /*AddNull=*/false);
  auto *global = new llvm::GlobalVariable(
      module, bytes->getType(), /*isConstant=*/true,
      llvm::GlobalValue::ExternalLinkage, bytes, image.info.symbol);
  global->setVisibility(llvm::GlobalValue::HiddenVisibility);
  global->setAlignment(llvm::Align(64));
}

/// Everything but the stub and the images is the module's own.
static void internalize(llvm::Module &module, StringRef stub,
                        ArrayRef<ImageInfo> images) {
  for (llvm::GlobalValue &value : module.global_values()) {
    if (value.isDeclaration())
      continue;
    bool isImage = llvm::any_of(images, [&](const ImageInfo &image) {
      return value.getName() == image.symbol;
    });
    if (value.getName() == stub || isImage)
      value.setVisibility(llvm::GlobalValue::HiddenVisibility);
    else
      value.setLinkage(llvm::GlobalValue::InternalLinkage);
  }
}

llvm::Error hone::compileDeviceKernel(const DeviceKernelJob &job,
                                      DeviceKernelCode &result) {
  func::FuncOp kernel = job.kernel;
  std::string name = kernel.getSymName().str();
  llvm::Expected<OwningOpRef<ModuleOp>> module =
      lowered(kernel, job.targets->machine());
  if (!module)
    return module.takeError();
  gpu::GPUModuleOp device = deviceModule(**module);
  for (auto function : device.getOps<LLVM::LLVMFuncOp>())
    if (function->hasAttr(NVVM::NVVMDialect::getKernelFuncAttrName()))
      result.functions.push_back(function.getSymName().str());
  SmallVector<ImageBytes> images;
  if (job.targets->emulated) {
    std::string symbol = "hone_image." + name;
    if (failed(translateToEmulated(**module, symbol)))
      return problem(kernel, "cannot be emulated");
    result.images.push_back({"emulated", symbol, 0, HONE_IMAGE_EMULATED, 0,
                             int64_t(result.functions.size())});
  } else {
    if (llvm::Error error = makeImages(job, device, result, images))
      return error;
    for (const ImageBytes &image : images)
      result.images.push_back(image.info);
    device.erase();
  }
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> code =
      translateModuleToLLVMIR(**module, context, name);
  if (!code)
    return problem(kernel, "has a stub that could not be translated");
  result.stub = name + ".launch";
  llvm::Function *stub = code->getFunction(name);
  if (!stub)
    return problem(kernel, "has no stub");
  stub->setName(result.stub);
  for (const ImageBytes &image : images)
    addConstant(*code, image);
  internalize(*code, result.stub, result.images);
  for (llvm::Function &function : *code)
    if (function.isDeclaration() && function.getName().starts_with("hone_rt_"))
      function.setVisibility(llvm::GlobalValue::HiddenVisibility);
  return emitCode(*code, *job.level, CodeKind::Host, CodeForm::Object,
                  result.object);
}
