// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A tile of sums in registers that are matrices (AMX).
#ifndef HONE_PASSES_CPU_MATRIXTILE_H
#define HONE_PASSES_CPU_MATRIXTILE_H

#include "passes/Cpu/MicroKernel.h"
#include "passes/Cpu/ProductTile.h"

namespace hone {

/// How the registers of a kernel are divided and configured. Matrices of sums
/// have 16 columns, and all have as many rows; each column of them has a matrix
/// of the right-hand side, each row one of the left. What is left of K has
/// registers of its own, which are just as deep.
class MatrixRegisters {
public:
  /// For tiles of this shape, or fewer matrices. Segments have `count`
  /// elements, or multiples of the form's depth and that.
  MatrixRegisters(const MicroKernel &form, const ProductTypes &types,
                  TileShape shape, int64_t count);

  /// Whether the processor has as many.
  bool fit() const;

  /// The code of a block begins and ends with these: in between, the registers
  /// are its own.
  void configure(Emitter &e);
  void release(Emitter &e) const;

  int64_t rows, matrices, vectors; ///< Rows of a matrix; matrices of a tile.
  /// Where sums pass on their way to the epilogue.
  FlatBuffer sums;
  mlir::Type accumulator;
  bool hasWhole;     ///< Whether any product has the form's depth.
  int64_t restBytes; ///< Bytes of a row of the left-hand side in the last.

  int64_t sum(int64_t matrix, int64_t vector) const {
    return matrix * vectors + vector;
  }
  int64_t left(int64_t matrix, bool isRest) const {
    return firstOperand(isRest) + matrix;
  }
  int64_t right(int64_t vector, bool isRest) const {
    return firstOperand(isRest) + matrices + vector;
  }

private:
  int64_t firstOperand(bool isRest) const {
    return matrices * vectors + (isRest && hasWhole ? matrices + vectors : 0);
  }
};

/// Up to the rows of a tile that exist, all of its matrices are computed: the
/// left-hand side must have as many, `aPitch` apart.
class MatrixTile final : public ProductTile {
public:
  MatrixTile(Emitter &e, const MicroKernel &form,
             const MatrixRegisters &registers, TileShape shape);

  llvm::SmallVector<mlir::Value> zeros() const override;
  llvm::SmallVector<mlir::Value> accumulate(const Segment &segment,
                                            mlir::ValueRange) const override;
  void accumulateIn(const SumsInMemory &sums,
                    const Segment &segment) const override;
  void useSums(mlir::ValueRange, mlir::Value existing,
               UseSums use) const override;
  void useSums(const SumsInMemory &sums, mlir::Value existing,
               UseSums use) const override;

private:
  void multiply(const Segment &segment, mlir::Value k, bool isRest) const;
  void forEachSum(const SumsInMemory &sums, llvm::StringRef intrinsic) const;

  Emitter &e;
  const MicroKernel &form;
  const MatrixRegisters &registers;
  int64_t matrices; ///< Along the rows.
};

} // namespace hone

#endif // HONE_PASSES_CPU_MATRIXTILE_H
