// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Transposition in registers.
#ifndef HONE_PASSES_EMIT_TRANSPOSEBLOCK_H
#define HONE_PASSES_EMIT_TRANSPOSEBLOCK_H

#include "passes/Emit/Emit.h"

namespace hone {

/// The columns of a square matrix from its rows, vectors of 2^n elements.
llvm::SmallVector<mlir::Value>
transposeBlock(Emitter &e, llvm::SmallVector<mlir::Value> rows);

} // namespace hone

#endif // HONE_PASSES_EMIT_TRANSPOSEBLOCK_H
