// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Passes of the tile phase, on the tensors of one kernel.
#ifndef HONE_PASSES_TILE_PASSES
#define HONE_PASSES_TILE_PASSES

include "mlir/Pass/PassBase.td"

def FuseEpiloguesPass : Pass<"hone-fuse-epilogues", "::mlir::func::FuncOp"> {
  let summary = "turn contractions and windows, with the maps that follow, into destination style";
  let description = [{
    Each `hone.matmul`, `hone.conv`, `hone.conv_transpose` and `hone.pool` becomes `hone.contract`, `hone.conv_window` or
    `hone.pool_window`, whose region holds the bodies of the chain of `hone.map` on its result. A value of the chain that
    is needed elsewhere is a further result. `hone.attention` becomes `hone.attend`. Left as they are: maps of another shape, and maps whose body is more than
    arithmetic on scalars.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::tensor::TensorDialect", "::hone::graph::GraphDialect"];
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

#endif // HONE_PASSES_TILE_PASSES
