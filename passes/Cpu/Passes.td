// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Passes that lower a bufferized kernel to LLVM.
#ifndef HONE_PASSES_CPU_PASSES
#define HONE_PASSES_CPU_PASSES

include "mlir/Pass/PassBase.td"

def VectorizeLoopsPass : Pass<"hone-vectorize-loops", "::mlir::func::FuncOp"> {
  let summary = "emit the loops of linalg.generic with vectors";
  let description = [{
    Before: a bufferized kernel. After: no linalg. Consecutive operations that share parallel dimensions (softmax,
    normalisation) run row by row in one `scf.forall`, and their temporaries shrink to a row, or are kept where the
    result goes; any other operation gets its own `scf.forall`, over all parallel dimensions but the vectorized one.
    Operations inside loops get loops. Vectorization is along a dimension in which memory is contiguous; invariants
    along it are computed before.
    Reductions carry several vectors and combine them at the end. With vectors of 512 bits, which have masks, what is
    left of a row is one masked vector; otherwise it is narrower ones, then single elements. Nests that read along one
    dimension and write along another use square blocks that are transposed in registers. Elements that a body loads at
    computed indices are gathered if much is computed from them; a dimension along which the indices are invariant, like
    the channels of a sampled image, becomes the innermost loop. If a body selects by comparisons of a coordinate, as
    pads do, the range where all of them hold is vectorized.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
                           "::mlir::vector::VectorDialect"];
}

def LowerKernelAbiPass : Pass<"hone-lower-kernel-abi", "::mlir::ModuleOp"> {
  let summary = "give kernels their C signature";
  let description = [{
    Before: functions with `hone.kernel` over memrefs and indices, with top-level `scf.forall`. After: functions `(ptrs,
    dims, begin, end, context) -> i32`. Pointers and dynamic sizes are read from the tables; each `scf.forall` runs the
    iterations of pieces [begin, end) of `hone.pieces`. If a loop reads what an earlier one wrote and there are several
    pieces, piece 0 runs everything. Small temporaries move to the stack, the others to the thread's scratch memory
    (`hone.scratch` holds their bytes, if known). Checks report to `hone_rt_fail`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
                           "::mlir::LLVM::LLVMDialect"];
}

def ExpandLookupsPass : Pass<"hone-expand-lookups", "::mlir::ModuleOp"> {
  let summary = "replace lookups in tables of bytes by permutations or loads";
  let description = [{
    A `hone.lookup` of vectors permutes registers that hold the table: of bytes where the machine can permute those of
    two registers, otherwise, with vectors of 512 bits, of words of four. Scalars, and vectors on other machines, are
    loaded element by element from a table in memory.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect",
                           "::mlir::vector::VectorDialect", "::mlir::LLVM::LLVMDialect"];
}

def ClampBeforeRoundingPass : Pass<"hone-clamp-before-rounding", "::mlir::ModuleOp"> {
  let summary = "let the conversion to narrow integers round";
  let description = [{
    A number of f32 that is rounded to even, moved by an integer, clamped, and converted to an integer of at most 16 bits,
    with 0 in place of NaN, is clamped first, by one instruction for each bound, and rounded by its conversion to i32,
    where the integer is added. What is converted back starts from there. A quotient by a constant that is rounded so becomes a
    product with a reciprocal of twice the precision, with fused multiply-add, if that is found to round to the same
    integers. Results are the same. Left alone: bounds of which 0 is not between, and zero points that the run computes.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::LLVM::LLVMDialect"];
}

def ExpandMathPass : Pass<"hone-expand-math", "::mlir::ModuleOp"> {
  let summary = "replace math functions by arithmetic where that is accurate";
  let description = [{
    exp, expm1, log, log1p, tanh, erf, asin and acos of f32 become polynomials, on scalars and vectors; f16 and bf16 go
    through f32. asin and acos are within 0.8 ulp, exp and erf within 1.2 and log within 2, the others are upstream's
    (tanh 4.2 ulp). Without fused multiply-add nothing stays fused. The exponential of vectors of 512 bits is scaled by
    an instruction. Maxima and minima that propagate NaN become comparisons, those of a vector's lanes are made by
    halves, and bf16 conversions become integer arithmetic. Multiplications and additions may be contracted to fused
    ones. Everything else is left alone.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::vector::VectorDialect",
                           "::mlir::LLVM::LLVMDialect"];
}

def ExpandRareMathPass : Pass<"hone-expand-rare-math", "::mlir::ModuleOp"> {
  let summary = "replace rare math functions, and divisions of integers, by arithmetic in f64";
  let description = [{
    The powers, trigonometric and hyperbolic functions of f32 and their inverses that `hone-expand-math` leaves become
    arithmetic in f64, on scalars and vectors, rounded once. Left alone if the machine has no fused multiply-add, which
    the reduction of angles needs. The reduction of angles from 2^26 on takes many steps: they are in a branch that is
    taken if a vector contains such an angle. So are calls to libm for remainders of divisions whose quotients exceed 29
    bits. Functions of f64 stay. Integer vectors are divided as floats of twice their width, exactly; those of 64 bits
    as f64 if all have at most 51, otherwise one by one. Constant divisors are left to LLVM.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::scf::SCFDialect",
                           "::mlir::vector::VectorDialect"];
}

def EmulateInstructionsPass : Pass<"hone-emulate-instructions", "::mlir::ModuleOp"> {
  let summary = "replace instructions of a machine by what they do";
  let description = [{
    If the machine is emulated, intrinsics of x86 become arithmetic on vectors that every processor has, with the same
    results. Registers of matrices (AMX) are memory of the function, and what the processor would reject ends the program
    by a trap: an operation before its registers are configured or after they are released, a wrong configuration, and
    shapes that do not match. An intrinsic that is not known is an error.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
                           "::mlir::vector::VectorDialect", "::mlir::LLVM::LLVMDialect"];
}

def LowerKernelToLlvmPass : Pass<"hone-lower-kernel-to-llvm", "::mlir::ModuleOp"> {
  let summary = "convert the rest of a kernel to the LLVM dialect";
  let description = [{
    Before: functions with the kernel ABI over arith, math, memref, scf and vector. After: `llvm` only; a
    `gpu.module` is left alone. Horizontal reductions of floats may be reassociated.
  }];
  // Functions of vectors become calls of libm for each element.
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::cf::ControlFlowDialect", "::mlir::vector::VectorDialect"];
}

#endif // HONE_PASSES_CPU_PASSES
