// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The forms in which register tiles multiply: one per kind of instruction and
// element types. Adding one is a row of the table in MicroKernel.cpp.
#ifndef HONE_PASSES_CPU_MICROKERNEL_H
#define HONE_PASSES_CPU_MICROKERNEL_H

#include "dialects/Machine/Machine.h"
#include "passes/Emit/Contraction.h"

namespace hone {

/// How a tile goes one step along K, which is `kr` elements: a row has one left
/// operand, a vector of columns one right operand, and each accumulator takes
/// in their products.
struct MicroKernel {
  /// Its name in schedules.
  llvm::StringLiteral name;
  /// Whether a machine has its instructions, for products of these types.
  bool (*fits)(const CpuMachine &machine, const ProductTypes &types);
  /// Bits of its vectors.
  int64_t (*vectorBits)(const CpuMachine &machine);
  /// Elements of K in a step, as the right-hand side holds them together.
  int64_t kr;
  /// Partial sums of a column that lie side by side in an accumulator.
  int64_t parts;
  /// Registers that a step needs beside accumulators and right operands.
  int64_t temporaries;

  /// The type in which rows of the left-hand side are best stored: a block of
  /// them is converted first where that pays.
  mlir::Type (*leftType)(const ProductTypes &types);
  /// `kr` elements of the left-hand side from `offset` on, for each column of
  /// an accumulator of type `sum`.
  mlir::Value (*loadLeft)(Emitter &e, const FlatBuffer &buffer,
                          mlir::Value offset, mlir::VectorType sum);
  /// The elements of the right-hand side from `offset` on that meet an
  /// accumulator of type `sum`. Null `mask`: all are there.
  mlir::Value (*loadRight)(Emitter &e, const FlatBuffer &buffer,
                           mlir::Value offset, mlir::VectorType sum,
                           mlir::Value mask);
  /// sum + left * right
  mlir::Value (*multiplyAdd)(Emitter &e, mlir::Value left, mlir::Value right,
                             mlir::Value sum);

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
