// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Chips that device code is made for.
#ifndef HONE_COMPILER_TARGET_CUDA_CHIPS_H
#define HONE_COMPILER_TARGET_CUDA_CHIPS_H

#include "dialects/Machine/Machine.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace hone {

struct GpuChip {
  std::string name;     ///< "sm_90a"
  std::string features; ///< LLVM's: the version of PTX
  unsigned version = 0; ///< 90
  GpuMachine machine;   ///< for the passes
  /// Its PTX runs on later chips too: no suffix.
  bool portable = true;
};

/// An assembler and the chips that it has code for.
struct AssemblerChips {
  std::string path;
  std::vector<std::string> names;
};

/// Reads a list like "sm_80,sm_90a". Ordered by version, without duplicates.
/// Each must be known to LLVM, from sm_80 on, and to the assembler if there is
/// one.
llvm::Expected<std::vector<GpuChip>>
parseGpuChips(llvm::StringRef list, const AssemblerChips *assembler);

/// The chip whose PTX is shipped for chips without code of their own: the
/// newest portable one, or sm_80.
GpuChip portableChip(llvm::ArrayRef<GpuChip> chips);

/// Initializes LLVM's NVPTX target, once.
void initializeCudaTarget();

} // namespace hone

#endif // HONE_COMPILER_TARGET_CUDA_CHIPS_H
