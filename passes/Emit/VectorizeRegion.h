// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Clones a block of scalar arithmetic onto one-dimensional vectors.
#ifndef HONE_PASSES_EMIT_VECTORIZEREGION_H
#define HONE_PASSES_EMIT_VECTORIZEREGION_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace hone {

/// Clones an operation that is not elementwise arithmetic: maps its results to
/// vectors, or fails.
using VectorizeHook = llvm::function_ref<mlir::LogicalResult(
    mlir::OpBuilder &, mlir::Operation *, mlir::IRMapping &)>;

/// The vector form of a scalar: from `mapping`, otherwise a broadcast of a
/// value defined above the block.
mlir::Value vectorOf(mlir::OpBuilder &builder, mlir::Location loc,
                     mlir::Value scalar, int64_t lanes,
                     mlir::IRMapping &mapping);

/// Whether every operation of the block except its terminator is elementwise.
bool isElementwiseBlock(mlir::Block &block);

/// Clones `block` so that each scalar becomes a vector of `lanes` elements,
/// with `arguments` for its arguments, and returns the terminator's operands.
/// On failure, clones made so far are left behind.
mlir::FailureOr<llvm::SmallVector<mlir::Value>>
vectorizeBlock(mlir::OpBuilder &builder, mlir::Block &block,
               mlir::ValueRange arguments, int64_t lanes,
               VectorizeHook hook = nullptr);

/// Clones `block` unchanged and returns the terminator's operands.
llvm::SmallVector<mlir::Value> cloneBlock(mlir::OpBuilder &builder,
                                          mlir::Block &block,
                                          mlir::ValueRange arguments);

} // namespace hone

#endif // HONE_PASSES_EMIT_VECTORIZEREGION_H
