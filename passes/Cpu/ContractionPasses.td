// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Passes that turn contractions and windows into register kernels.
#ifndef HONE_PASSES_CPU_CONTRACTIONPASSES
#define HONE_PASSES_CPU_CONTRACTIONPASSES

include "mlir/Pass/PassBase.td"

class KernelEmitterPass<string flag> : Pass<flag, "::mlir::func::FuncOp"> {
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::LLVM::LLVMDialect", "::mlir::math::MathDialect",
                           "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect"];
}

def ApplyTuningPass : Pass<"hone-apply-tuning", "::mlir::func::FuncOp"> {
  let summary = "take the schedules that were measured for a kernel";
  let description = [{
    Before: kernels at the end of the linalg phase. One with `hone.tuning` is looked up there by what it computes: the
    entry for its machine has a schedule for each of its products, convolutions with panels and attentions. Left alone:
    kernels without an entry, or with a schedule that the machine does not support.
  }];
}

def ScheduleKernelsPass : Pass<"hone-schedule-kernels", "::mlir::func::FuncOp"> {
  let summary = "choose tiles and blocks of each product, convolution and attention";
  let description = [{
    Gives each `hone.kernel.matmul`, `hone.kernel.attention` and `hone.kernel.conv` with panels a `#hone.schedule`, from
    its type and `hone_machine.cpu`: the register tile that takes the fewest cycles, blocks that fit in the L2 cache and
    are enough for the threads, chunks of K and copies of the right-hand side where the caches need them. An existing
    schedule is kept.
  }];
}

def NameArithmeticPass : Pass<"hone-name-arithmetic", "::mlir::func::FuncOp"> {
  let summary = "say what a kernel computes with";
  let description = [{
    Before: schedules are chosen. The function gets `hone.arithmetic`, a text for those who ask a library about its kernels:
    how each product or convolution is multiplied, by the name of its microkernel, with the types of its operands and sums;
    without any, the types of other arithmetic. "" if nothing is computed. `hone.schedules` keeps the schedules of its
    operations, which are gone once those are lowered.
  }];
}

def LowerContractionsPass : KernelEmitterPass<"hone-lower-contractions"> {
  let summary = "emit the loop nest of each hone.kernel.matmul";
  let description = [{
    Before: bufferized functions. Each `hone.kernel.matmul` becomes one flat `scf.forall` over blocks of rows and tiles
    of columns. Inside, a loop along K carries the accumulators of a register tile as one vector each; the epilogue runs
    on them before they are stored. No padded copies: remaining rows get smaller tiles, remaining columns are masked
    when stored. Left alone: operands that are tensors.
  }];
}

def LowerAttentionPass : KernelEmitterPass<"hone-lower-attention"> {
  let summary = "emit the loop nest of each hone.kernel.attention";
  let description = [{
    Before: bufferized functions. Each `hone.kernel.attention` becomes one flat `scf.forall` over the batch and blocks
    of rows. A block processes up to 512 keys at a time: register tiles compute a strip of scores, with the epilogue;
    rows of the strip are exponentiated, and register tiles accumulate the values. With more keys, sums are rescaled
    when the maximum of a row grows. Left alone: operands that are tensors.
  }];
}

def LowerConvolutionsPass : KernelEmitterPass<"hone-lower-convolutions"> {
  let summary = "emit the loop nest of each hone.kernel.conv";
  let description = [{
    Before: bufferized functions. Filters in panels give register tiles of output pixels along the last spatial
    dimension x 16 channels; border pixels have separate tiles that omit the kernel columns outside, and rows clamp the
    range of kernel rows. A kernel of one element with stride 1 is a matrix product. Depthwise filters become vectors of
    channels. All others, and transposed convolutions, are plain loops; with channels first and a last stride of 1 or 2
    these have vectors of outputs, with masks where windows leave the input. Left alone: operands that are tensors.
  }];
}

def LowerPoolingPass : KernelEmitterPass<"hone-lower-pooling"> {
  let summary = "emit the loop nest of each hone.kernel.pool";
  let description = [{
    Before: bufferized functions. With channels last, vectors of channels; with channels first and a last stride of 1 or
    2, vectors of outputs, with masks where windows leave the input; otherwise plain loops. Large windows reduce each
    row along the other dimensions first. No element is read outside the input. Left alone: operands that are tensors.
  }];
}

#endif // HONE_PASSES_CPU_CONTRACTIONPASSES
