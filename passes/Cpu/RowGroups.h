// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which dimensions consecutive loop nests can run through together.
#ifndef HONE_PASSES_CPU_ROWGROUPS_H
#define HONE_PASSES_CPU_ROWGROUPS_H

#include "passes/Cpu/LoopEmission.h"

namespace hone {

struct RowPlan {
  /// For each stage, its dimensions that are shared, in one order for all.
  llvm::SmallVector<llvm::SmallVector<unsigned>> rowDims;
  /// Sizes of the shared dimensions.
  llvm::SmallVector<mlir::Value> extents;
};

/// The parallel dimensions along which no stage needs more than the same row of
/// what the stages before it computed; none where there is nothing to share.
std::optional<RowPlan> planRows(llvm::ArrayRef<LoopStage> stages);

/// Emits the stages in one scf.forall over the rows. Temporaries that only
/// these stages use shrink to a row.
void emitRows(Emitter &e, llvm::MutableArrayRef<LoopStage> stages,
              const RowPlan &plan, const LoopOptions &options);

} // namespace hone

#endif // HONE_PASSES_CPU_ROWGROUPS_H
