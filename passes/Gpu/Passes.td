// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Passes that turn a bufferized kernel into GPU launches and device code.
#ifndef HONE_PASSES_GPU_PASSES
#define HONE_PASSES_GPU_PASSES

include "mlir/Pass/PassBase.td"

def ChooseDeviceKernelsPass : Pass<"hone-choose-device-kernels", "::mlir::ModuleOp"> {
  let summary = "mark the kernels that a GPU can run";
  let description = [{
    Before: the outlined model. After: kernels with only types and operations that the GPU supports carry `hone.device`;
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
    Before: bufferized functions. Each `hone.kernel.matmul` becomes a `gpu.launch`, whose blocks cover the result with
    tiles and bring slices of both operands into shared memory: f16 and bf16 by asynchronous copies in several stages,
    multiplied by tensor cores with sums in f32; other types through registers, multiplied in their own type. With up to
    four rows the threads split K instead; if the number of rows is unknown there are two launches, one of which has an
    empty grid. Few tiles with a long K are divided along it; a second launch adds up their sums, in order. The epilogue
    runs on the sums before they are stored. Sizes are arbitrary, and no element outside an operand is read. Buffers
    begin at multiples of 16 bytes. Left alone: operands that are tensors.
  }];
}

def GpuLowerAttentionPass : GpuProductPass<"hone-gpu-lower-attention", ["::mlir::math::MathDialect"]> {
  let summary = "emit the launch of each hone.kernel.attention";
  let description = [{
    Before: bufferized functions. Each `hone.kernel.attention` becomes a `gpu.launch`; a block of threads has up to 64
    rows of queries and processes the keys in tiles of 64 or 32, as many as fit in shared memory. A warp keeps the
    scores and sums of 16 rows in registers. f16 and bf16 arrive by asynchronous copies, keys while values are processed
    and vice versa, and are multiplied by tensor cores, exponentials in their type; f32 is multiplied as such. Scores,
    maxima and totals are f32. With few blocks each gets fewer rows. Sizes are arbitrary, and no element outside an
    operand is read; the size of a value must be known, and with tensor cores that of a key. Buffers begin at multiples
    of 16 bytes. Left alone: operands that are tensors.
  }];
}

def GpuLowerConvolutionsPass : GpuProductPass<"hone-gpu-lower-convolutions"> {
  let summary = "emit the launch of each hone.kernel.conv";
  let description = [{
    Before: bufferized functions. Filters in panels become a product of output pixels with the filter, tiled like
    contractions; the elements of a window are located while slices are brought into shared memory, and are 0 outside
    the input. Depthwise filters: a thread computes up to 16 bytes of adjacent channels of a pixel. All others, and
    transposed convolutions: a thread per element. Left alone: operands that are tensors.
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
    Before: a bufferized kernel. After: neither linalg nor `scf.forall`; everything that accesses memory at the top
    level, except loads, is in a `gpu.launch` with a constant block size. In elementwise operations a thread computes
    one result, or 16 bytes of them if operands, and rows that the body loads, are contiguous and 16-byte aligned. If an
    operand is contiguous along another dimension, tiles go through shared memory. Reductions along contiguous memory,
    and those with few results, use a team of threads per result: up to 256 elements a warp or part of one, with several
    in a block, otherwise a block. Other reductions use one thread. Few results of many elements each are computed in
    parts, which a second launch merges, always in the same order. The best element and its index are reduced like sums.
    Consecutive operations that share parallel dimensions (softmax, normalisation) and reduce all others run in one
    launch with a team per row; small temporaries of a row are in shared memory. An iteration of `scf.forall` is one
    thread; if it contains whole loops and nothing else writes to memory, or a nested `scf.forall`, it is a block, whose
    threads divide each of them and synchronize at its end. What a block allocates (`memref.alloca`) is shared.
  }];
}

def OutlineLaunchesPass : Pass<"hone-outline-launches", "::mlir::ModuleOp"> {
  let summary = "outline the launches of kernels to device functions";
  let description = [{
    Before: functions with `hone.kernel` whose `gpu.launch`es are at the top level. After: for a kernel `k` a
    `gpu.module @k_gpu` with a `gpu.func @k_step<N>` for each launch, and `gpu.launch_func` in their place. Parameters:
    of each buffer a pointer and its dynamic sizes (i64), then indices (i64). Constants, views, other scalars, and
    values computed from loads move into the function. With checks there is an additional parameter, the address of the
    error cell, with the attribute `hone.error_cell`; `gpu.launch_func` passes null, for `hone-lower-launch-stub` to
    replace. The first check that fails stores status, node, value and limit.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::gpu::GPUDialect", "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect", "::mlir::LLVM::LLVMDialect"];
}

def LowerLaunchStubPass : Pass<"hone-lower-launch-stub", "::mlir::ModuleOp"> {
  let summary = "give the host part of kernels their C signature";
  let description = [{
    Before: functions with `hone.kernel` over memrefs and indices, with `gpu.launch_func`. After: functions `(ptrs,
    dims, begin, end, context) -> i32`, in which each launch is a call of `hone_rt_launch`, until one fails. Temporaries
    are in memory from `hone_rt_device_scratch`.
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
  let summary = "convert device functions to the NVVM and LLVM dialects";
  let description = [{
    Before: `gpu.func` over gpu, nvgpu, arith, math, memref, scf and vector, with math functions expanded. After:
    `llvm.func` with `nvvm.kernel`, over llvm and nvvm only; no function is called.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::NVVM::NVVMDialect", "::mlir::cf::ControlFlowDialect"];
}

#endif // HONE_PASSES_GPU_PASSES
