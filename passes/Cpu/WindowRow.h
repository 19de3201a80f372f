// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Vectors of adjacent outputs along the last dimension of a windowed operation.
#ifndef HONE_PASSES_CPU_WINDOWROW_H
#define HONE_PASSES_CPU_WINDOWROW_H

#include "dialects/Machine/Machine.h"
#include "passes/Emit/Window.h"

namespace hone {

/// How the outputs of a row are computed.
struct WindowRow {
  int64_t lanes;      ///< Of a vector.
  int64_t maxVectors; ///< Computed together.
  mlir::Type element; ///< Of the input.
  /// Computes `count` vectors from output `first` on. With `remaining`, only so
  /// many of the outputs exist, and their windows may leave the input.
  llvm::function_ref<void(mlir::Value first, int64_t count,
                          mlir::Value remaining)>
      emitVectors;
  llvm::function_ref<void(mlir::Value at)> emitScalar;
};

/// Emits all outputs of a row.
void emitWindowRow(Emitter &e, const CpuMachine &machine, const Window &window,
                   const WindowRow &row);

} // namespace hone

#endif // HONE_PASSES_CPU_WINDOWROW_H
