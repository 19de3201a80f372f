// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From PTX to machine code, by the toolkit's assembler if there is one.
#ifndef HONE_COMPILER_TARGET_CUDA_ASSEMBLER_H
#define HONE_COMPILER_TARGET_CUDA_ASSEMBLER_H

#include "compiler/Target/Backend.h"
#include "compiler/Target/Cuda/Chips.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <string>
#include <vector>

namespace hone {

struct Assembled {
  llvm::SmallVector<char, 0> code; ///< a cubin
  std::vector<FunctionResources> functions;
  /// The assembler's notes on performance it had to give up.
  std::string remarks;
};

/// Path of `ptxas`: HONE_PTXAS, else in PATH, else below CUDA_HOME or in
/// /usr/local/cuda. "" if there is none.
std::string findPtxas();

/// The chips listed in an assembler's help.
llvm::Expected<AssemblerChips> readAssemblerChips(llvm::StringRef ptxas);

/// Assembles `ptx` for `chip` with temporary files in `directory`.
llvm::Expected<Assembled> assemblePtx(llvm::StringRef ptxas,
                                      llvm::StringRef ptx, llvm::StringRef chip,
                                      llvm::StringRef directory);

} // namespace hone

#endif // HONE_COMPILER_TARGET_CUDA_ASSEMBLER_H
