// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The emulated device of the tests.
#ifndef HONE_COMPILER_TARGET_EMULATED_EMULATEDBACKEND_H
#define HONE_COMPILER_TARGET_EMULATED_EMULATEDBACKEND_H

#include "compiler/Target/Emulated/Passes.h"
#include "compiler/Target/Gpu/GpuBackend.h"

namespace hone {

/// Images are host code, in the object of the stub.
class EmulatedBackend final : public GpuBackend {
public:
  static llvm::Expected<std::unique_ptr<Backend>>
  create(const TargetOptions &options, NoteFn note);

private:
  EmulatedBackend();

  llvm::Error makeImages(const KernelJob &job, mlir::ModuleOp module,
                         mlir::gpu::GPUModuleOp device, KernelReport &report,
                         std::vector<Image> &images) const override;
};

inline constexpr TargetInfo kEmulatedTarget = {"cuda-emulated",
                                               /*form=*/"",
                                               /*listed=*/false,
                                               EmulatedBackend::create,
                                               GpuBackend::registerDialects,
                                               registerEmulatedPasses};

} // namespace hone

#endif // HONE_COMPILER_TARGET_EMULATED_EMULATEDBACKEND_H
