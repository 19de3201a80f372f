// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A matrix product over buffers, as emitters of all targets see it.
#ifndef HONE_PASSES_EMIT_CONTRACTION_H
#define HONE_PASSES_EMIT_CONTRACTION_H

#include "dialects/Graph/KernelOps.h"
#include "passes/Emit/Emit.h"
#include <functional>

namespace hone {

enum class RhsLayout {
  Packed,     ///< As `#hone.packed` says, the same for all batches.
  RowMajor,   ///< [k][n]
  Transposed, ///< [n][k]
};

/// Element types of a product.
struct ProductTypes {
  static ProductTypes of(graph::ScheduledOpInterface op);

  mlir::Type lhs, rhs, accumulator;
  /// Elements of K that lie together in the right-hand side.
  int64_t kr = 1;
};

/// The left-hand operand of a product with such sums.
FlatBuffer leftOperand(Emitter &e, mlir::Value memref, mlir::Type accumulator);

/// What the type of an operation says about its matrix product. Sizes are
/// `ShapedType::kDynamic` where they are not known.
struct ProductShape {
  static ProductShape of(graph::KernelMatmulOp op);
  /// Of a convolution with a filter in panels that is a product over all
  /// pixels: kernels of one element, no padding. None: another one.
  static std::optional<ProductShape> of(graph::KernelConvOp op);

  ProductTypes types;
  RhsLayout layout;
  graph::PackedAttr packed; ///< Null for other layouts.
  llvm::SmallVector<int64_t> batch;
  int64_t m, n, k;
  int64_t
      lhsPitch; ///< Elements from one row of the left-hand side to the next.
  bool fewRows = false; ///< Where `m` is not known, it is likely small.
  /// How many output dimensions each of [batch.., m, n] stands for.
  llvm::SmallVector<int64_t> groups;
};

/// out[batch.., m, n] = epilogue(sum over k of a[batch.., m, k] * b[batch.., k,
/// n]). The output space of the epilogue is [batch.., m, n].
struct Contraction {
  /// All but `m` and `n`, which are sizes of the epilogue's output space.
  static Contraction get(Emitter &e, graph::KernelMatmulOp op);

  ProductShape shape;
  FlatBuffer a, b;
  mlir::Value m, n, k;
  /// Where a row of `a` starts in its batch; rows follow each other if it is
  /// null.
  std::function<mlir::Value(mlir::Value row)> rowOffset;
  /// How far the operands move with each batch coordinate.
  llvm::SmallVector<mlir::Value> aBatchStrides, bBatchStrides;
};

} // namespace hone

#endif // HONE_PASSES_EMIT_CONTRACTION_H
