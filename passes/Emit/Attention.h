// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention over buffers: what is common to the emitters of all targets.
#ifndef HONE_PASSES_EMIT_ATTENTION_H
#define HONE_PASSES_EMIT_ATTENTION_H

#include "dialects/Graph/KernelOps.h"
#include "passes/Emit/Emit.h"

namespace hone {

/// out[batch.., m, :] = softmax over n of score(query[batch.., m, :] .
/// key[batch.., n, :]) times value[batch.., n, :].
struct Attention {
  static Attention get(Emitter &e, graph::KernelAttentionOp op);

  /// One operand; the elements of a row are contiguous.
  struct Operand {
    FlatBuffer buffer;
    /// Strides of each batch coordinate, and of a row.
    llvm::SmallVector<mlir::Value> batchStrides;
    mlir::Value rowStride;

    /// Offset of the matrix at a point of the batch.
    mlir::Value base(Emitter &e, mlir::ValueRange batch) const;
  };
  Operand query, key, value, out;
  llvm::SmallVector<mlir::Value> batch; ///< Sizes.
  mlir::Value rows, keys;               ///< M and N.
  mlir::Value depth, width;             ///< Of a key and of a value.
  bool masked;                          ///< Rows of -inf give 0.
  /// Causal scores: those of columns beyond row + `lastColumn` are -inf.
  std::optional<int64_t> lastColumn;

  /// The number of keys visible to rows below `rowsEnd`, rounded up to a
  /// multiple of `step`, or all of them.
  mlir::Value visibleKeys(Emitter &e, mlir::Value rowsEnd, int64_t step) const;

  /// The reciprocal of a row's sum of exponentials; 0 if the row gives 0.
  mlir::Value inverseOf(Emitter &e, mlir::Value total) const;

  /// [batch.., rows, keys]
  llvm::SmallVector<mlir::Value> scoreSizes() const;
};

/// Arithmetic of attention, on scalars and vectors of f32.
struct SoftmaxMath {
  mlir::Value constant(float value) const;
  mlir::Value lowest() const; ///< -inf
  mlir::Value splat(mlir::Value scalar, int64_t lanes) const;
  /// The index `first` and those that follow it.
  mlir::Value numbersFrom(mlir::Value first, int64_t lanes) const;
  mlir::Value select(mlir::Value condition, mlir::Value a, mlir::Value b) const;
  mlir::Value isEqual(mlir::Value a, mlir::Value b) const;
  /// exp(a - b)
  mlir::Value expDiff(mlir::Value a, mlir::Value b) const;

  Emitter &e;
};

} // namespace hone

#endif // HONE_PASSES_EMIT_ATTENTION_H
