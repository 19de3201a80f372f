// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From an LLVM module to machine code.
#ifndef HONE_COMPILER_TARGET_CPU_CODEGEN_H
#define HONE_COMPILER_TARGET_CPU_CODEGEN_H

#include "compiler/Target/CodeForm.h"
#include "compiler/Target/Cpu/Levels.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/IR/Module.h"

namespace hone {

enum class CodeKind {
  Kernel, ///< optimized for speed
  Host,   ///< straight-line code that runs once per call
};

/// Optimizes the module for the level and appends its code to `out`.
llvm::Error emitCode(llvm::Module &module, const CpuLevel &level, CodeKind kind,
                     CodeForm form, llvm::SmallVectorImpl<char> &out);

} // namespace hone

#endif // HONE_COMPILER_TARGET_CPU_CODEGEN_H
