// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Matrix products whose blocks of threads cover a tile of the result and bring
// slices of both operands into shared memory. Contractions and convolutions
// differ only in the addresses of an operand's elements.
#ifndef HONE_PASSES_GPU_PRODUCT_TILEDPRODUCT_H
#define HONE_PASSES_GPU_PRODUCT_TILEDPRODUCT_H

#include "passes/Emit/Epilogue.h"
#include "passes/Gpu/Launch/Launch.h"
#include <functional>

namespace hone {

/// How a product is divided.
struct BlockTile {
  int64_t m, n, k;        ///< What a block works on at a time.
  int64_t warpsM, warpsN; ///< Warps along each side of the tile.
  int64_t stages;         ///< Slices along K in shared memory.
  bool tensorCores;       ///< `mma.sync`, or scalar multiply-add.

  int64_t threads() const { return warpsM * warpsN * kWarp; }
  int64_t warpM() const { return m / warpsM; }
  int64_t warpN() const { return n / warpsN; }
};

/// One operand. A line is a row of the left one or a column of the right one;
/// in element (line, k), k is the summation index.
struct TileSource {
  FlatBuffer buffer;
  mlir::Value lines, depth; ///< The number of lines, and K.
  /// Whether consecutive elements in memory belong to one line.
  bool alongK = true;
  /// Elements in aligned groups of this size (a power of two) are consecutive,
  /// aligned in the buffer, and exist all or none.
  int64_t contiguity = 1;

  /// Values for the offsets of a line, computed once before the loop along K.
  /// Lines outside are allowed; their elements are not read.
  std::function<llvm::SmallVector<mlir::Value>(mlir::Value line)> enter;
  struct Place {
    mlir::Value offset;
    mlir::Value
        inside; ///< Null: it exists if line and k do. Otherwise reads as 0.
  };
  /// k is `slice.first` + `inside`: the former is the same for all threads and
  /// a multiple of `slice.depth`, the latter less than it.
  struct KSlice {
    mlir::Value first;
    int64_t depth = 1;
  };
  std::function<Place(mlir::ValueRange line, KSlice slice, mlir::Value inside)>
      at;
};

/// The largest power of two up to 16 that divides a size; 1 if it is unknown.
int64_t contiguityOf(mlir::Value size);

/// Panels of columns, [panels][depth][16] from panel `first` on.
TileSource packedSource(Emitter &e, const FlatBuffer &buffer,
                        graph::PackedAttr packed, mlir::Value panels,
                        mlir::Value depth, mlir::Value first);

/// out = epilogue(sum over k of left[batch][m][k] * right[batch][k][n]).
struct Product {
  mlir::Value m, n, k;
  llvm::SmallVector<mlir::Value> batch; ///< Sizes of the batch.
  mlir::Type leftType, rightType;       ///< Of the operands' elements.
  mlir::Type accumulator;
  bool rightAlongK; ///< As in the right operand's source.
  Epilogue *epilogue;

  /// Both operands at a point of the batch. Called inside the launch.
  std::function<std::pair<TileSource, TileSource>(mlir::ValueRange batch)>
      operands;
  /// Coordinates of an element of the result in the output space.
  std::function<llvm::SmallVector<mlir::Value>(
      mlir::ValueRange batch, mlir::Value row, mlir::Value column)>
      coordinates;
};

/// Emits a launch for the product, which does nothing unless `condition` (if
/// not null) holds. If there are few tiles, several blocks share a sum and a
/// second launch adds up their parts.
void emitTiledProduct(Emitter &e, const Product &product,
                      mlir::Value condition);
/// The same for at most `rows` rows: threads split K. Only for 32-bit
/// accumulators.
void emitThinProduct(Emitter &e, const Product &product, int64_t rows,
                     mlir::Value condition);
/// Chooses between them. If the number of rows is unknown there are two
/// launches, one of which has nothing to do.
void emitProduct(Emitter &e, const Product &product);

} // namespace hone

#endif // HONE_PASSES_GPU_PRODUCT_TILEDPRODUCT_H
