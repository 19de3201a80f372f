// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Families of simplification patterns, and shared helpers.
#ifndef HONE_PASSES_GRAPH_SIMPLIFY_H
#define HONE_PASSES_GRAPH_SIMPLIFY_H

#include "dialects/Graph/Constants.h"
#include "dialects/Graph/DimBuilder.h"
#include "dialects/Graph/Graph.h"
#include "mlir/IR/PatternMatch.h"
#include "passes/Analysis/Sizes.h"

namespace hone {

/// Maps: identities, unused and equal operands and results, constant parts.
void populateSimplifyMapPatterns(mlir::RewritePatternSet &patterns);
/// Reshapes, transposes, slices, gathers, concatenations.
void populateSimplifyMovementPatterns(mlir::RewritePatternSet &patterns);
/// Transposes, which move next to operations that can absorb them.
void populateSimplifyTransposePatterns(mlir::RewritePatternSet &patterns);
/// Matrix products and convolutions with neighbouring operations.
void populateSimplifyContractionPatterns(mlir::RewritePatternSet &patterns);
/// Scales after contractions with constant weights.
void populateFoldAffinePatterns(mlir::RewritePatternSet &patterns);

/// A map that takes over `body`, whose arguments match `inputs`.
graph::MapOp createMap(mlir::OpBuilder &builder, mlir::Location loc,
                       mlir::TypeRange results, mlir::ValueRange inputs,
                       mlir::ValueRange dims, mlir::Region &body);

/// `value` with another static shape; itself if it has that.
mlir::Value reshapeTo(mlir::OpBuilder &builder, mlir::Location loc,
                      mlir::Value value, llvm::ArrayRef<int64_t> shape);

/// `value` with other sizes; itself if they are those it has.
mlir::Value reshapeTo(mlir::OpBuilder &builder, mlir::Location loc,
                      graph::DimBuilder &dims, mlir::Value value,
                      llvm::ArrayRef<mlir::OpFoldResult> sizes);

inline graph::DimBuilder dimsOf(mlir::Operation *op) {
  return graph::DimBuilder(op->getParentOfType<mlir::func::FuncOp>());
}

/// The dynamic sizes of `value`, one for each `?` of its type.
llvm::SmallVector<mlir::Value> dynamicSizes(mlir::OpBuilder &builder,
                                            mlir::Location loc,
                                            graph::DimBuilder &dims,
                                            mlir::Value value);

/// The dynamic sizes of `value`, for the replacement of `op`.
llvm::SmallVector<mlir::Value>
dynamicSizes(mlir::OpBuilder &builder, mlir::Operation *op, mlir::Value value);

/// Whether `value` is a constant in the body of a map.
inline bool isScalarConstant(mlir::Value value) {
  mlir::Operation *op = value.getDefiningOp();
  return op && op->hasTrait<mlir::OpTrait::ConstantLike>();
}

/// Whether each channel is convolved with a filter of its own.
bool isDepthwise(graph::ConvOp conv);

/// Whether `value` is known at compile time.
inline bool isConstant(mlir::Value value) {
  return value.getDefiningOp<graph::ConstantOp>() != nullptr;
}

} // namespace hone

#endif // HONE_PASSES_GRAPH_SIMPLIFY_H
