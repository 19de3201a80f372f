// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From the NVVM dialect to PTX.
#ifndef HONE_COMPILER_TARGET_CUDA_PTX_H
#define HONE_COMPILER_TARGET_CUDA_PTX_H

#include "compiler/Target/Cuda/Chips.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace hone {

/// The functions of `module`, in the LLVM and NVVM dialects, as PTX for `chip`.
/// `module` is not modified.
llvm::Expected<std::string> emitPtx(mlir::gpu::GPUModuleOp module,
                                    const GpuChip &chip);

} // namespace hone

#endif // HONE_COMPILER_TARGET_CUDA_PTX_H
