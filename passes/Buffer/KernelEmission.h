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

} // namespace hone::buffer

#endif // HONE_PASSES_BUFFER_KERNELEMISSION_H
