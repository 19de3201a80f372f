// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Device operations as calls of the emulator.
#ifndef HONE_COMPILER_TARGET_EMULATED_OPERATIONS_H
#define HONE_COMPILER_TARGET_EMULATED_OPERATIONS_H

#include "compiler/Target/Emulated/Services.h"
#include "llvm/ADT/StringMap.h"

namespace hone {

/// Checks every access to memory, and replaces every operation of the nvvm
/// dialect. `shared` maps shared arrays to their offsets.
mlir::LogicalResult translateOperations(mlir::LLVM::LLVMFuncOp function,
                                        EmulatorServices &services,
                                        const llvm::StringMap<int64_t> &shared);

} // namespace hone

#endif // HONE_COMPILER_TARGET_EMULATED_OPERATIONS_H
