// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Loops whose iterations are executed by teams of threads.
#ifndef HONE_PASSES_BUFFER_TEAMLOOPS_H
#define HONE_PASSES_BUFFER_TEAMLOOPS_H

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "passes/Emit/Emit.h"

namespace hone::buffer {

/// An iteration for each set of coordinates below `sizes`.
inline void emitForall(Emitter &e, llvm::ArrayRef<mlir::OpFoldResult> sizes,
                       llvm::function_ref<void(mlir::ValueRange)> body) {
  auto forall = mlir::scf::ForallOp::create(e.builder, e.loc, sizes,
                                            mlir::ValueRange{}, std::nullopt);
  mlir::OpBuilder::InsertionGuard guard(e.builder);
  e.builder.setInsertionPointToStart(forall.getBody());
  body(forall.getInductionVars());
}

/// A step that the team divides.
inline void emitStep(Emitter &e, int64_t size,
                     llvm::function_ref<void(mlir::Value)> body) {
  emitForall(e, {e.builder.getIndexAttr(size)},
             [&](mlir::ValueRange ivs) { body(ivs[0]); });
}

/// Memory of the team.
inline mlir::Value teamBuffer(Emitter &e, llvm::ArrayRef<int64_t> shape,
                              mlir::Type element) {
  return mlir::memref::AllocaOp::create(e.builder, e.loc,
                                        mlir::MemRefType::get(shape, element));
}

inline mlir::Value load(Emitter &e, mlir::Value buffer,
                        mlir::ValueRange place) {
  return mlir::memref::LoadOp::create(e.builder, e.loc, buffer, place);
}
inline void store(Emitter &e, mlir::Value value, mlir::Value buffer,
                  mlir::ValueRange place) {
  mlir::memref::StoreOp::create(e.builder, e.loc, value, buffer, place);
}

} // namespace hone::buffer

#endif // HONE_PASSES_BUFFER_TEAMLOOPS_H
