// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The linalg.generic operations of a kernel as loop nests, in runs of
// consecutive operations.
#ifndef HONE_PASSES_EMIT_LOOPSTAGES_H
#define HONE_PASSES_EMIT_LOOPSTAGES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/Emit/LoopNest.h"

namespace hone {

/// A nest and the start values of its reduced outputs; null if they start from
/// memory.
struct LoopStage {
  LoopNest nest;
  llvm::SmallVector<mlir::Value> inits;
};

/// Calls `emit` for each run of consecutive operations at the top level of the
/// kernel, which are erased afterwards. Fills that initialize a reduction are
/// merged into it.
mlir::LogicalResult emitRuns(
    mlir::func::FuncOp kernel,
    llvm::function_ref<void(Emitter &, llvm::MutableArrayRef<LoopStage>)> emit);

/// Calls `emit` for each operation below the top level of the kernel; they are
/// erased afterwards.
mlir::LogicalResult
emitNested(mlir::func::FuncOp kernel,
           llvm::function_ref<void(Emitter &, LoopStage)> emit);

} // namespace hone

#endif // HONE_PASSES_EMIT_LOOPSTAGES_H
