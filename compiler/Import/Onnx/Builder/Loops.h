// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Loops with carried tensors: counted ones over the leading axis of some
// tensors, for recurrent cells and for Scan, and those that a condition ends.
#ifndef HONE_COMPILER_IMPORT_ONNX_BUILDER_LOOPS_H
#define HONE_COMPILER_IMPORT_ONNX_BUILDER_LOOPS_H

#include "compiler/Import/Onnx/Builder/NodeBuilder.h"

namespace hone::onnx {

/// `steps` iterations: the body gets the carried values (whose shapes do not
/// change), element `i` of each scanned tensor, and `i` as an int64 scalar
/// tensor. It returns the carried values, then the elements to collect. With
/// `reverse`, `i` counts down; collected elements are stored at their own `i`.
struct StepLoop {
  using Body = llvm::function_ref<llvm::SmallVector<Val>(
      llvm::ArrayRef<Val> carried, llvm::ArrayRef<Val> elements, Val step)>;

  NodeBuilder &n;
  Size steps;
  bool reverse = false;
  /// For each scanned and each collected tensor, if they differ from `reverse`.
  llvm::SmallVector<bool> reverseScanned = {}, reverseCollected = {};
  /// For each collected tensor the declared sizes of an element, -1 where
  /// undeclared. They apply if the sizes cannot be known before the loop, and
  /// are checked in each iteration. If neither tells the sizes, the elements
  /// are kept in a sequence.
  llvm::SmallVector<Ints> declaredCollected = {};

  /// The carried values after the last iteration, then the collected tensors.
  /// Empty after an error.
  llvm::SmallVector<Val> run(llvm::ArrayRef<Val> carried,
                             llvm::ArrayRef<Val> scanned, size_t collected,
                             Body body);
};

/// While a condition holds, at most `limit` times: the body gets the number of
/// the iteration and the condition, as index and i1, and the carried values,
/// and returns whether to continue, then the carried values and the elements to
/// collect. Shapes of carried values may change between iterations: their types
/// are widened until the body preserves them, so the body is built several
/// times.
struct WhileLoop {
  struct Outcome {
    mlir::Value goOn; ///< i1
    llvm::SmallVector<Val> values;
  };
  using Body = llvm::function_ref<mlir::FailureOr<Outcome>(
      mlir::Value step, mlir::Value condition, llvm::ArrayRef<Val> carried)>;

  NodeBuilder &n;
  mlir::Value limit, start; ///< index and i1
  /// For each collected tensor the declared sizes of an element, as in a
  /// StepLoop.
  llvm::SmallVector<Ints> declaredCollected = {};

  /// The carried values after the last iteration, then the collected tensors.
  mlir::FailureOr<llvm::SmallVector<Val>> run(llvm::ArrayRef<Val> carried,
                                              size_t collected, Body body);
};

/// The sizes that a type declares, -1 where they are free; empty if there are
/// none.
Ints declaredSizes(const TypeProto &type);
/// A view of element `i` of a tensor along its leading axis.
Val leadingElement(NodeBuilder &n, Val v, mlir::Value i);
/// The elements of a sequence, one per step and of one shape, stacked along a
/// new first axis, the last one first if `reversed`. Without any step, sizes
/// given by neither the type of `element` nor `declared` are 0.
Val stackSequence(NodeBuilder &n, Val sequence, mlir::Value steps,
                  const Val &element, llvm::ArrayRef<int64_t> declared,
                  bool reversed = false);
/// `v` as the more general `type` (dynamic where that is dynamic).
Val castTo(NodeBuilder &n, Val v, mlir::Type type);

} // namespace hone::onnx

#endif // HONE_COMPILER_IMPORT_ONNX_BUILDER_LOOPS_H
