// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Emits loop nests as scf loops over scalars and vectors.
#ifndef HONE_PASSES_CPU_LOOPEMISSION_H
#define HONE_PASSES_CPU_LOOPEMISSION_H

#include "passes/Emit/LoopStages.h"

namespace hone {

/// Runs `body` for all coordinates below `extents`, in one scf.forall.
void parallelLoop(Emitter &e, llvm::ArrayRef<mlir::Value> extents,
                  llvm::function_ref<void(mlir::ValueRange)> body);

/// Emits the loops of a stage at the insertion point. With `parallel`, inside
/// one scf.forall.
void emitStage(Emitter &e, LoopStage stage, const CpuMachine &machine,
               bool parallel);

} // namespace hone

#endif // HONE_PASSES_CPU_LOOPEMISSION_H
