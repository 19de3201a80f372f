// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// LLVM's optimizer, for every target.
#ifndef HONE_COMPILER_TARGET_CPU_OPTIMIZE_H
#define HONE_COMPILER_TARGET_CPU_OPTIMIZE_H

#include "llvm/IR/Module.h"
#include "llvm/Target/TargetMachine.h"

namespace hone {

/// How much is made of code, beside what its runs cost.
enum class OptimizerEffort {
  Speed,  ///< all of O2
  Linear, ///< for code of any length that runs once a call
};

/// `vectorize`: LLVM may make vectors of scalar code.
void runOptimizer(llvm::Module &module, llvm::TargetMachine &machine,
                  OptimizerEffort effort, bool vectorize);

} // namespace hone

#endif // HONE_COMPILER_TARGET_CPU_OPTIMIZE_H
