// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Parallel loops over buffers, and accesses in them.
#ifndef HONE_PASSES_BUFFER_KERNELS_KERNELLOOPS_H
#define HONE_PASSES_BUFFER_KERNELS_KERNELLOOPS_H

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

inline mlir::Value load(Emitter &e, mlir::Value buffer,
                        mlir::ValueRange place) {
  return mlir::memref::LoadOp::create(e.builder, e.loc, buffer, place);
}
inline void store(Emitter &e, mlir::Value value, mlir::Value buffer,
                  mlir::ValueRange place) {
  mlir::memref::StoreOp::create(e.builder, e.loc, value, buffer, place);
}

} // namespace hone::buffer

#endif // HONE_PASSES_BUFFER_KERNELS_KERNELLOOPS_H
