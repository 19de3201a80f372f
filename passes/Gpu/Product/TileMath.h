// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The arithmetic of a block's tile: which sums a thread holds, and how a slice
// of both operands in shared memory is added to them.
#ifndef HONE_PASSES_GPU_PRODUCT_TILEMATH_H
#define HONE_PASSES_GPU_PRODUCT_TILEMATH_H

#include "passes/Gpu/Product/TileLoader.h"
#include <memory>

namespace hone {

class TileMath {
public:
  virtual ~TileMath() = default;

  /// The thread's sums before the first slice.
  virtual llvm::SmallVector<mlir::Value> zeros() const = 0;
  /// The sums after the slices in the given stages.
  virtual llvm::SmallVector<mlir::Value>
  multiply(mlir::Value leftStage, mlir::Value rightStage,
           mlir::ValueRange sums) const = 0;
  /// Writes rows [16 * rowBlock, 16 * rowBlock + 16) of each warp's part to
  /// `staged`, the first of them to row `firstRow`, with the tile's first
  /// column at column 0.
  virtual void write(int64_t rowBlock, mlir::ValueRange sums,
                     mlir::Value staged, int64_t pitch,
                     mlir::Value firstRow) const = 0;

  /// Rows of a warp that are written at a time.
  static constexpr int64_t kBlockRows = 16;

  /// Adjacent sums of a row that a thread holds.
  struct RowSegment {
    int64_t row; ///< Which of the thread's rows.
    mlir::Value column;
  };
  /// The rows of the tile that the thread has sums of.
  virtual llvm::SmallVector<mlir::Value> rows() const = 0;
  /// The number of adjacent lanes with sums of the same rows.
  virtual int64_t lanesOfRow() const = 0;
  virtual llvm::SmallVector<RowSegment> segments() const = 0;
  /// Converts sums to one vector per row segment, and back.
  virtual llvm::SmallVector<mlir::Value>
  toSegments(mlir::ValueRange sums) const = 0;
  virtual llvm::SmallVector<mlir::Value>
  fromSegments(mlir::ValueRange vectors) const = 0;
  /// `multiply` with `vectors` as the left operand: the threads' values for the
  /// row segments of another product of the same rows, whose columns are K
  /// here. Called by all threads of the block; the memory of the left slice
  /// must no longer be read.
  virtual llvm::SmallVector<mlir::Value>
  multiplySegments(mlir::ValueRange vectors, llvm::ArrayRef<RowSegment> places,
                   mlir::Value rightStage, mlir::ValueRange sums) const = 0;
};

/// Multiply-add on scalars, for any element type. Slices have K along their row
/// numbers and hold elements of the accumulator's type.
std::unique_ptr<TileMath> makeScalarMath(Emitter &e, const BlockTile &tile,
                                         mlir::Value thread,
                                         const SharedTile &left,
                                         const SharedTile &right,
                                         mlir::Type accumulator);

/// `mma.sync` on f16 or bf16 with sums in f32. Slices are swizzled; rows of the
/// left one are lines.
std::unique_ptr<TileMath> makeTensorMath(Emitter &e, const BlockTile &tile,
                                         mlir::Value thread,
                                         const SharedTile &left,
                                         const SharedTile &right);

} // namespace hone

#endif // HONE_PASSES_GPU_PRODUCT_TILEMATH_H
