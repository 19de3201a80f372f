// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The forms in which register tiles multiply: one per kind of instruction and
// element types. Adding one is a row of the table in MicroKernel.cpp.
#ifndef HONE_PASSES_CPU_MICROKERNEL_H
#define HONE_PASSES_CPU_MICROKERNEL_H

#include "dialects/Machine/Machine.h"
#include "passes/Emit/Contraction.h"

namespace hone {

/// The largest matrices of AMX: rows of 64 bytes, in 8 registers.
namespace matrix {
inline constexpr int64_t kRegisters = 8, kRows = 16, kRowBytes = 64;
/// Sums in a row.
inline constexpr int64_t kColumns = kRowBytes / 4;
/// Steps along K of a product: four bytes each.
inline constexpr int64_t kDepth = kRowBytes / 4;
/// Rows of the tallest tile: each of its matrices has an operand of its own.
inline constexpr int64_t kMaxTileRows = (kRegisters - 1) / 2 * kRows;
} // namespace matrix

/// How a tile goes one step along K, which is `kr` elements. Each accumulator
/// takes in their products by one or more instructions; for each of these a row
/// has one left operand, and a vector of columns one right operand.
struct MicroKernel {
  /// Its name in schedules.
  llvm::StringLiteral name;
  /// The extension of the instruction set that has its instructions; "" if
  /// its name says that, or there is none.
  llvm::StringLiteral extension;
  /// Whether a machine has its instructions, for products of these types.
  bool (*fits)(const CpuMachine &machine, const ProductTypes &types);
  /// Bits of its vectors.
  int64_t (*vectorBits)(const CpuMachine &machine);
  /// Elements of K in a step, as the right-hand side holds them together.
  int64_t kr;
  /// Instructions of a step, in the order of the elements that they multiply.
  int64_t instructions;
  /// Partial sums of a column that lie side by side in an accumulator.
  int64_t parts;
  /// Registers that a step needs beside accumulators and right operands.
  int64_t temporaries;
  /// Multiply-adds of f32 that take as long as an instruction; null: one.
  int64_t (*cost)(const CpuMachine &machine);

  /// The type in which rows of the left-hand side are best stored, or must be
  /// where it is narrower: a block of them is converted first.
  mlir::Type (*leftType)(const ProductTypes &types);
  /// The elements of the left-hand side from `offset` on that an instruction
  /// takes, for each column of an accumulator of type `sum`.
  mlir::Value (*loadLeft)(Emitter &e, const FlatBuffer &buffer,
                          mlir::Value offset, mlir::VectorType sum);
  /// The elements of the right-hand side from `offset` on that meet an
  /// accumulator of type `sum`, for each instruction. Null `mask`: all are
  /// there.
  llvm::SmallVector<mlir::Value> (*loadRight)(Emitter &e,
                                              const FlatBuffer &buffer,
                                              mlir::Value offset,
                                              mlir::VectorType sum,
                                              mlir::Value mask);
  /// sum + left * right
  mlir::Value (*multiplyAdd)(Emitter &e, mlir::Value left, mlir::Value right,
                             mlir::Value sum);
  /// The intrinsic that adds products of matrices to a matrix of sums, in
  /// registers of their own: a form that has one leaves out the functions
  /// above, and `MatrixTile` emits its tiles. "": sums are vectors.
  llvm::StringLiteral matrixProduct = "";
  /// Whether the panels are in an order of their own, in which the left-hand
  /// side is copied for a tile.
  bool isOrdered = false;

  bool hasMatrices() const { return !matrixProduct.empty(); }
  /// Elements of K that an instruction takes at most.
  int64_t depth() const;

  /// Cycles of a step for a tile, limited by multiply-adds and loads per cycle,
  /// plus some overhead of the loop. For matrices a share of those that their
  /// product takes.
  double stepCycles(const CpuMachine &machine, int64_t rows,
                    int64_t vectors) const;
  /// A vector of the left-hand side, as `buffer` has it, in `leftType`.
  mlir::Value convertLeft(Emitter &e, const FlatBuffer &buffer,
                          mlir::Value loaded, const ProductTypes &types) const;
  /// The form that multiplies one by one what `loadRight` gives, where that is
  /// several operands; null: there is none.
  const MicroKernel *elementwise() const;
  /// Columns of an accumulator: at most the width of a panel.
  int64_t lanes(const CpuMachine &machine, mlir::Type accumulator) const;
  /// Adds up the parts of each column.
  mlir::Value finish(Emitter &e, mlir::Value sum) const;
};

/// All forms, in order of preference.
llvm::ArrayRef<MicroKernel> microKernels();
/// The first that fits; there is one for all types.
const MicroKernel &chooseMicroKernel(const CpuMachine &machine,
                                     const ProductTypes &types);
/// Null: there is none of this name.
const MicroKernel *findMicroKernel(llvm::StringRef name);

} // namespace hone

#endif // HONE_PASSES_CPU_MICROKERNEL_H
