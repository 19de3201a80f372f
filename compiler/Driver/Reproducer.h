// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Command lines for others to see what the compiler did here.
#ifndef HONE_COMPILER_DRIVER_REPRODUCER_H
#define HONE_COMPILER_DRIVER_REPRODUCER_H

#include "compiler/Driver/Driver.h"
#include "llvm/ADT/SmallVector.h"

namespace hone {

/// Options of `hone compile` that the code depends on, for a model that is
/// imported.
llvm::SmallVector<std::string> compileArguments(const CompileOptions &options);
/// Those that the import depends on.
llvm::SmallVector<std::string> importArguments(const CompileOptions &options);

/// Comments at the top of a file with an imported model: a reason, and the
/// command that compiles it to `output`.
std::string reproducerHead(llvm::StringRef reason, llvm::StringRef file,
                           llvm::StringRef output,
                           const CompileOptions &options);

} // namespace hone

#endif // HONE_COMPILER_DRIVER_REPRODUCER_H
