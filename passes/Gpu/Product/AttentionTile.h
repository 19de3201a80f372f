// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How attention is cut for the blocks of a GPU.
#ifndef HONE_PASSES_GPU_PRODUCT_ATTENTIONTILE_H
#define HONE_PASSES_GPU_PRODUCT_ATTENTIONTILE_H

#include "passes/Emit/Attention.h"
#include "passes/Gpu/Product/TileMath.h"

namespace hone {

/// Rows of queries that a block has, and keys that it takes at a time. Tensor
/// cores have a tile of each operand in shared memory, with a power of two of
/// columns as swizzling wants it. Otherwise queries and keys come in pieces,
/// whose place the powers take afterwards.
struct AttentionTile {
  /// The largest that gives enough blocks. Fails, and says so, where the length
  /// of keys or values is not known or too large.
  static mlir::FailureOr<AttentionTile> choose(graph::KernelAttentionOp op,
                                               const Attention &problem);

  /// Rows of a warp.
  static constexpr int64_t kWarpRows = TileMath::kBlockRows;
  /// Rows of staged results are padded by this many elements.
  static constexpr int64_t kStagePadding = 8;

  int64_t rows, keys;
  BlockTile scores, values;                   ///< Of the two products.
  SharedTile query, key, exponentials, value; ///< `memref` is left open.
  mlir::Type element;

  /// Queries, keys and powers come first in shared memory.
  int64_t elementsBeforeValues() const;
  int64_t stagedPitch() const { return values.n + kStagePadding; }
  int64_t sharedBytes() const;
};

} // namespace hone

#endif // HONE_PASSES_GPU_PRODUCT_ATTENTIONTILE_H
