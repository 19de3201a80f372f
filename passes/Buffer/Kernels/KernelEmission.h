// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Loops for the operations of a kernel that write parts of their result or
// whose steps depend on each other, on buffers. Every emitted loop is inside a
// top-level scf.forall; loops over one row stay linalg.generic.
#ifndef HONE_PASSES_BUFFER_KERNELS_KERNELEMISSION_H
#define HONE_PASSES_BUFFER_KERNELS_KERNELEMISSION_H

#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace hone::buffer {

/// The elements of `source`, which is contiguous, with other sizes.
mlir::Value viewAs(mlir::OpBuilder &builder, mlir::Location loc,
                   mlir::Value source, llvm::ArrayRef<mlir::OpFoldResult> sizes,
                   mlir::OpFoldResult offset = {});

/// Product of sizes.
mlir::OpFoldResult product(mlir::OpBuilder &builder, mlir::Location loc,
                           llvm::ArrayRef<mlir::OpFoldResult> factors);
mlir::OpFoldResult sum(mlir::OpBuilder &builder, mlir::Location loc,
                       mlir::OpFoldResult a, mlir::OpFoldResult b);

/// Copies a buffer to one of the same shape.
void copyBuffer(mlir::OpBuilder &builder, mlir::Location loc,
                mlir::Value source, mlir::Value target);
void fillBuffer(mlir::OpBuilder &builder, mlir::Location loc,
                mlir::Value scalar, mlir::Value target);

/// A buffer that reads `source` at `offset + i * step`.
mlir::Value sliceBuffer(mlir::OpBuilder &builder, graph::SliceOp op,
                        mlir::Value source,
                        llvm::ArrayRef<mlir::OpFoldResult> sizes);

void emitConcat(mlir::OpBuilder &builder, graph::ConcatOp op,
                mlir::ValueRange inputs, mlir::Value target);
void emitPad(mlir::OpBuilder &builder, graph::PadOp op, mlir::Value source,
             mlir::Value target);
void emitScatter(mlir::OpBuilder &builder, graph::ScatterOp op,
                 mlir::Value input, mlir::Value indices, mlir::Value updates,
                 mlir::Value target);
void emitCumulate(mlir::OpBuilder &builder, graph::CumulateOp op,
                  mlir::Value source, mlir::Value target);
void emitTopK(mlir::OpBuilder &builder, graph::TopKOp op, mlir::Value source,
              mlir::Value values, mlir::Value indices);

/// The best of a line by insertion, for any k, without extra memory. With
/// vectors, elements that do not enter are skipped several at a time.
void emitInsertedTopK(mlir::OpBuilder &builder, graph::TopKOp op,
                      mlir::Value source, mlir::Value values,
                      mlir::Value indices, bool hasVectors);

/// Padding with an iteration per element.
void emitElementPad(mlir::OpBuilder &builder, graph::PadOp op,
                    mlir::Value source, mlir::Value target);

/// A buffer as [outer, axis, inner].
struct Lines {
  Lines(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value buffer,
        int64_t axis);
  mlir::OpFoldResult outer, length, inner;
  mlir::Value view;
};

/// The type of a running sum of elements: f32 for f16 and bf16.
mlir::Type sumType(mlir::Type type);
/// Running sums with an iteration per line.
void emitScalarCumulate(mlir::OpBuilder &builder, graph::CumulateOp op,
                        const Lines &source, const Lines &target);
/// The neutral element of a running sum.
mlir::TypedAttr neutralOf(graph::CumulateOp op, mlir::Type type);
mlir::Value accumulate(mlir::OpBuilder &builder, mlir::Location loc,
                       graph::ReduceKind kind, mlir::Value a, mlir::Value b);
/// Whether `a` comes before `b`, if their order does not already say so. NaN
/// counts as larger than any number.
mlir::Value comesBefore(mlir::OpBuilder &builder, graph::TopKOp op,
                        mlir::Value a, mlir::Value b);
/// The number of requested elements, checked against that of the available
/// ones.
mlir::Value checkedCount(mlir::OpBuilder &builder, graph::TopKOp op,
                         const Lines &source, const Lines &values);
/// The new value of the element `old` after `update`.
mlir::Value combine(mlir::OpBuilder &builder, mlir::Location loc,
                    graph::ScatterKind kind, mlir::Value old,
                    mlir::Value update);
/// An element of the indices as a coordinate in a dimension of `size`.
mlir::Value checkedIndex(mlir::OpBuilder &builder, graph::ScatterOp op,
                         mlir::Value element, mlir::Value size);

} // namespace hone::buffer

#endif // HONE_PASSES_BUFFER_KERNELS_KERNELEMISSION_H
