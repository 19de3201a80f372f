// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// LLVM's optimizer, for the kernels of every target.
#ifndef HONE_COMPILER_TARGET_CPU_OPTIMIZE_H
#define HONE_COMPILER_TARGET_CPU_OPTIMIZE_H

#include "llvm/IR/Module.h"
#include "llvm/Target/TargetMachine.h"

namespace hone {

/// `vectorize`: LLVM may vectorize scalar code.
void runOptimizer(llvm::Module &module, llvm::TargetMachine &machine,
                  bool vectorize);

} // namespace hone

#endif // HONE_COMPILER_TARGET_CPU_OPTIMIZE_H
