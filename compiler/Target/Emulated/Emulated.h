// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Device code as host code that calls the emulator.
#ifndef HONE_COMPILER_TARGET_EMULATED_EMULATED_H
#define HONE_COMPILER_TARGET_EMULATED_EMULATED_H

#include "mlir/IR/BuiltinOps.h"

namespace hone {

/// Turns the gpu.module in `module`, over the llvm and nvvm dialects, into
/// functions of the host module. Every access to memory is checked by the
/// emulator, and every operation of the device is a call of it. The table
/// that describes them is the global `symbol`, a hone_emulated_module. Fails
/// at operations that are not emulated.
mlir::LogicalResult translateToEmulated(mlir::ModuleOp module,
                                        llvm::StringRef symbol);

} // namespace hone

#endif // HONE_COMPILER_TARGET_EMULATED_EMULATED_H
