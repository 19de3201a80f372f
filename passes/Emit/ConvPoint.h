// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One element of a convolution or transposed convolution with any layout and
// attributes.
#ifndef HONE_PASSES_EMIT_CONVPOINT_H
#define HONE_PASSES_EMIT_CONVPOINT_H

#include "passes/Emit/Epilogue.h"
#include "passes/Emit/WindowReduction.h"

namespace hone {

class ConvPoint {
public:
  /// Elements that are computed together: rows of vectors along the last
  /// dimension. Without lanes it is one element.
  struct Tile {
    int64_t lanes = 0, vectors = 1, rows = 1;
  };

  ConvPoint(Emitter &e, graph::KernelConvOp op, bool fma);

  /// Sizes of the output.
  llvm::ArrayRef<mlir::Value> sizes() const { return epilogue.sizes; }
  /// Selects the output channel.
  void enter(mlir::Value batch, mlir::Value channel);
  /// Computes and stores the element at spatial coordinates `place`, or a tile
  /// from there. With `remaining`, only so many elements of a row exist, and
  /// their windows may leave the input along the last dimension.
  void emit(llvm::ArrayRef<mlir::Value> place) { emit(place, Tile(), nullptr); }
  void emit(llvm::ArrayRef<mlir::Value> place, const Tile &tile,
            mlir::Value remaining);
  /// Whether adjacent outputs along the last dimension can be computed as
  /// vectors.
  bool hasVectors() const {
    return !transposed && !window.channelsLast && window.strides[last] <= 2;
  }
  /// Whether windows of adjacent rows have rows of the input in common, which
  /// a tile loads once for all of them.
  bool sharesRows() const {
    return hasVectors() && last > 0 && window.dilations[last - 1] == 1 &&
           window.kernel[last - 1] > window.strides[last - 1];
  }

  const Window &getWindow() const { return window; }
  mlir::Type inputType() const { return input.elementType(); }

private:
  using Sums = llvm::SmallVector<mlir::Value>;
  Sums emitTerms(size_t d, mlir::Value inOffset, mlir::Value filterOffset,
                 mlir::ValueRange sums);
  Sums emitChannels(
      mlir::Value inOffset, mlir::Value filterOffset, mlir::ValueRange sums,
      llvm::function_ref<Sums(mlir::Value, mlir::Value, mlir::ValueRange)>
          inner);
  Sums emitSharedRows(mlir::Value inOffset, mlir::Value filterOffset,
                      mlir::ValueRange sums);
  Sums emitRow(mlir::Value inOffset, llvm::ArrayRef<mlir::Value> rows,
               mlir::ValueRange sums);
  Sums emitProducts(mlir::Value inOffset, llvm::ArrayRef<mlir::Value> rows,
                    mlir::Value at, mlir::ValueRange sums);
  Sums emitTransposed(size_t d, mlir::Value inOffset, mlir::Value filterOffset,
                      mlir::ValueRange sums);

  Emitter &e;
  FlatBuffer input, filter;
  Epilogue epilogue;
  Window window;
  mlir::Type accumulator;
  bool transposed;
  WindowReduction reduction;
  mlir::Value groupIn, groupOut; ///< Channels of a group.
  size_t last;                   ///< The last spatial dimension.

  // Of the current elements:
  mlir::Value batch, channel, group, channelInGroup;
  llvm::SmallVector<mlir::Value> out; ///< Spatial coordinates.
  Tile tile;
  bool atBorder = false; ///< Windows of lanes may leave the input.
};

} // namespace hone

#endif // HONE_PASSES_EMIT_CONVPOINT_H
