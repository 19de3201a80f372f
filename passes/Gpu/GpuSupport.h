// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which kernels a GPU can run.
#ifndef HONE_PASSES_GPU_GPUSUPPORT_H
#define HONE_PASSES_GPU_GPUSUPPORT_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace hone {

/// Whether the GPU pipelines can lower a kernel as outlined. Text stays on the
/// host, and so do functions of f64 without an instruction.
bool gpuSupports(mlir::func::FuncOp kernel);

/// Whether the math operation becomes device instructions.
bool gpuSupportsMath(mlir::Operation *op);

} // namespace hone

#endif // HONE_PASSES_GPU_GPUSUPPORT_H
