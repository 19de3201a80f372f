// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How attention is divided among the blocks of a GPU.
#ifndef HONE_PASSES_GPU_PRODUCT_ATTENTIONTILE_H
#define HONE_PASSES_GPU_PRODUCT_ATTENTIONTILE_H

#include "passes/Emit/Attention.h"
#include "passes/Gpu/Product/TileMath.h"

namespace hone {

/// Rows of queries of a block, and keys it processes at a time. Tensor cores
/// have a tile of each operand in shared memory, with a power of two of columns
/// as required by swizzling. Otherwise queries and keys are loaded in slices,
/// whose memory the exponentials reuse.
struct AttentionTile {
  /// The largest tile that gives enough blocks. Fails, with an error, if the
  /// length of keys or values is unknown or too large.
  static mlir::FailureOr<AttentionTile> choose(graph::KernelAttentionOp op,
                                               const Attention &problem);

  /// Rows of a warp.
  static constexpr int64_t kWarpRows = TileMath::kBlockRows;
  /// Padding of staged result rows, in elements.
  static constexpr int64_t kStagePadding = 8;

  int64_t rows, keys;
  BlockTile scores, values;                   ///< Of the two products.
  SharedTile query, key, exponentials, value; ///< `memref` is unset.
  mlir::Type element;

  /// Queries, keys and exponentials come first in shared memory.
  int64_t elementsBeforeValues() const;
  int64_t stagedPitch() const { return values.n + kStagePadding; }
  int64_t sharedBytes() const;
};

} // namespace hone

#endif // HONE_PASSES_GPU_PRODUCT_ATTENTIONTILE_H
