// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The operations by which the bodies of reductions accumulate.
#ifndef HONE_PASSES_EMIT_COMBINER_H
#define HONE_PASSES_EMIT_COMBINER_H

#include "passes/Emit/LoopNest.h"

namespace hone {

/// The operation that accumulates into the output, if that is all the body does
/// with it.
mlir::Operation *combinerOf(const LoopNest &nest, unsigned output);
/// The neutral element of a combiner, or null.
mlir::TypedAttr neutralOf(mlir::Operation *combiner);
/// Applies a combiner to two scalars or vectors.
mlir::Value applyCombiner(Emitter &e, mlir::Operation *combiner, mlir::Value a,
                          mlir::Value b);
/// The halves of a vector of an even number of elements.
std::pair<mlir::Value, mlir::Value>
halvesOf(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value vector);
/// Combines the elements of a vector.
mlir::Value reduceVector(Emitter &e, mlir::Operation *combiner,
                         mlir::Value vector);

} // namespace hone

#endif // HONE_PASSES_EMIT_COMBINER_H
