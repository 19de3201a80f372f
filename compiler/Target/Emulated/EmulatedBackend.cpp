// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Kernels for the emulated device: any chip.
#include "compiler/Target/Emulated/EmulatedBackend.h"
#include "compiler/Target/Emulated/Emulated.h"
#include "hone/abi.h"

using namespace mlir;
using namespace hone;

EmulatedBackend::EmulatedBackend()
    : GpuBackend(HONE_EMULATOR_LIBRARY, GpuMachine()) {}

llvm::Expected<std::unique_ptr<Backend>>
EmulatedBackend::create(const TargetOptions &, NoteFn) {
  return std::unique_ptr<Backend>(new EmulatedBackend());
}

llvm::Error EmulatedBackend::makeImages(const KernelJob &job, ModuleOp module,
                                        gpu::GPUModuleOp, KernelReport &,
                                        std::vector<Image> &images) const {
  std::string symbol = imageSymbol(job.kernel);
  if (failed(translateToEmulated(module, symbol)))
    return problem(job.kernel, "cannot be emulated");
  images.push_back(
      {{"emulated", symbol, /*bytes=*/0, HONE_IMAGE_EMULATED}, /*bytes=*/""});
  return llvm::Error::success();
}
