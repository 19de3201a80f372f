// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Conversions between dialects, on tensors.
#ifndef HONE_PASSES_CONVERT_PASSES
#define HONE_PASSES_CONVERT_PASSES

include "mlir/Pass/PassBase.td"

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

#endif // HONE_PASSES_CONVERT_PASSES
