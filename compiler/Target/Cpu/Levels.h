// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// CPU levels: what a table of kernels may use, and what the processor must have
// to run it.
#ifndef HONE_COMPILER_TARGET_CPU_LEVELS_H
#define HONE_COMPILER_TARGET_CPU_LEVELS_H

#include "dialects/Machine/Machine.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <string>
#include <vector>

namespace hone {

struct CpuLevel {
  std::string name;      ///< as the user gave it
  std::string cpu;       ///< LLVM's name
  std::string features;  ///< LLVM's list, for the processor of this machine
  uint64_t required = 0; ///< HONE_CPU_* of abi.h
  CpuMachine machine;    ///< for the passes
};

/// Reads a list like "x86-64-v3,x86-64-v4" or "native", for runs with this many
/// threads (0: unknown). Levels are ordered from the least to the most
/// demanding, without duplicates.
llvm::Expected<std::vector<CpuLevel>> parseCpuLevels(llvm::StringRef list,
                                                     int64_t threads);

/// Initializes LLVM's x86 target, once.
void initializeCpuTarget();

} // namespace hone

#endif // HONE_COMPILER_TARGET_CPU_LEVELS_H
