// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Emits loop nests as scf loops over scalars and vectors.
#ifndef HONE_PASSES_CPU_LOOPEMISSION_H
#define HONE_PASSES_CPU_LOOPEMISSION_H

#include "passes/Cpu/LoopNest.h"

namespace hone {

struct LoopOptions {
  int64_t vectorBits = 256;
};

/// A nest and the values from which its reduced outputs start; null where they
/// start from what is in memory.
struct LoopStage {
  LoopNest nest;
  llvm::SmallVector<mlir::Value> inits;
};

/// Runs `body` for all coordinates below `extents`, in one scf.forall.
void parallelLoop(Emitter &e, llvm::ArrayRef<mlir::Value> extents,
                  llvm::function_ref<void(mlir::ValueRange)> body);

/// Emits the loops of a stage at the insertion point. With `parallel`, there is
/// one scf.forall around them.
void emitStage(Emitter &e, LoopStage stage, const LoopOptions &options,
               bool parallel);

/// The dimension that vectors are best made along, or -1.
int chooseVectorDim(const LoopNest &nest);

} // namespace hone

#endif // HONE_PASSES_CPU_LOOPEMISSION_H
