// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The loop along K over slices of both operands in shared memory.
#ifndef HONE_PASSES_GPU_PRODUCT_TILELOOP_H
#define HONE_PASSES_GPU_PRODUCT_TILELOOP_H

#include "passes/Gpu/Product/TileMath.h"

namespace hone {

struct TileLoop {
  Emitter &e;
  const TileLoader &left, &right;
  const SharedTile &leftTile, &rightTile;
  const TileMath &math;
  mlir::Value firstK, endK;

  /// The thread's sums. While one slice is multiplied, the next one is loaded
  /// into registers; there are two stages. No thread reads a slice afterwards.
  llvm::SmallVector<mlir::Value> throughRegisters() const;
  /// The same with slices that are copied without registers; `stages` - 1 of
  /// them are in flight or waiting.
  llvm::SmallVector<mlir::Value> withCopies(int64_t stages) const;

private:
  int64_t depth() const { return leftTile.depth(); }
  mlir::Value exists(mlir::Value k) const {
    return e.cmp(mlir::arith::CmpIPredicate::slt, k, endK);
  }
};

} // namespace hone

#endif // HONE_PASSES_GPU_PRODUCT_TILELOOP_H
