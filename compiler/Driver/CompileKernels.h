// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// All kernels of a model, compiled on the threads of the compile.
#ifndef HONE_COMPILER_DRIVER_COMPILEKERNELS_H
#define HONE_COMPILER_DRIVER_COMPILEKERNELS_H

#include "compiler/Driver/DeviceKernels.h"
#include "compiler/Driver/Files.h"
#include "compiler/Driver/Session.h"

namespace hone {

struct KernelsWork {
  mlir::ModuleOp module; ///< after the host's plan
  llvm::ArrayRef<CpuLevel> levels;
  const Targets &targets;
  CodeForm form;
  const TemporaryFolder &folder;
};

struct KernelsResult {
  std::vector<std::string> objects; ///< files
  std::string assembly;
  std::string problem; ///< after an internal error
};

/// Compiles every kernel for each level that has it, and for the device if it
/// runs there. Sets the levels' scratch memory and the device in `info`.
Outcome compileKernels(Session &session, const KernelsWork &work,
                       ModelInfo &info, KernelsResult &result);

} // namespace hone

#endif // HONE_COMPILER_DRIVER_COMPILEKERNELS_H
