// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Unpacks the quantized right-hand side of a product.
#ifndef HONE_PASSES_CPU_DEQUANTIZE_H
#define HONE_PASSES_CPU_DEQUANTIZE_H

#include "dialects/Graph/Graph.h"
#include "passes/Cpu/Panels.h"

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
/// multiple of the chunk or, if there is none, of the block.
void dequantize(Emitter &e, const QuantizedPanels &panels,
                const PanelPlace &columns, int64_t lanes,
                const QuantizedRange &range, const FlatBuffer &target,
                int64_t offset, int64_t pitch);

/// Sums over k in [0, count) of a[aOffsets[r] + k] * element (k, columns[v]),
/// at [r * columns.size() + v]. Elements exist in registers alone, and sums of
/// a block are scaled, not its elements.
llvm::SmallVector<mlir::Value>
multiplyQuantized(Emitter &e, const CpuMachine &machine,
                  const MicroKernel &form, const QuantizedPanels &panels,
                  llvm::ArrayRef<PanelPlace> columns, int64_t lanes,
                  const FlatBuffer &a, llvm::ArrayRef<mlir::Value> aOffsets,
                  int64_t count);

} // namespace hone

#endif // HONE_PASSES_CPU_DEQUANTIZE_H
