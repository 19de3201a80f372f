// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reductions whose elements several threads divide: their start values, and how
// two partial results are merged.
#ifndef HONE_PASSES_GPU_LOOPS_PARTMERGER_H
#define HONE_PASSES_GPU_LOOPS_PARTMERGER_H

#include "passes/Emit/LoopStages.h"

namespace hone {

/// The outputs that the nest accumulates over its reduction loops.
llvm::SmallVector<unsigned> reducedOutputs(const LoopNest &nest);

/// Merges partial results of all reduced outputs of a stage at once: sums and
/// the like, each with its own operation, or the best element and its index.
class PartMerger {
public:
  /// None if parts of the reduction cannot be merged.
  static std::optional<PartMerger> get(const LoopStage &stage);

  llvm::ArrayRef<unsigned> outputs() const { return reduced; }
  /// The results of no elements.
  llvm::SmallVector<mlir::Value> neutral(Emitter &e) const;
  /// `a` and `b` have a value for each output.
  llvm::SmallVector<mlir::Value> merge(Emitter &e, mlir::ValueRange a,
                                       mlir::ValueRange b) const;
  /// Merges the elements of vectors of partial results.
  llvm::SmallVector<mlir::Value>
  mergeLanes(Emitter &e, mlir::ValueRange vectors, int64_t lanes) const;
  /// Stores the results, combined with the outputs' start values.
  void store(Emitter &e, const LoopStage &stage,
             mlir::ValueRange results) const;

private:
  mlir::Value beats(Emitter &e, mlir::Value element, mlir::Value best) const;

  llvm::SmallVector<unsigned> reduced;
  llvm::SmallVector<mlir::TypedAttr> start;
  /// Of sums and the like: an operation for each output.
  llvm::SmallVector<mlir::Operation *> combiners;
  /// Of the best element: whether an element replaces the best one.
  mlir::Value wins, element, best;
};

} // namespace hone

#endif // HONE_PASSES_GPU_LOOPS_PARTMERGER_H
