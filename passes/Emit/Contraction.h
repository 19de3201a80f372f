// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A matrix product over buffers: what is common to the emitters of all targets.
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
  Quantized,  ///< As `#hone.quantized` says.
};

/// Element types of a product.
struct ProductTypes {
  static ProductTypes of(graph::ScheduledOpInterface op);

  mlir::Type lhs, rhs, accumulator; ///< As register tiles read them.
  /// Elements of K that lie together in the right-hand side, or will in the
  /// copy of it that tiles read.
  int64_t kr = 1;
  /// Whether the left-hand side can be converted before it is multiplied, in
  /// pieces that fit in scratch memory.
  bool isConvertible = false;
  /// Whether the right-hand side is in an order of its own (`#hone.packed`).
  bool isOrdered = false;
  /// Bits of the codes by which the bytes of a left-hand side that is rounded
  /// are multiplied; 0: there are none.
  int64_t codeBits = 0;
};

/// The left-hand operand of a product with such sums.
FlatBuffer leftOperand(Emitter &e, mlir::Value memref, mlir::Type accumulator);

/// What the type of an operation says about its matrix product. Sizes are
/// `ShapedType::kDynamic` where they are not known.
struct ProductShape {
  static ProductShape of(graph::KernelMatmulOp op);
  /// The product over all pixels of a convolution with a filter in panels, a
  /// kernel of one element and no padding; none for others.
  static std::optional<ProductShape> of(graph::KernelConvOp op);

  ProductTypes types;
  RhsLayout layout;
  graph::PackedAttr packed;       ///< Null unless packed or quantized.
  graph::QuantizedAttr quantized; ///< Null for other layouts.
  llvm::SmallVector<int64_t> batch;
  int64_t m, n, k;
  int64_t
      lhsPitch; ///< Elements from one row of the left-hand side to the next.
  bool fewRows = false; ///< Where `m` is not known, it is likely small.
  /// The number of output dimensions in each of [batch.., m, n].
  llvm::SmallVector<int64_t> groups;

  /// `k`, or the whole steps that copies have if rows end within one.
  int64_t paddedK() const;
  /// Whether rows of the left-hand side, of which nothing is packed yet, end
  /// within a step.
  bool endsWithinStep() const;
};

/// out[batch.., m, n] = epilogue(sum over k of a[batch.., m, k] * b[batch.., k,
/// n]). The output space of the epilogue is [batch.., m, n].
struct Contraction {
  /// All but `m` and `n`, which are sizes of the epilogue's output space.
  static Contraction get(Emitter &e, graph::KernelMatmulOp op);

  ProductShape shape;
  FlatBuffer a, b;
  mlir::Value m, n, k;
  /// Offset of a row of `a` in its batch; rows are consecutive if null.
  std::function<mlir::Value(mlir::Value row)> rowOffset;
  /// Strides of the operands along each batch coordinate.
  llvm::SmallVector<mlir::Value> aBatchStrides, bBatchStrides;
};

} // namespace hone

#endif // HONE_PASSES_EMIT_CONTRACTION_H
