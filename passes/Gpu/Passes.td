// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Passes that turn a bufferized kernel into launches on a GPU and the device code that they run.
#ifndef HONE_PASSES_GPU_PASSES
#define HONE_PASSES_GPU_PASSES

include "mlir/Pass/PassBase.td"

def ChooseDeviceKernelsPass : Pass<"hone-choose-device-kernels", "::mlir::ModuleOp"> {
  let summary = "mark the kernels that a GPU can run";
  let description = [{
    Before: the outlined model. After: kernels whose types and operations the GPU has all of carry `hone.device`;
    `hone-place-buffers` decides which of them run there.
  }];
}

class GpuEmitterPass<string flag, list<string> more = []> : Pass<flag, "::mlir::func::FuncOp"> {
  let dependentDialects = !listconcat(["::mlir::arith::ArithDialect", "::mlir::gpu::GPUDialect",
                                       "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
                                       "::mlir::vector::VectorDialect"], more);
}

class GpuProductPass<string flag, list<string> more = []>
    : GpuEmitterPass<flag, !listconcat(["::mlir::nvgpu::NVGPUDialect", "::mlir::NVVM::NVVMDialect"], more)>;

def GpuLowerContractionsPass : GpuProductPass<"hone-gpu-lower-contractions"> {
  let summary = "emit the launch of each hone.kernel.matmul";
  let description = [{
    Before: bufferized functions. Each `hone.kernel.matmul` becomes a `gpu.launch`, whose blocks cover the result with tiles and
    bring pieces of both operands into shared memory: f16 and bf16 by asynchronous copies in several stages, multiplied
    by tensor cores with sums in f32; other types through registers, multiplied as they are. Up to four rows are a
    product of their own, whose threads split K; if the number of rows is not known there are two launches, one of which
    has an empty grid. Few tiles with a long K are divided along it; a second launch adds up their sums, in order. The epilogue runs on the sums before they are stored. Sizes need not be multiples of anything, and
    no element outside an operand is read. Buffers begin at multiples of 16 bytes. Left alone: operands that are tensors.
  }];
}

def GpuLowerAttentionPass : GpuProductPass<"hone-gpu-lower-attention", ["::mlir::math::MathDialect"]> {
  let summary = "emit the launch of each hone.kernel.attention";
  let description = [{
    Before: bufferized functions. Each `hone.kernel.attention` becomes a `gpu.launch`; a block of threads has up to 64 rows of queries
    and takes the keys in tiles of 64 or 32, by as much as shared memory holds. A warp keeps the scores and sums of 16 rows in
    registers. f16 and bf16 arrive by asynchronous copies, keys while values are worked on and the other way round, and
    are multiplied by tensor cores, powers in their type; f32 is multiplied as it is. Scores, maxima and totals are f32. Few
    blocks get fewer rows each. Sizes need not be multiples of anything, and no element outside an operand is read; those of
    a value have to be known, and with tensor cores those of a key. Buffers begin at multiples of 16 bytes. Left alone:
    operands that are tensors.
  }];
}

def GpuLowerConvolutionsPass : GpuProductPass<"hone-gpu-lower-convolutions"> {
  let summary = "emit the launch of each hone.kernel.conv";
  let description = [{
    Before: bufferized functions. Filters in panels give a product of output pixels with the filter, in tiles as
    contractions have them; the elements of a window are found while pieces are brought into shared memory, and are 0
    where it leaves the input. Depthwise filters: a thread computes up to 16 bytes of neighbouring channels of a pixel.
    All else, and transposed convolutions: a thread for each element. Left alone: operands that are tensors.
  }];
}

def GpuLowerPoolingPass : GpuEmitterPass<"hone-gpu-lower-pooling"> {
  let summary = "emit the launch of each hone.kernel.pool";
  let description = [{
    Before: bufferized functions. A thread computes one element; windows are clamped to the input, so no element is read
    outside. Left alone: operands that are tensors.
  }];
}

