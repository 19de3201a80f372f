// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Dot products of one row with several others, and transposition.
#ifndef HONE_PASSES_CPU_DOTS_H
#define HONE_PASSES_CPU_DOTS_H

#include "passes/Cpu/MicroKernel.h"

namespace hone {

/// Transposes as many vectors as each has lanes (a power of two).
void transposeSquare(Emitter &e, llvm::MutableArrayRef<mlir::Value> rows);

/// packed[k / kr][i][k % kr] = b[bOffsets[i] + k] for k in [0, count), extended
/// to the element type of `packed`, and zeros up to a multiple of `kr`; the
/// number of offsets is a multiple of the vector length. With `kr` > 1 elements
/// are not extended.
void packColumns(Emitter &e, const FlatBuffer &b,
                 llvm::ArrayRef<mlir::Value> bOffsets, mlir::Value count,
                 int64_t lanes, int64_t kr, const FlatBuffer &packed,
                 int64_t pitch);

/// One vector: lane i is the sum over k in [0, count) of a[aOffset + k] *
/// b[bOffsets[i] + k].
mlir::Value emitDots(Emitter &e, const MicroKernel &form,
                     const ProductTypes &types, const FlatBuffer &a,
                     mlir::Value aOffset, const FlatBuffer &b,
                     llvm::ArrayRef<mlir::Value> bOffsets, mlir::Value count);

} // namespace hone

#endif // HONE_PASSES_CPU_DOTS_H
