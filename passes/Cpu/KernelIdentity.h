// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// By what a kernel is known again in another model.
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

/// 32 hexadecimal digits that stand for what a kernel computes, as it is at the
/// end of the linalg phase: the same for all models and machines, whatever
/// names, nodes, weights and schedules it has there.
std::string kernelIdentity(mlir::func::FuncOp kernel);

/// The operations of a kernel that have schedules, in order.
llvm::SmallVector<graph::ScheduledOpInterface>
scheduledOperations(mlir::func::FuncOp kernel);

} // namespace hone

#endif // HONE_PASSES_CPU_KERNELIDENTITY_H