def MapLoopsToGpuPass : GpuEmitterPass<"hone-map-loops-to-gpu", ["::mlir::NVVM::NVVMDialect"]> {
  let summary = "turn linalg.generic and scf.forall into launches";
  let description = [{
    Before: a bufferized kernel. After: neither linalg nor `scf.forall`; all that touches memory at the top level, but for
    loads, lies in a `gpu.launch` with a constant block size. Element by element, a thread computes one result, or 16
    bytes of them where operands, and rows that the body loads, are contiguous and begin at multiples of 16 bytes. Where
    an operand is contiguous along another dimension, tiles go through shared memory. Reductions along contiguous memory,
    and those with few results, take a team of threads for each result: up to 256 elements a warp or a part of one, with
    several in a block, more of them a block. The others take one thread. Few results of many elements each are computed
    in parts, which a second launch merges, always in the same order. The best element and its index are reduced like
    sums. Consecutive operations that share parallel dimensions (softmax, normalisation) and reduce all others run in one
    launch with a team for each row; temporaries of a row that are small lie in shared memory. An iteration of
    `scf.forall` is one thread; if there are whole loops in it and nothing else writes to memory, or `scf.forall` again, a
    block, whose threads divide each of them and wait at its end. What a block allocates (`memref.alloca`) is shared.
  }];
}

def OutlineLaunchesPass : Pass<"hone-outline-launches", "::mlir::ModuleOp"> {
  let summary = "move the launches of kernels to functions of the device";
  let description = [{
    Before: functions with `hone.kernel` whose `gpu.launch`es lie at the top level. After: for a kernel `k` a
    `gpu.module @k_gpu` with a `gpu.func @k_step<N>` for each launch, and `gpu.launch_func` in their place. Parameters:
    of each buffer a pointer and its dynamic sizes (i64), then indices (i64). Constants, views, other scalars, and what
    is computed from loads move into the function. With checks there is one more parameter, the address of the error
    cell, which has the attribute `hone.error_cell`; `gpu.launch_func` passes null, for `hone-lower-launch-stub` to
    replace. A check that fails stores status, node, value and limit, if it is the first one.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::gpu::GPUDialect", "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect", "::mlir::LLVM::LLVMDialect"];
}

def LowerLaunchStubPass : Pass<"hone-lower-launch-stub", "::mlir::ModuleOp"> {
  let summary = "give the host part of kernels their C signature";
  let description = [{
    Before: functions with `hone.kernel` over memrefs and indices, with `gpu.launch_func`. After: functions
    `(ptrs, dims, begin, end, context) -> i32`, in which each launch is a call of `hone_rt_launch`, until one fails.
    Temporaries lie in the memory that `hone_rt_device_scratch` gives.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
                           "::mlir::LLVM::LLVMDialect"];
}

def ExpandGpuMathPass : Pass<"hone-expand-gpu-math", "::mlir::ModuleOp"> {
  let summary = "replace the math functions that hone-expand-math leaves to libm";
  let description = [{
    Devices have no libm. Trigonometric, hyperbolic and inverse functions, powers, logarithms to other bases and roots of
    f32 are computed in f64 and rounded once, by series; angles of any size are reduced exactly. The remainder of a
    division is exact for f32 and f64, and tests for infinity and NaN are comparisons. All functions of f64 are computed to
    a few units in the last place.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::scf::SCFDialect",
                           "::mlir::vector::VectorDialect"];
}

def LowerGpuToNvvmPass : Pass<"hone-lower-gpu-to-nvvm", "::mlir::gpu::GPUModuleOp"> {
  let summary = "convert the functions of a device to the NVVM and LLVM dialects";
  let description = [{
    Before: `gpu.func` over gpu, nvgpu, arith, math, memref, scf and vector, with math functions expanded. After:
    `llvm.func` with `nvvm.kernel`, over llvm and nvvm only; no function is called.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::NVVM::NVVMDialect", "::mlir::cf::ControlFlowDialect"];
}

#endif // HONE_PASSES_GPU_PASSES
