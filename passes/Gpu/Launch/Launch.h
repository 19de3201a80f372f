// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Parallel steps of a kernel on the GPU: launches, their threads, and state
// shared by the threads of a block.
#ifndef HONE_PASSES_GPU_LAUNCH_LAUNCH_H
#define HONE_PASSES_GPU_LAUNCH_LAUNCH_H

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "passes/Emit/Emit.h"

namespace hone {

/// Threads of a warp, on every chip.
constexpr int64_t kWarp = 32;

/// A thread's position, as indices, and the shared buffers of its block.
struct ThreadPlace {
  mlir::Value block[3], thread[3];
  llvm::SmallVector<mlir::Value> shared;
};

/// Emits a gpu.launch of `grid` blocks of `block` threads, x first; omitted
/// sizes are 1. A grid with a size of 0 runs nothing. x may be large, the
/// others at most 65535. `shared` are types of buffers in shared memory.
mlir::gpu::LaunchOp
emitLaunch(Emitter &e, llvm::ArrayRef<mlir::Value> grid,
           llvm::ArrayRef<int64_t> block,
           llvm::ArrayRef<mlir::MemRefType> shared,
           llvm::function_ref<void(const ThreadPlace &)> body);

/// A launch of at least `count` threads, in blocks of `threads`; `body` is
/// emitted for those with a number below `count`.
void emitThreads(Emitter &e, mlir::Value count, int64_t threads,
                 llvm::function_ref<void(mlir::Value number)> body);

/// A contiguous buffer in the shared memory of a block.
mlir::MemRefType sharedType(llvm::ArrayRef<int64_t> shape, mlir::Type element);
int64_t bytesOf(mlir::MemRefType type);

/// Waits for all threads of the block, and makes their writes visible.
void emitBarrier(Emitter &e);

} // namespace hone

#endif // HONE_PASSES_GPU_LAUNCH_LAUNCH_H
