// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Identifies a kernel across models.
#ifndef HONE_PASSES_CPU_KERNELIDENTITY_H
#define HONE_PASSES_CPU_KERNELIDENTITY_H

#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include <string>

namespace hone {

/// On kernels: an array of pairs, a machine (`#hone_machine.cpu`) and a
/// dictionary of the schedules (an array of `#hone.schedule`) for kernels by
/// their identity.
inline constexpr llvm::StringLiteral kTuningAttr = "hone.tuning";

/// 32 hexadecimal digits that identify what a kernel computes at the end of the
/// linalg phase: the same for all models and machines, independent of names,
/// nodes, weights and schedules.
std::string kernelIdentity(mlir::func::FuncOp kernel);

/// The operations of a kernel that have schedules, in order.
llvm::SmallVector<graph::ScheduledOpInterface>
scheduledOperations(mlir::func::FuncOp kernel);

} // namespace hone

#endif // HONE_PASSES_CPU_KERNELIDENTITY_H
