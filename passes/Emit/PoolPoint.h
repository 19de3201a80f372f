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
  /// vector, if no window leaves the input.
  bool hasVectors();
  const Window &getWindow() const { return window; }

  /// Computes and stores the element at some output coordinates, or `lanes`
  /// from there on along the last dimension, of which only `remaining` (if
  /// given) exist.
  void emit(llvm::ArrayRef<mlir::Value> coordinates, int64_t lanes = 0,
            mlir::Value remaining = nullptr);

private:
  llvm::SmallVector<mlir::Value> emitWindow(size_t d, mlir::Value offset,
                                            mlir::Value position,
                                            mlir::ValueRange carried);
  mlir::Value load(mlir::Value offset) const;
  mlir::Value isLarger(mlir::Value candidate, mlir::Value best);

  Emitter &e;
  graph::KernelPoolOp op;
  FlatBuffer input;
  Epilogue epilogue;
  Window window;
  WindowReduction reduction;
  mlir::Type accumulator;

  // Of the current point:
  llvm::SmallVector<mlir::Value> starts; ///< Of the window.
  int64_t lanes = 0;
  llvm::SmallVector<mlir::Value, 2> masks; ///< Of its loads; null: all exist.
};

} // namespace hone

#endif // HONE_PASSES_EMIT_POOLPOINT_H
