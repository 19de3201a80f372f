// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Device code as host code that calls the emulator.
#ifndef HONE_COMPILER_TARGET_EMULATED_EMULATED_H
#define HONE_COMPILER_TARGET_EMULATED_EMULATED_H

#include "mlir/IR/BuiltinOps.h"

namespace hone {

/// Turns the gpu.module in `module`, in the llvm and nvvm dialects, into
/// functions of the host module. The emulator checks every access to memory,
/// and every device operation is a call to it. They are described by the table
/// in the global `symbol`, a hone_emulated_module. Fails on operations that are
/// not emulated.
mlir::LogicalResult translateToEmulated(mlir::ModuleOp module,
                                        llvm::StringRef symbol);

} // namespace hone

#endif // HONE_COMPILER_TARGET_EMULATED_EMULATED_H
