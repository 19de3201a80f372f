// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Passes that take a bufferized kernel to LLVM.
#ifndef HONE_PASSES_CPU_PASSES
#define HONE_PASSES_CPU_PASSES

include "mlir/Pass/PassBase.td"

def VectorizeLoopsPass : Pass<"hone-vectorize-loops", "::mlir::func::FuncOp"> {
  let summary = "emit the loops of linalg.generic with vectors";
  let description = [{
    Before: a bufferized kernel. After: no linalg. Consecutive operations that share parallel dimensions (softmax,
    normalisation) run row by row in one `scf.forall`, and their temporaries shrink to a row; any other operation gets a
    `scf.forall` of its own, over all parallel dimensions but the one that becomes vectors. Operations inside loops get
    loops. Vectors are made along a dimension in which memory is contiguous; what does not change along it is computed
    before. Reductions carry several vectors and combine them at the end. Nests that read along one dimension and write
    along another go in square blocks that are transposed in registers. Elements that a body loads at places it computes
    are gathered where much is computed of them; where the places stay the same along a dimension, as samples of an image
    do for its channels, that is the innermost loop. Where a body chooses by comparisons of a coordinate, as pads do, there
    are vectors in the range where all of them hold.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
                           "::mlir::vector::VectorDialect"];
}

def LowerKernelAbiPass : Pass<"hone-lower-kernel-abi", "::mlir::ModuleOp"> {
  let summary = "give kernels their C signature";
  let description = [{
    Before: functions with `hone.kernel` over memrefs and indices, with top-level `scf.forall`. After: functions
    `(ptrs, dims, begin, end, context) -> i32`. Pointers and dynamic sizes are read from the tables; each `scf.forall`
    runs the part of its iterations that belongs to pieces [begin, end) of `hone.pieces`. If a loop reads what an earlier
    one wrote and there are several pieces, piece 0 runs everything. Small temporaries move to the stack, the others to the
    thread's scratch memory (`hone.scratch` holds their bytes, if known). Checks report to `hone_rt_fail`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
                           "::mlir::LLVM::LLVMDialect"];
}

def ExpandMathPass : Pass<"hone-expand-math", "::mlir::ModuleOp"> {
  let summary = "replace math functions by arithmetic where that is accurate";
  let description = [{
    exp, expm1, log, log1p, tanh, erf, asin and acos of f32 become polynomials, on scalars and vectors; f16 and bf16 go
    through f32. asin and acos are within 0.8 ulp, exp and erf within 1.2 and log within 2, the others are upstream's (tanh 4.2 ulp). Without fused
    multiply-add nothing stays fused. With vectors of 512 bits the exponential of such is scaled by `llvm.ldexp`, which is one instruction there.
    Maxima and minima that propagate NaN become comparisons, bf16 conversions integer arithmetic. Multiplications and
    additions may be contracted to fused ones. All else is left as it is.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::vector::VectorDialect",
                           "::mlir::LLVM::LLVMDialect"];
}

def ExpandRareMathPass : Pass<"hone-expand-rare-math", "::mlir::ModuleOp"> {
  let summary = "replace rare math functions, and divisions of integers, by arithmetic in f64";
  let description = [{
    The trigonometric and hyperbolic functions of f32 and their inverses that `hone-expand-math` leaves become arithmetic in
    f64, on scalars and vectors, rounded once. Left alone where the machine has
    no fused multiply-add, by which angles are reduced. The remainder
    of an angle from 2^26 on takes many steps: they stand in a branch that is taken where a vector has such. So do calls
    of libm for remainders of divisions whose quotients are larger than 29 bits. Functions of f64 stay.
    Vectors of integers are divided as floats of twice their width, exactly; those of 64 bits as f64, where all have at most
    51, else one by one. Constant divisors are left to LLVM.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::scf::SCFDialect",
                           "::mlir::vector::VectorDialect"];
}

def LowerKernelToLlvmPass : Pass<"hone-lower-kernel-to-llvm", "::mlir::ModuleOp"> {
  let summary = "convert what is left of a kernel to the LLVM dialect";
  let description = [{
    Before: functions with the kernel ABI over arith, math, memref, scf and vector. After: `llvm` only; a
    `gpu.module` is left alone. Horizontal reductions of floats may be reassociated.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::cf::ControlFlowDialect"];
}

#endif // HONE_PASSES_CPU_PASSES
