// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Brings slices of an operand from global into shared memory.
#ifndef HONE_PASSES_GPU_PRODUCT_TILELOADER_H
#define HONE_PASSES_GPU_PRODUCT_TILELOADER_H

#include "passes/Gpu/Product/TiledProduct.h"

namespace hone {

/// Bytes of the widest access of a thread.
constexpr int64_t kAccessBytes = 16;

/// A slice of an operand in shared memory, once per stage.
struct SharedTile {
  mlir::Value memref; ///< All stages, as one dimension.
  int64_t rows, columns;
  /// Whether a row is a line, with K along it, or the other way round.
  bool columnsAlongK;
  /// Rows of 16-bit elements: 16-byte chunks are permuted so that the same
  /// chunk of eight rows is in different banks. Otherwise rows are padded.
  bool swizzled;

  static constexpr int64_t kPadding = 4;
  int64_t pitch() const { return swizzled ? columns : columns + kPadding; }
  int64_t size() const { return rows * pitch(); }
  int64_t lines() const { return columnsAlongK ? rows : columns; }
  int64_t depth() const { return columnsAlongK ? columns : rows; }
  mlir::Type elementType() const;
  /// The offset of an element in a stage that starts at `stage`.
  mlir::Value place(Emitter &e, mlir::Value stage, mlir::Value row,
                    mlir::Value column) const;
};

/// A view of `size` elements from a byte of a shared buffer on.
mlir::Value sharedView(Emitter &e, mlir::Value bytes, int64_t firstByte,
                       int64_t size, mlir::Type elementType);

/// The conjunction of two conditions, where null means true.
mlir::Value both(Emitter &e, mlir::Value a, mlir::Value b);

/// The type of `width` adjacent elements, a scalar or a vector, and its bytes.
mlir::Type runType(const TileSource &source, int64_t width);
int64_t runBytes(const TileSource &source, int64_t width);
/// Loads them by one access; 0 if they do not exist.
mlir::Value loadRun(Emitter &e, const TileSource &source,
                    const TileSource::Place &place, int64_t width);

/// What one thread loads of each slice: some chunks of adjacent elements.
class TileLoader {
public:
  TileLoader(Emitter &e, const TileSource &source, const SharedTile &tile,
             int64_t threads, mlir::Value thread, mlir::Value firstLine);

  /// Types of the thread's chunks.
  llvm::SmallVector<mlir::Type> types() const {
    return llvm::SmallVector<mlir::Type>(chunks.size(), runType(source, width));
  }
  /// The thread's chunks of the slice that starts at `k`, in registers.
  llvm::SmallVector<mlir::Value> load(mlir::Value k) const;
  void store(mlir::ValueRange chunks, mlir::Value stage) const;
  /// Both, asynchronously if possible. The caller commits.
  void copy(mlir::Value k, mlir::Value stage) const;

private:
  struct Chunk {
    mlir::Value row, column; ///< In the tile.
    mlir::Value k;           ///< In the slice.
    mlir::Value inside;      ///< Whether the line exists; null: always.
    llvm::SmallVector<mlir::Value> line;
  };
  TileSource::Place placeOf(const Chunk &chunk, mlir::Value k) const;

  Emitter &e;
  const TileSource &source;
  SharedTile tile;
  int64_t width; ///< Elements of a chunk.
  llvm::SmallVector<Chunk> chunks;
};

} // namespace hone

#endif // HONE_PASSES_GPU_PRODUCT_TILELOADER_H
