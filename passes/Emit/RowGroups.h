// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Dimensions that consecutive loop nests can share.
#ifndef HONE_PASSES_EMIT_ROWGROUPS_H
#define HONE_PASSES_EMIT_ROWGROUPS_H

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "passes/Emit/LoopStages.h"

namespace hone {

struct RowPlan {
  /// For each stage, its shared dimensions, in a common order.
  llvm::SmallVector<llvm::SmallVector<unsigned>> rowDims;
  /// Sizes of the shared dimensions.
  llvm::SmallVector<mlir::Value> extents;
};

/// The parallel dimensions along which each stage only needs the same row of
/// what earlier stages computed; none if there is nothing to share.
std::optional<RowPlan> planRows(llvm::ArrayRef<LoopStage> stages);

/// A temporary used only by the stages: each row needs only its own part.
struct RowTemporary {
  mlir::memref::AllocOp alloc;
  llvm::SmallVector<int> kept; ///< Dimensions that a row keeps.
  llvm::SmallVector<int64_t> shape;
  llvm::SmallVector<mlir::Value> dynamicSizes;
  llvm::SmallVector<std::pair<unsigned, unsigned>> uses; ///< Stage, operand.

  /// Makes the stages use `row`, which has the shape, instead.
  void replace(Emitter &e, llvm::MutableArrayRef<LoopStage> stages,
               mlir::Value row) const;
  /// Makes the stages use a result instead, if one can hold the temporary until
  /// the last stage writes it. What is written early comes into the cache
  /// while other things are computed.
  bool replaceByResult(llvm::MutableArrayRef<LoopStage> stages) const;
};
llvm::SmallVector<RowTemporary, 0>
rowTemporaries(llvm::ArrayRef<LoopStage> stages, const RowPlan &plan);

/// Fixes the shared dimensions of a stage's nest to `ivs`.
void fixRow(Emitter &e, LoopNest &nest, llvm::ArrayRef<unsigned> rowDims,
            mlir::ValueRange ivs);

} // namespace hone

#endif // HONE_PASSES_EMIT_ROWGROUPS_H
