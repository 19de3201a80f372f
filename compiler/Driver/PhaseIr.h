// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The IR after a phase: of the host, and of each kernel for the first variant
// of where it runs.
#ifndef HONE_COMPILER_DRIVER_PHASEIR_H
#define HONE_COMPILER_DRIVER_PHASEIR_H

#include "compiler/Target/Targets.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace hone {

/// The kernels of a model, in order.
llvm::SmallVector<mlir::func::FuncOp> kernelsOf(mlir::ModuleOp model);

/// The kernel of this name. The error lists those with similar names.
llvm::Expected<mlir::func::FuncOp> findKernel(mlir::ModuleOp model,
                                              llvm::StringRef name);

/// A module of one kernel after `phase`, from graph to llvm; null after errors.
mlir::OwningOpRef<mlir::ModuleOp>
kernelAfter(mlir::func::FuncOp kernel, Phase phase, const Targets &targets);

/// A module of the host after `phase`, from linalg to llvm, in which kernels
/// are declarations; null after errors. `model` has passed the graph phase and
/// is planned if the phase is buffer or llvm.
mlir::OwningOpRef<mlir::ModuleOp> hostAfter(mlir::ModuleOp model, Phase phase,
                                            const Instrument &instrument);

} // namespace hone

#endif // HONE_COMPILER_DRIVER_PHASEIR_H
