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
    along another go in square blocks that are transposed in registers.
  }];
  let options = [Option<"vectorBits", "vector-bits", "int64_t", "256", "width of a vector register: 128, 256 or 512">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
                           "::mlir::vector::VectorDialect"];
}

#endif // HONE_PASSES_CPU_PASSES
