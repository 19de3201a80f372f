// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One element of a pooling of any layout.
#ifndef HONE_PASSES_LOOPS_POOLPOINT_H
#define HONE_PASSES_LOOPS_POOLPOINT_H

#include "passes/Loops/Epilogue.h"
#include "passes/Loops/WindowReduction.h"

namespace hone {

class PoolPoint {
public:
  PoolPoint(Emitter &e, graph::PoolWindowOp op)
      : e(e), op(op), input(FlatBuffer::get(e, op.getInput())),
        epilogue(e, op, llvm::SmallVector<int64_t>(input.sizes.size(), 1)),
        window(Window::get(e, op, input, epilogue.sizes)),
        reduction(WindowReduction::get(op)),
        accumulator(op.getAccumulatorType()) {}

  /// Sizes of the output.
  llvm::ArrayRef<mlir::Value> sizes() const { return epilogue.sizes; }
  /// Computes and stores the element at some output coordinates.
  void emit(llvm::ArrayRef<mlir::Value> coordinates);

private:
  llvm::SmallVector<mlir::Value> emitWindow(size_t d, mlir::Value offset,
                                            mlir::Value position,
                                            mlir::ValueRange carried);
  mlir::Value isLarger(mlir::Value candidate, mlir::Value best);

  Emitter &e;
  graph::PoolWindowOp op;
  FlatBuffer input;
  Epilogue epilogue;
  Window window;
  WindowReduction reduction;
  mlir::Type accumulator;
  llvm::SmallVector<mlir::Value> starts; ///< Of the window.
};

} // namespace hone

#endif // HONE_PASSES_LOOPS_POOLPOINT_H
