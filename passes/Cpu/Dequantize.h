// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Unpacks the quantized right-hand side of a product.
#ifndef HONE_PASSES_CPU_DEQUANTIZE_H
#define HONE_PASSES_CPU_DEQUANTIZE_H

#include "passes/Cpu/Panels.h"
#include "passes/Cpu/QuantizedRows.h"
#include "passes/Cpu/RegisterTile.h"

namespace hone {

/// Panels of words, in the layout that the attributes say.
struct QuantizedPanels {
  const FlatBuffer &words;
  graph::PackedAttr packed;
  graph::QuantizedAttr quantized;
};

/// Elements of K.
struct QuantizedRange {
  mlir::Value firstK, count;
  int64_t chunk; ///< `firstK` is a multiple of it, `count` no more; 0: all.
};

/// target[offset + i * pitch + c] = element (firstK + i, columns.column + c)
/// for c in [0, lanes) and i from 0 to at least `count`: up to the next
/// multiple of the chunk or, if there is none, of the block. Where bytes are
/// multiplied, codes instead of elements, of which four successive ones of a
/// column lie together at offset + i * pitch + c * 4.
void unpack(Emitter &e, const QuantizedPanels &panels,
            const PanelPlace &columns, int64_t lanes,
            const QuantizedRange &range, const FlatBuffer &target,
            int64_t offset, int64_t pitch);

/// Rows of the left-hand side in the type in which they are multiplied.
struct LeftRows {
  const FlatBuffer &buffer;
  llvm::SmallVector<mlir::Value> offsets;
  /// Null for floats. Otherwise `buffer` has their bytes, and `numbers` says
  /// which rows are meant.
  const QuantizedRows *quantized = nullptr;
  llvm::SmallVector<mlir::Value> numbers = {};
};

/// Sums over k in [0, count) of left row r * element (k, columns[v]), at
/// [r * columns.size() + v], as f32. Elements exist in registers alone, and
/// sums of a block are scaled, not its elements.
llvm::SmallVector<mlir::Value>
multiplyQuantized(Emitter &e, const CpuMachine &machine,
                  const MicroKernel &form, const QuantizedPanels &panels,
                  llvm::ArrayRef<PanelPlace> columns, int64_t lanes,
                  const LeftRows &left, int64_t count);

/// Adds the products of a segment, scaled, to sums in memory, of f32: bytes
/// times codes of one block, which is number `number` of `left` and begins with
/// element `firstK` on the right.
void accumulateBlock(Emitter &e, const RegisterTile &tile,
                     const MicroKernel &form, const QuantizedPanels &panels,
                     llvm::ArrayRef<PanelPlace> columns, const LeftRows &left,
                     mlir::Value firstK, mlir::Value number,
                     const ProductTile::Segment &segment,
                     const ProductTile::SumsInMemory &sums);

} // namespace hone

#endif // HONE_PASSES_CPU_DEQUANTIZE_H
