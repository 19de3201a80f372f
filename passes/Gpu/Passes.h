// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Passes that turn a bufferized kernel into GPU launches and device code.
#ifndef HONE_PASSES_GPU_PASSES_H
#define HONE_PASSES_GPU_PASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Pass/Pass.h"

namespace hone {

#define GEN_PASS_DECL
#include "passes/Gpu/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "passes/Gpu/Passes.h.inc"

} // namespace hone

#endif // HONE_PASSES_GPU_PASSES_H
