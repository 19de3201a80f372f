// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Loops whose iterations are executed by teams of threads.
#ifndef HONE_PASSES_BUFFER_TEAMS_TEAMLOOPS_H
#define HONE_PASSES_BUFFER_TEAMS_TEAMLOOPS_H

#include "passes/Buffer/Kernels/KernelLoops.h"

namespace hone::buffer {

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

} // namespace hone::buffer

#endif // HONE_PASSES_BUFFER_TEAMS_TEAMLOOPS_H
