// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Device code for the emulator.
#ifndef HONE_COMPILER_TARGET_EMULATED_PASSES_H
#define HONE_COMPILER_TARGET_EMULATED_PASSES_H

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace hone {

#define GEN_PASS_DECL
#include "compiler/Target/Emulated/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "compiler/Target/Emulated/Passes.h.inc"

} // namespace hone

#endif // HONE_COMPILER_TARGET_EMULATED_PASSES_H
