// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sizes and clamped ranges of sliding windows, for convolution and pooling.
#ifndef HONE_PASSES_EMIT_WINDOW_H
#define HONE_PASSES_EMIT_WINDOW_H

#include "mlir/IR/BuiltinTypes.h"
#include "passes/Emit/Emit.h"

namespace hone {

/// The spatial dimensions of an input and the windows on them.
struct Window {
  template <typename OpTy>
  static Window get(Emitter &e, OpTy op, const FlatBuffer &input,
                    mlir::ValueRange outSizes) {
    Window window;
    window.channelsLast = op.getChannelsLast();
    window.kernel = llvm::to_vector(op.getKernel());
    window.strides = llvm::to_vector(op.getStrides());
    window.dilations = llvm::to_vector(op.getDilations());
    window.pads = llvm::to_vector(op.getPads());
    window.setSizes(input, outSizes);
    return window;
  }

  size_t spatial() const { return kernel.size(); }
  /// Dimension of a buffer that is spatial dimension `d`, and its channels.
  size_t bufferDim(size_t d) const { return channelsLast ? d + 1 : d + 2; }
  size_t channelDim() const { return channelsLast ? spatial() + 1 : 1; }

  /// Position on the input of kernel element 0 for output coordinate `out`.
  mlir::Value start(Emitter &e, size_t d, mlir::Value out) const;
  /// The kernel elements [low, high) inside the input, for a window that starts
  /// at `start`.
  std::pair<mlir::Value, mlir::Value> kernelRange(Emitter &e, size_t d,
                                                  mlir::Value start) const;
  /// The output coordinates [low, high) whose windows are inside the input.
  std::pair<mlir::Value, mlir::Value> interior(Emitter &e, size_t d) const;
  /// Whether kernel element `k` of output `out` is inside the input; all
  /// static.
  bool isInside(size_t d, int64_t out, int64_t k) const;
  /// How many of `count` tiles, each of `pixels` outputs, from output `first`
  /// on have the same kernel elements inside the input; all static. Walking
  /// such runs takes at most 2 * pixels * kernel + 1 of them, however long the
  /// row.
  int64_t tilesAlike(size_t d, int64_t first, int64_t pixels,
                     int64_t count) const;
  /// Whether no window leaves the input along `d`, as far as is known.
  bool neverLeaves(size_t d) const;

  /// A loop over kernel elements [low, high) of the last dimension for vectors
  /// of outputs: unrolled if they are few, so that their masks are constants.
  static llvm::SmallVector<mlir::Value> forElements(Emitter &e, mlir::Value low,
                                                    mlir::Value high,
                                                    mlir::ValueRange init,
                                                    Emitter::LoopBody body);
  /// What one window element of `lanes` adjacent outputs along the last
  /// dimension reads, for strides of 1 and 2. The first is at `offset`, and at
  /// position `at` in that dimension. If not null, `outside` stands for
  /// elements that are not in the input.
  mlir::Value load(Emitter &e, const FlatBuffer &input, mlir::Value offset,
                   mlir::Value at, int64_t lanes, mlir::Value outside) const;

  bool channelsLast = false;
  llvm::SmallVector<int64_t> kernel, strides, dilations, pads;
  mlir::Value batch, channels;
  llvm::SmallVector<mlir::Value> in, out; ///< Spatial sizes.

private:
  void setSizes(const FlatBuffer &input, mlir::ValueRange outSizes);
};

} // namespace hone

#endif // HONE_PASSES_EMIT_WINDOW_H
