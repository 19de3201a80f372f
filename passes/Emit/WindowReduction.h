// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How the elements of a window are combined, for convolution and pooling.
#ifndef HONE_PASSES_EMIT_WINDOWREDUCTION_H
#define HONE_PASSES_EMIT_WINDOWREDUCTION_H

#include "dialects/Graph/KernelOps.h"
#include "passes/Emit/Window.h"

namespace hone {

/// How elements of a window are combined. Accumulators are vectors of channels
/// or scalars.
struct WindowReduction {
  enum Kind { Weighted, Sum, Average, Max };
  Kind kind;
  bool fma = false;
  bool isUnsigned = false;
  bool countIncludePad = false;

  static WindowReduction get(graph::KernelPoolOp op);

  /// The neutral element, as a scalar or vector.
  mlir::Value neutral(Emitter &e, mlir::Type type) const;
  /// `tap` is null except for `Weighted`.
  mlir::Value combine(Emitter &e, mlir::Value sum, mlir::Value input,
                      mlir::Value tap) const;
  /// The number of elements that an average divides by along dimension `d`.
  mlir::Value divisor(Emitter &e, const Window &window, size_t d,
                      mlir::Value start) const;
  /// Divides a sum by a number of elements, or a vector of sums by one each.
  static mlir::Value divide(Emitter &e, mlir::Value sum, mlir::Value count);
};

} // namespace hone

#endif // HONE_PASSES_EMIT_WINDOWREDUCTION_H
