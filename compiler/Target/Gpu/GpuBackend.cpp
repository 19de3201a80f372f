// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One kernel from graph operations to a launch stub and code for the device.
#include "compiler/Target/Gpu/GpuBackend.h"
#include "compiler/Target/Cpu/CpuBackend.h"
#include "dialects/Rt/Rt.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Target/LLVMIR/Dialect/GPU/GPUToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/Constants.h"

using namespace mlir;
using namespace hone;

void GpuBackend::registerDialects(DialectRegistry &registry) {
  registerGPUDialectTranslation(registry);
  registerNVVMDialectTranslation(registry);
}

void GpuBackend::addPlacement(OpPassManager &pm) const {
  buildGpuPlacementPipeline(pm);
}

bool GpuBackend::runs(func::FuncOp kernel) const {
  return kernel->hasAttr(rt::kDeviceAttr);
}

static NamedAttribute attributeOf(const GpuMachine &machine,
                                  MLIRContext *context) {
  return {StringAttr::get(context, kGpuAttr),
          machine::GpuAttr::get(context, machine)};
}

NamedAttribute GpuBackend::machine(MLIRContext *context, size_t) const {
  return attributeOf(chip, context);
}

void GpuBackend::addBufferPhase(OpPassManager &pm) const {
  buildGpuKernelBufferPipeline(pm);
}

void GpuBackend::addLlvmPhase(OpPassManager &pm) const {
  buildGpuKernelLlvmPipeline(pm);
}

size_t GpuBackend::variants(CodeForm form) const {
  // Assembly is that of the host alone.
  return form == CodeForm::Object ? 1 : 0;
}

void GpuBackend::describe(ModelInfo &info) const {
  info.device = DeviceInfo{driver, {}};
  info.device->kernels.resize(info.kernels.size());
}

void GpuBackend::describeKernel(size_t kernel, size_t,
                                const KernelReport &report,
                                ModelInfo &info) const {
  info.device->kernels[kernel] = report.device;
}

llvm::Error GpuBackend::problem(func::FuncOp kernel, const llvm::Twine &what) {
  return llvm::createStringError("kernel '" + kernel.getSymName() +
                                 "' for the device " + what);
}

std::string GpuBackend::imageSymbol(func::FuncOp kernel) {
  return ("hone_image." + kernel.getSymName()).str();
}

gpu::GPUModuleOp GpuBackend::deviceModule(ModuleOp module) {
  auto modules = module.getOps<gpu::GPUModuleOp>();
  return modules.empty() ? gpu::GPUModuleOp() : *modules.begin();
}

llvm::Expected<OwningOpRef<ModuleOp>>
GpuBackend::lowerToDevice(func::FuncOp kernel,
                          const GpuMachine &machine) const {
  OwningOpRef<ModuleOp> module =
      lower(kernel, Phase::Llvm, attributeOf(machine, kernel.getContext()));
  if (!module)
    return problem(kernel, "could not be lowered");
  if (!deviceModule(*module))
    return problem(kernel, "has no code after lowering");
  return module;
}

static void addConstant(llvm::Module &module, StringRef symbol,
                        StringRef bytes) {
  llvm::Constant *value = llvm::ConstantDataArray::getString(
      module.getContext(), bytes, /*AddNull=*/false);
  auto *global = new llvm::GlobalVariable(
      module, value->getType(),
      /*isConstant=*/true, llvm::GlobalValue::ExternalLinkage, value, symbol);
  global->setVisibility(llvm::GlobalValue::HiddenVisibility);
  global->setAlignment(llvm::Align(64));
}

/// Everything except the stub and the images is private to the module.
static void internalize(llvm::Module &module, const DeviceKernelInfo &kernel) {
  for (llvm::GlobalValue &value : module.global_values()) {
    if (value.isDeclaration())
      continue;
    bool isImage = llvm::any_of(kernel.images, [&](const ImageInfo &image) {
      return value.getName() == image.symbol;
    });
    if (value.getName() == kernel.stub || isImage)
      value.setVisibility(llvm::GlobalValue::HiddenVisibility);
    else
      value.setLinkage(llvm::GlobalValue::InternalLinkage);
  }
}

llvm::Error GpuBackend::compile(const KernelJob &job,
                                SmallVectorImpl<char> &code,
                                KernelReport &report) const {
  func::FuncOp kernel = job.kernel;
  std::string name = kernel.getSymName().str();
  llvm::Expected<OwningOpRef<ModuleOp>> module = lowerToDevice(kernel, chip);
  if (!module)
    return module.takeError();
  gpu::GPUModuleOp device = deviceModule(**module);
  for (auto function : device.getOps<LLVM::LLVMFuncOp>())
    if (function->hasAttr(NVVM::NVVMDialect::getKernelFuncAttrName()))
      report.device.functions.push_back(function.getSymName().str());
  std::vector<Image> images;
  if (llvm::Error error = makeImages(job, **module, device, report, images))
    return error;
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> translated =
      translateModuleToLLVMIR(**module, context, name);
  if (!translated)
    return problem(kernel, "has a stub that could not be translated");
  llvm::Function *stub = translated->getFunction(name);
  if (!stub)
    return problem(kernel, "has no stub");
  report.device.stub = name + ".launch";
  stub->setName(report.device.stub);
  for (const Image &image : images) {
    report.device.images.push_back(image.info);
    if (!image.bytes.empty())
      addConstant(*translated, image.info.symbol, image.bytes);
  }
  internalize(*translated, report.device);
  for (llvm::Function &function : *translated)
    if (function.isDeclaration() && function.getName().starts_with("hone_rt_"))
      function.setVisibility(llvm::GlobalValue::HiddenVisibility);
  return job.host.emitStub(*translated, code);
}
