// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Passes that allocate the host function's memory.
#ifndef HONE_PASSES_BUFFER_PASSES
#define HONE_PASSES_BUFFER_PASSES

include "mlir/Pass/PassBase.td"

def BufferizeHostPass : Pass<"hone-bufferize-host", "::mlir::ModuleOp"> {
  let summary = "turn the host function's tensors into buffers";
  let description = [{
    Before: `@main` over tensors, with kernel calls, constants, reshapes, library calls, `scf` and scalar arithmetic.
    After: `@hone_run` without arguments, over contiguous memrefs. One sweep, no analysis of conflicts: every computed
    tensor has its own buffer. If its size follows from the free dimensions that is a slot of the arena, or the caller's
    output buffer; otherwise a block of the session. Reshapes are views. A tensor carried by a loop has one slot; the
    end of an iteration assigns all of them at once. If its shape varies it is a block that one iteration passes to the
    next (README.md).
  }];
  let dependentDialects = ["::hone::rt::RtDialect", "::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect"];
}

def CheckSizesPass : Pass<"hone-check-sizes", "::mlir::ModuleOp"> {
  let summary = "check every computed shape before it is used";
  let description = [{
    Before: `@hone_run` over buffers, with sizes that may come from anywhere. After: a `hone_rt.check_dims` precedes
    each slot, block, output and view of a shape that was not checked before, and blocks know their nodes. If the
    computation of a size may wrap around, or multiplies two negative numbers, a condition records it, and the check
    uses it, as do the `hone_rt.check`s of conditions over such sizes; the numbers themselves stay, as they may be data.
    A divisor that would trap becomes 1, and its quotient counts as wrapped. Arithmetic that a `select` discards does
    not count.
  }];
  let dependentDialects = ["::hone::rt::RtDialect", "::mlir::arith::ArithDialect"];
}

def PlaceBuffersPass : Pass<"hone-place-buffers", "::mlir::ModuleOp"> {
  let summary = "choose for each kernel and buffer between host and device, and copy what both need";
  let description = [{
    Before: `@hone_run` over buffers of the host; kernels that the device could run have `hone.device`. After: the
    attribute stays on kernels that do run there: those whose buffers all have sizes that follow from the free
    dimensions, except shape arithmetic that only the host reads. Buffers that such kernels access have the memory space
    `#hone_rt.device`. Those that the host reads are copied to a slot of their own right after they are written; those
    that the host writes are copied the other way. Inputs and constants are available in both places. Operands on the
    device begin at multiples of 16 bytes.
  }];
  let dependentDialects = ["::hone::rt::RtDialect"];
}

def ReuseBuffersPass : Pass<"hone-reuse-buffers", "::mlir::func::FuncOp"> {
  let summary = "let kernels write to memory that their call frees, without a copy";
  let description = [{
    If a kernel marks an operand with `hone.in_place`, the operand's slot is not needed after the call, and sizes are
    equal, the result takes the operand's memory. If the result is an output of the model, the operand moves there. A
    result that is only copied to the slot of a value that a loop carries, or on the host into a part of a tensor, is
    computed there, if nothing from the kernel to the copy accesses that memory.
  }];
}

def PlanArenaPass : Pass<"hone-plan-arena", "::mlir::ModuleOp"> {
  let summary = "number the slots of the arena, find their lifetimes, and plan";
  let description = [{
    Writes `hone.slots` (first and last step, bytes, offset) and `hone.arena` on the module, and builds `@hone_prepare`,
    which computes the sizes of slots and outputs from the free dimensions, each size once. Static models get their
    offsets here, others from the same planner at run time.
  }];
  let dependentDialects = ["::hone::rt::RtDialect", "::mlir::arith::ArithDialect"];
}

def ListStepsPass : Pass<"hone-list-steps", "::mlir::ModuleOp"> {
  let summary = "number the steps of a run, with the nodes they originate from";
  let description = [{
    Gives each `hone_rt.dispatch`, `hone_rt.library` and `hone_rt.copy` of `@hone_run` its `step`, and lists them in
    `hone.steps`; `hone.nodes` gets their nodes. Left alone: copies of a few bytes on the host.
  }];
}

def BufferizeKernelsPass : Pass<"hone-bufferize-kernels", "::mlir::ModuleOp"> {
  let summary = "turn the tensors of kernels into buffers";
  let description = [{
    Before: functions with `hone.kernel` over tensors: `linalg.generic`, destination style operations, and the hone
    operations that `hone-convert-to-linalg` leaves alone. After: functions over contiguous memrefs, with results as
    arguments after the tensor arguments; temporaries are `memref.alloc`, reshapes and slices are views, and so is a
    result that a convolution writes transposed, by `memref.transpose`; concat, pad, scatter, cumulate and top_k are
    loops inside `scf.forall`. No value of a kernel is overwritten while it is needed, so each has its own buffer and no
    analysis is needed. With `teams` an iteration of `scf.forall` may be executed by many threads: they share what it
    allocates, divide each `scf.forall` inside it, and synchronize at its end. Then top_k sorts in such memory, cumulate
    scans in it, and scatter gives each team a part of the result that only it writes; pad has an iteration per element.
  }];
  let options = [Option<"teams", "teams", "bool", "false", "an iteration may be executed by a team of threads">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
                           "::mlir::vector::VectorDialect"];
}

#endif // HONE_PASSES_BUFFER_PASSES
