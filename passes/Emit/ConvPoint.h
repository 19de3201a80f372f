// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One element of a convolution or transposed convolution with any layout and
// attributes.
#ifndef HONE_PASSES_EMIT_CONVPOINT_H
#define HONE_PASSES_EMIT_CONVPOINT_H

#include "passes/Emit/Epilogue.h"
#include "passes/Emit/Window.h"

namespace hone {

class ConvPoint {
public:
  ConvPoint(Emitter &e, graph::KernelConvOp op, bool fma);

  /// Sizes of the output.
  llvm::ArrayRef<mlir::Value> sizes() const { return epilogue.sizes; }
  /// Selects the output channel.
  void enter(mlir::Value batch, mlir::Value channel);
  /// Computes and stores the element at spatial coordinates `place`, or `lanes`
  /// elements from there along the last dimension, whose windows must be inside
  /// the input. That requires channels that are not last and stride 1.
  void emit(llvm::ArrayRef<mlir::Value> place, int64_t lanes = 0);

  const Window &getWindow() const { return window; }

private:
  mlir::Value emitTerms(size_t d, mlir::Value inOffset,
                        mlir::Value filterOffset, mlir::Value sum);
  mlir::Value emitChannels(
      mlir::Value inOffset, mlir::Value filterOffset, mlir::Value sum,
      llvm::function_ref<mlir::Value(mlir::Value, mlir::Value, mlir::Value)>
          inner);
  mlir::Value emitProduct(mlir::Value inOffset, mlir::Value filterOffset,
                          mlir::Value sum);
  mlir::Value emitTransposed(size_t d, mlir::Value inOffset,
                             mlir::Value filterOffset, mlir::Value sum);

  Emitter &e;
  FlatBuffer input, filter;
  Epilogue epilogue;
  Window window;
  mlir::Type accumulator;
  bool transposed, fma;
  mlir::Value groupIn, groupOut; ///< Channels of a group.
  size_t last;                   ///< The last spatial dimension.

  // Of the current element:
  mlir::Value batch, channel, group, channelInGroup;
  llvm::SmallVector<mlir::Value> out; ///< Spatial coordinates.
  int64_t lanes = 0;
};

} // namespace hone

#endif // HONE_PASSES_EMIT_CONVPOINT_H
