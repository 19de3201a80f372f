// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Windows over channels-last inputs in which every channel stands for itself:
// depthwise convolution and pooling.
#ifndef HONE_PASSES_CPU_CHANNELWINDOW_H
#define HONE_PASSES_CPU_CHANNELWINDOW_H

#include "passes/Loops/Epilogue.h"
#include "passes/Loops/Window.h"

namespace hone {

/// How elements of a window are combined. Accumulators are vectors of channels
/// or scalars.
struct WindowReduction {
  enum Kind { Weighted, Sum, Average, Max };
  Kind kind;
  bool fma = false;
  bool isUnsigned = false;
  bool countIncludePad = false;

  /// A scalar or vector that changes nothing.
  mlir::Value neutral(Emitter &e, mlir::Type type) const;
  /// `tap` is null but for `Weighted`.
  mlir::Value combine(Emitter &e, mlir::Value sum, mlir::Value input,
                      mlir::Value tap) const;
  /// The number of elements that an average divides by along dimension `d`.
  mlir::Value divisor(Emitter &e, const Window &window, size_t d,
                      mlir::Value start) const;
  /// Divides a sum by a number of elements.
  static mlir::Value divide(Emitter &e, mlir::Value sum, mlir::Value count);
};

/// Emits one `scf.forall` over rows and blocks of channels. `taps` is
/// [kernel.., channels], for `Weighted`.
void emitChannelWindow(Emitter &e, const VectorUnit &unit,
                       const FlatBuffer &input, const FlatBuffer *taps,
                       const Window &window, const WindowReduction &reduction,
                       mlir::Type accumulator, Epilogue &epilogue);

} // namespace hone

#endif // HONE_PASSES_CPU_CHANNELWINDOW_H
