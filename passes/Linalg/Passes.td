// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Passes of the linalg phase, on the tensors of one kernel.
#ifndef HONE_PASSES_LINALG_PASSES
#define HONE_PASSES_LINALG_PASSES

include "mlir/Pass/PassBase.td"

def FuseEpiloguesPass : Pass<"hone-fuse-epilogues", "::mlir::func::FuncOp"> {
  let summary = "turn contractions and windows, with the maps that follow them, into kernel operations";
  let description = [{
    Each `hone.matmul`, `hone.conv`, `hone.pool` and `hone.attention` becomes the `hone.kernel` operation of that name,
    in destination style, and `hone.conv_transpose` a transposed `hone.kernel.conv`. Except for attention, the region
    holds the bodies of the chain of `hone.map` on the result; a value of the chain that is needed elsewhere becomes
    another result. Left alone: maps of another shape, and maps whose body is more than scalar arithmetic.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::tensor::TensorDialect", "::hone::graph::GraphDialect"];
}

def ConvertToLinalgPass : Pass<"hone-convert-to-linalg", "::mlir::func::FuncOp"> {
  let summary = "turn hone operations of a kernel into linalg.generic";
  let description = [{
    Maps, reductions, transposes and gathers become `linalg.generic` on tensors; an arg_reduce becomes one with two
    results. A gather reads its input by `tensor.extract` at a checked index. Sums of f16 and bf16 are kept in f32. Left
    alone: operations that are views (reshape, slice), that write parts of their result (concat, pad, scatter) or whose
    loops depend on each other (cumulate, top_k), which are bufferized directly.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}

def FuseLoopsPass : Pass<"hone-fuse-loops", "::mlir::func::FuncOp"> {
  let summary = "fuse elementwise linalg.generic into its consumers, and reductions of one input";
  let description = [{
    Reductions of the same input along the same axes become one loop, unless one needs the other's result. A producer
    moves into its only user, reductions included. With several users it is recomputed if that is cheap; otherwise the
    first user, if it reads each element once, computes it and keeps the result for the others. Splat constants become
    scalars. Left alone: tensors that a region reads at computed indices.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}

#endif // HONE_PASSES_LINALG_PASSES
