// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Kernels on their own road: each alone, once per CPU level, many at a time.
#ifndef HONE_COMPILER_DRIVER_KERNELS_H
#define HONE_COMPILER_DRIVER_KERNELS_H

#include "compiler/Pipeline/Phases.h"
#include "compiler/Target/Cpu/Codegen.h"
#include "compiler/Target/Cpu/Descriptor.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

namespace hone {

/// A module of one kernel, for a machine; null where its code
/// is for a GPU.
mlir::OwningOpRef<mlir::ModuleOp>
isolateKernel(mlir::func::FuncOp kernel, const CpuMachine *machine = nullptr);

/// Takes the module up to and including `phase` (tile, buffer or llvm).
mlir::LogicalResult lowerKernel(mlir::ModuleOp module, Phase phase);

struct KernelJob {
  mlir::func::FuncOp kernel;
  const CpuLevel *level;
  std::string symbol; ///< name of the code
};

struct KernelCode {
  llvm::SmallVector<char, 0> code;
  int64_t scratchBytes = 0;
};

/// Compiles one kernel for one level.
llvm::Error compileKernel(const KernelJob &job, CodeForm form,
                          KernelCode &result);

} // namespace hone

#endif // HONE_COMPILER_DRIVER_KERNELS_H
