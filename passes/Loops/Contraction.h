// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A matrix product over buffers, as emitters of all targets see it.
#ifndef HONE_PASSES_LOOPS_CONTRACTION_H
#define HONE_PASSES_LOOPS_CONTRACTION_H

#include "dialects/Graph/KernelOps.h"
#include "passes/Loops/Emit.h"
#include <functional>

namespace hone {

enum class RhsLayout {
  Panels,     ///< [n / 16][k][16], zero padded, the same for all batches.
  RowMajor,   ///< [k][n]
  Transposed, ///< [n][k]
};

/// out[batch.., m, n] = epilogue(sum over k of a[batch.., m, k] * b[batch.., k,
/// n]). The output space of the epilogue is [batch.., m, n].
struct Contraction {
  /// All but `m` and `n`, which are sizes of the epilogue's output space.
  static Contraction get(Emitter &e, graph::ContractOp op);

  FlatBuffer a, b;
  RhsLayout layout;
  mlir::Type accumulator;
  mlir::Value m, n, k;
  bool fewRows = false; ///< Where `m` is not known, it is likely small.
  /// Where a row of `a` starts in its batch; rows follow each other if it is
  /// null.
  std::function<mlir::Value(mlir::Value row)> rowOffset;
  /// How far the operands move with each batch coordinate.
  llvm::SmallVector<mlir::Value> aBatchStrides, bBatchStrides;
  /// How many output dimensions each coordinate stands for.
  llvm::SmallVector<int64_t> groups;
};

} // namespace hone

#endif // HONE_PASSES_LOOPS_CONTRACTION_H
