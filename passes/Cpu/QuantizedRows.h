// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The left-hand side of a product of bytes with codes.
#ifndef HONE_PASSES_CPU_QUANTIZEDROWS_H
#define HONE_PASSES_CPU_QUANTIZEDROWS_H

#include "dialects/Graph/Graph.h"
#include "passes/Emit/Emit.h"

namespace hone {

/// Rows in bytes, as `#hone.quantized` says, with room for whole blocks: what
/// follows the last element in its block is 0.
struct QuantizedRows {
  FlatBuffer bytes;
  /// By row and block.
  FlatBuffer scales;
  /// By row and block, what zero points of weights add to the products: minus
  /// the sum of the bytes, as f32, or that times the zero point that all have,
  /// as i32. No buffer where this one is 0.
  FlatBuffer corrections;
  /// Bytes, and blocks, from one row to the next.
  int64_t pitch, blocks;

  /// Room for `length` elements of so many rows.
  static QuantizedRows make(Emitter &e, graph::QuantizedAttr quantized,
                            int64_t rows, int64_t length);

  mlir::Value place(Emitter &e, mlir::Value row, mlir::Value block) const {
    return e.add(e.mul(row, blocks), block);
  }
};

/// Rounds `count` elements at `source`, whole blocks and perhaps the last one
/// of `k` elements, to `row`.
void quantizeRow(Emitter &e, const CpuMachine &machine,
                 graph::QuantizedAttr quantized, const FlatBuffer &from,
                 mlir::Value source, mlir::Value count, int64_t k,
                 const QuantizedRows &rows, mlir::Value row);

} // namespace hone

#endif // HONE_PASSES_CPU_QUANTIZEDROWS_H
