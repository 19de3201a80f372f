// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// NVIDIA's GPUs.
#ifndef HONE_COMPILER_TARGET_CUDA_CUDABACKEND_H
#define HONE_COMPILER_TARGET_CUDA_CUDABACKEND_H

#include "compiler/Target/Cuda/Chips.h"
#include "compiler/Target/Gpu/GpuBackend.h"

namespace hone {

/// Images are machine code for each chip if there is an assembler, and PTX.
class CudaBackend final : public GpuBackend {
public:
  static llvm::Expected<std::unique_ptr<Backend>>
  create(const TargetOptions &options, NoteFn note);

  /// PTX for the first chip, in one module; "" if no kernel runs on the device.
  llvm::Expected<std::string> emitText(mlir::ModuleOp model) const override;

private:
  CudaBackend(std::vector<GpuChip> chips, std::string ptxas);

  llvm::Error makeImages(const KernelJob &job, mlir::ModuleOp module,
                         mlir::gpu::GPUModuleOp device, KernelReport &report,
                         std::vector<Image> &images) const override;

  std::vector<GpuChip> chips;
  std::string ptxas; ///< "": PTX only
};

inline constexpr TargetInfo kCudaTarget = {"cuda",
                                           "ptx",
                                           /*listed=*/true,
                                           CudaBackend::create,
                                           GpuBackend::registerDialects,
                                           /*registerPasses=*/[] {}};

} // namespace hone

#endif // HONE_COMPILER_TARGET_CUDA_CUDABACKEND_H
