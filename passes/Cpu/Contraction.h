// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Emits the loop nest of a matrix product over buffers.
#ifndef HONE_PASSES_CPU_CONTRACTION_H
#define HONE_PASSES_CPU_CONTRACTION_H

#include "passes/Cpu/RegisterTile.h"
#include "passes/Loops/Epilogue.h"
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
  FlatBuffer a, b;
  RhsLayout layout;
  mlir::Type accumulator;
  mlir::Value m, n, k;
  /// Where a row of `a` starts in its batch; rows follow each other if it is
  /// null.
  std::function<mlir::Value(mlir::Value row)> rowOffset;
  /// How far the operands move with each batch coordinate.
  llvm::SmallVector<mlir::Value> aBatchStrides, bBatchStrides;
};

/// Emits one `scf.forall` over blocks of rows and tiles of columns.
void emitContraction(Emitter &e, const VectorUnit &unit,
                     const Contraction &contraction, Epilogue &epilogue);

/// An `scf.forall` over [0, count) of which `body` gets the index.
void emitForall(Emitter &e, mlir::Value count,
                llvm::function_ref<void(mlir::Value)> body);

} // namespace hone

#endif // HONE_PASSES_CPU_CONTRACTION_H
