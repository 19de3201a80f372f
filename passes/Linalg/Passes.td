// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Passes of the linalg phase, on the tensors of one kernel.
#ifndef HONE_PASSES_LINALG_PASSES
#define HONE_PASSES_LINALG_PASSES

include "mlir/Pass/PassBase.td"

def FuseEpiloguesPass : Pass<"hone-fuse-epilogues", "::mlir::func::FuncOp"> {
  let summary = "turn contractions and windows, with the maps that follow, into destination style";
  let description = [{
    Each `hone.matmul`, `hone.conv`, `hone.conv_transpose`, `hone.pool` and `hone.attention` becomes the `hone.kernel`
    operation of that name. Of all but attention, its region holds the bodies of the chain of `hone.map` on its result;
    a value of the chain that is needed elsewhere is a further result. Left as they are: maps of another shape, and maps
    whose body is more than arithmetic on scalars.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::tensor::TensorDialect", "::hone::graph::GraphDialect"];
}

def ConvertToLinalgPass : Pass<"hone-convert-to-linalg", "::mlir::func::FuncOp"> {
  let summary = "turn hone operations of a kernel into linalg.generic";
  let description = [{
    Maps, reductions, transposes and gathers become `linalg.generic` on tensors; an arg_reduce one with two results. A
    gather reads its input by `tensor.extract` at a checked index. Sums of f16 and bf16 are kept in f32. Left alone:
    operations that are views (reshape, slice), that write parts of their result (concat, pad, scatter) or whose loops
    depend on each other (cumulate, top_k), which the bufferization of kernels takes as they are.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}

def FuseLoopsPass : Pass<"hone-fuse-loops", "::mlir::func::FuncOp"> {
  let summary = "fuse elementwise linalg.generic into what reads it";
  let description = [{
    A producer moves into its only user, reductions included. With several users it is computed again where that is
    cheap; else the first user, if it takes each element once, computes it and keeps the result for the others. Operands
    that are constants of one value become scalars. Left alone: what a region reads at computed places.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}

#endif // HONE_PASSES_LINALG_PASSES
