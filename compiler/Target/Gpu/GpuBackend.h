// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What targets that run the code of passes/Gpu have in common.
#ifndef HONE_COMPILER_TARGET_GPU_GPUBACKEND_H
#define HONE_COMPILER_TARGET_GPU_GPUBACKEND_H

#include "compiler/Target/Backend.h"
#include "dialects/Machine/Machine.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace hone {

/// A kernel becomes a launch stub for the host and images of its device
/// functions, in one object file. It has one variant, lowered once for all
/// chips.
class GpuBackend : public Backend {
public:
  void addPlacement(mlir::OpPassManager &pm) const override;
  bool runs(mlir::func::FuncOp kernel) const override;
  mlir::NamedAttribute machine(mlir::MLIRContext *context,
                               size_t variant) const override;
  size_t variants(CodeForm form) const override;
  llvm::Error compile(const KernelJob &job, llvm::SmallVectorImpl<char> &code,
                      KernelReport &report) const override;
  void describe(ModelInfo &info) const override;
  void describeKernel(size_t kernel, size_t variant, const KernelReport &report,
                      ModelInfo &info) const override;

  /// Dialects and translations of device code.
  static void registerDialects(mlir::DialectRegistry &registry);

protected:
  GpuBackend(std::string driver, GpuMachine chip)
      : driver(std::move(driver)), chip(std::move(chip)) {}

  /// Bytes that become a constant of the stub's object; none if the module's
  /// code contains what the image's symbol names.
  struct Image {
    ImageInfo info;
    std::string bytes;
  };

  /// Makes the images of one kernel. `module` is in the llvm phase; its
  /// `device` is erased afterwards.
  virtual llvm::Error makeImages(const KernelJob &job, mlir::ModuleOp module,
                                 mlir::gpu::GPUModuleOp device,
                                 KernelReport &report,
                                 std::vector<Image> &images) const = 0;

  /// The module of one kernel in the llvm phase, which has device code.
  llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>>
  lowerToDevice(mlir::func::FuncOp kernel, const GpuMachine &machine) const;
  static mlir::gpu::GPUModuleOp deviceModule(mlir::ModuleOp module);
  static llvm::Error problem(mlir::func::FuncOp kernel,
                             const llvm::Twine &what);
  static std::string imageSymbol(mlir::func::FuncOp kernel);

private:
  void addBufferPhase(mlir::OpPassManager &pm) const override;
  void addLlvmPhase(mlir::OpPassManager &pm) const override;

  std::string driver; ///< the library that the runtime opens
  GpuMachine chip;    ///< that kernels are lowered for
};

} // namespace hone

#endif // HONE_COMPILER_TARGET_GPU_GPUBACKEND_H
