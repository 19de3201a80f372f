// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Loops for the operations of a kernel that write parts of their result or
// whose steps depend on each other, on buffers. Every emitted loop lies in a
// top-level scf.forall; loops over one row stay linalg.generic.
#ifndef HONE_PASSES_BUFFER_KERNELEMISSION_H
#define HONE_PASSES_BUFFER_KERNELEMISSION_H

#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace hone::buffer {

/// The elements of `source`, which is contiguous, under other sizes.
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

/// The best of a line by insertion, however many, without memory beside.
void emitInsertedTopK(mlir::OpBuilder &builder, graph::TopKOp op,
                      mlir::Value source, mlir::Value values,
                      mlir::Value indices);

/// Padding with an iteration for each element.
void emitElementPad(mlir::OpBuilder &builder, graph::PadOp op,
                    mlir::Value source, mlir::Value target);

// The same for teams: an iteration of the top-level scf.forall is done by
// threads that share what it allocates (memref.alloca) and divide each
// scf.forall inside it; they wait for each other at its end. Where such a form
// would not pay, an iteration writes by itself and there are more of them.
void emitTeamScatter(mlir::OpBuilder &builder, graph::ScatterOp op,
                     mlir::Value input, mlir::Value indices,
                     mlir::Value updates, mlir::Value target);
void emitTeamCumulate(mlir::OpBuilder &builder, graph::CumulateOp op,
                      mlir::Value source, mlir::Value target);
void emitTeamTopK(mlir::OpBuilder &builder, graph::TopKOp op,
                  mlir::Value source, mlir::Value values, mlir::Value indices);

/// A buffer as [outer, axis, inner].
struct Lines {
  Lines(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value buffer,
        int64_t axis);
  mlir::OpFoldResult outer, length, inner;
  mlir::Value view;
};

/// The type of a running sum of elements: f32 for f16 and bf16.
mlir::Type sumType(mlir::Type type);
/// Running sums with an iteration for each line.
void emitScalarCumulate(mlir::OpBuilder &builder, graph::CumulateOp op,
                        const Lines &source, const Lines &target);
/// The neutral element of what a running sum accumulates.
mlir::TypedAttr neutralOf(graph::CumulateOp op, mlir::Type type);
mlir::Value accumulate(mlir::OpBuilder &builder, mlir::Location loc,
                       graph::ReduceKind kind, mlir::Value a, mlir::Value b);
/// Whether `a` comes before `b` where their order does not already say so. NaN
/// counts as larger than any number.
mlir::Value comesBefore(mlir::OpBuilder &builder, graph::TopKOp op,
                        mlir::Value a, mlir::Value b);
/// The number of wanted elements, checked against that of the given ones.
mlir::Value checkedCount(mlir::OpBuilder &builder, graph::TopKOp op,
                         const Lines &source, const Lines &values);
/// What the element `old` becomes when `update` hits it.
mlir::Value combine(mlir::OpBuilder &builder, mlir::Location loc,
                    graph::ScatterKind kind, mlir::Value old,
                    mlir::Value update);
/// An element of the indices as a coordinate in a dimension of `size`.
mlir::Value checkedIndex(mlir::OpBuilder &builder, graph::ScatterOp op,
                         mlir::Value element, mlir::Value size);

} // namespace hone::buffer

#endif // HONE_PASSES_BUFFER_KERNELEMISSION_H
