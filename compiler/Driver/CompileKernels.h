// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// All kernels of a model, compiled on the threads of the compiler.
#ifndef HONE_COMPILER_DRIVER_COMPILEKERNELS_H
#define HONE_COMPILER_DRIVER_COMPILEKERNELS_H

#include "compiler/Driver/Files.h"
#include "compiler/Driver/Session.h"
#include "compiler/Target/Targets.h"

namespace hone {

struct KernelsWork {
  mlir::ModuleOp module; ///< after the host's plan
  const Targets &targets;
  CodeForm form;
  const TemporaryFolder &folder;
  llvm::StringRef only; ///< name of the only kernel to compile; empty: all
};

/// What became of a kernel in one variant of a target.
struct KernelCode {
  size_t kernel;
  std::string place; ///< a CPU level, or "device"
  int64_t bytes;
  double seconds; ///< that it took
  KernelReport report;
};

struct KernelsResult {
  std::vector<KernelCode> code;     ///< in the order of the kernels
  std::vector<std::string> objects; ///< files
  std::string assembly;
  std::string problem; ///< after an internal error
};

/// Compiles every kernel for each variant of the targets that have code for it,
/// and adds statistics to `info`.
Outcome compileKernels(Session &session, const KernelsWork &work,
                       ModelInfo &info, KernelsResult &result);

} // namespace hone

#endif // HONE_COMPILER_DRIVER_COMPILEKERNELS_H
