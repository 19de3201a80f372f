// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Passes that make a module of upstream's dialects a model.
#ifndef HONE_COMPILER_IMPORT_MLIR_PASSES
#define HONE_COMPILER_IMPORT_MLIR_PASSES

include "mlir/Pass/PassBase.td"

def FoldGlobalsPass : Pass<"hone-fold-globals", "::mlir::ModuleOp"> {
  let summary = "replace globals that nothing changes by constants";
  let description = [{
    A load of an immutable `ml_program.global` becomes its value, and globals without uses are erased. A load of a mutable
    one is an error: a model keeps nothing from run to run.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

def RaiseToGraphPass : Pass<"hone-raise-to-graph", "::mlir::func::FuncOp"> {
  let summary = "express linalg, tensor, arith and scf on tensors in operations of the graph";
  let description = [{
    Rebuilds the function, operation by operation. An operation of linalg is taken for what its maps, its iterators and its
    body say, whether it is named or generic: `hone.matmul`, `hone.conv` or `hone.pool` with transposes and reshapes
    around it; `hone.map` if it has no reduction; `hone.map` and `hone.reduce` if it combines elements by a sum, product,
    maximum or minimum; else a `hone.map` with a loop in its body, and a missed remark. Movement of tensors becomes that of
    the graph. Elements of i1 become bytes, those of type index i64, and f16 and bf16 are computed in f32. Sizes that are
    not known to agree are compared at run time; so are divisors with zero, and indices of elements with sizes.

    Arguments without `hone.name` are called after their location, or arg0 and so on; free dimensions without a name in
    `hone.dims` are called after the argument and their axis. An operation that has no such form is an error that says why.
  }];
  let dependentDialects = ["::hone::graph::GraphDialect", "::mlir::arith::ArithDialect",
                           "::mlir::cf::ControlFlowDialect", "::mlir::math::MathDialect", "::mlir::scf::SCFDialect",
                           "::mlir::tensor::TensorDialect", "::mlir::ub::UBDialect"];
}

#endif // HONE_COMPILER_IMPORT_MLIR_PASSES
