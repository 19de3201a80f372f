// RUN: hone-opt %s --hone-fold-globals --split-input-file --verify-diagnostics | FileCheck %s

// CHECK-NOT: ml_program.global
// CHECK-LABEL: func.func @main
// CHECK:         %[[C:.+]] = arith.constant dense<2.000000e+00> : tensor<4xf32>
// CHECK:         return %[[C]]
ml_program.global private @scale(dense<2.0> : tensor<4xf32>) : tensor<4xf32>
ml_program.global private mutable @seed(dense<0> : tensor<i64>) : tensor<i64>
func.func @main() -> tensor<4xf32> {
  %0 = ml_program.global_load_const @scale : tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

ml_program.global private mutable @seed(dense<0> : tensor<i64>) : tensor<i64>
func.func @main() -> tensor<i64> {
  // expected-error @+1 {{cannot be compiled: its global can change, and a model keeps nothing from run to run: make it an input and an output}}
  %0 = ml_program.global_load @seed : tensor<i64>
  return %0 : tensor<i64>
}

// -----

ml_program.global private @external(#ml_program.extern<tensor<4xf32>>) : tensor<4xf32>
func.func @main() -> tensor<4xf32> {
  // expected-error @+1 {{cannot be compiled: the module has no value for its global}}
  %0 = ml_program.global_load_const @external : tensor<4xf32>
  return %0 : tensor<4xf32>
}
