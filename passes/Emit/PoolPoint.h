// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One element of a pooling of any layout, or several adjacent ones.
#ifndef HONE_PASSES_EMIT_POOLPOINT_H
#define HONE_PASSES_EMIT_POOLPOINT_H

#include "passes/Emit/Epilogue.h"
#include "passes/Emit/WindowReduction.h"

namespace hone {

class PoolPoint {
public:
  PoolPoint(Emitter &e, graph::KernelPoolOp op)
      : e(e), op(op), input(FlatBuffer::get(e, op.getInput())),
        epilogue(e, op, llvm::SmallVector<int64_t>(input.sizes.size(), 1)),
        window(Window::get(e, op, input, epilogue.sizes)),
        reduction(WindowReduction::get(op)),
        accumulator(op.getAccumulatorType()) {}

  /// Sizes of the output.
  llvm::ArrayRef<mlir::Value> sizes() const { return epilogue.sizes; }
  /// Whether adjacent outputs along the last dimension can be computed as one
  /// vector.
  bool hasVectors();
  const Window &getWindow() const { return window; }
  /// The type of the elements that `emit` reads.
  mlir::Type sourceType() const { return source().elementType(); }

  /// Whether windows along a row have so much in common that it should be
  /// reduced along the other dimensions first.
  bool hasRows();
  /// Does that for the row of outputs at `coordinates`, which lack the last;
  /// `emit` then reads the result. With `lanes`, in vectors, of which the last
  /// may have a mask if there are `masks`.
  void enterRow(llvm::ArrayRef<mlir::Value> coordinates, int64_t lanes,
                bool masks);

  /// Computes and stores the element at some output coordinates, or `lanes`
  /// from there on along the last dimension. With `remaining`, only so many of
  /// those exist, and their windows may leave the input along that dimension.
  void emit(llvm::ArrayRef<mlir::Value> coordinates, int64_t lanes = 0,
            mlir::Value remaining = nullptr);

private:
  const FlatBuffer &source() const { return row ? *row : input; }
  mlir::Value offsetOf(llvm::ArrayRef<mlir::Value> coordinates) const;
  mlir::Value reduceColumn(size_t d, mlir::Value offset, mlir::Value sum,
                           mlir::Value mask);
  llvm::SmallVector<mlir::Value> emitWindow(size_t d, mlir::Value offset,
                                            mlir::Value position,
                                            mlir::Value at,
                                            mlir::ValueRange carried);
  mlir::Value load(mlir::Value offset, mlir::Value at) const;
  mlir::Value divisor() const;
  mlir::Value isLarger(mlir::Value candidate, mlir::Value best);

  Emitter &e;
  graph::KernelPoolOp op;
  FlatBuffer input;
  Epilogue epilogue;
  Window window;
  WindowReduction reduction;
  mlir::Type accumulator;

  std::optional<FlatBuffer> row; ///< The input, but for its last dimension.

  // Of the current point:
  llvm::SmallVector<mlir::Value> starts; ///< Of the (first) window.
  int64_t lanes = 0;
  bool atBorder = false; ///< Windows of lanes may leave the input.
};

} // namespace hone

#endif // HONE_PASSES_EMIT_POOLPOINT_H
