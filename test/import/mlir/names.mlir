// RUN: hone-opt %s --split-input-file --hone-raise-to-graph --verify-diagnostics | FileCheck %s

// A name that is given stays with its argument.
// CHECK-LABEL: func.func @main
// CHECK-SAME:    %{{.+}}: tensor<4xf32> {hone.dims = [4], hone.name = "arg0_"}
// CHECK-SAME:    %{{.+}}: tensor<4xf32> {hone.dims = [4], hone.name = "arg0"}
// CHECK-SAME:    hone.name = "result1"
// CHECK-SAME:    hone.name = "result1_"
func.func @main(%arg0: tensor<4xf32>, %arg1: tensor<4xf32> {hone.name = "arg0"}) -> (tensor<4xf32> {hone.name = "result1"}, tensor<4xf32>) {
  return %arg0, %arg1 : tensor<4xf32>, tensor<4xf32>
}

// -----

// expected-error@+1 {{two arguments are named 'x': give one another hone.name}}
func.func @main(%arg0: tensor<4xf32> {hone.name = "x"}, %arg1: tensor<4xf32> {hone.name = "x"}) -> tensor<4xf32> {
  return %arg0 : tensor<4xf32>
}

// -----

// expected-error@+1 {{argument 0 has a name that is empty or has a zero byte: give it another hone.name}}
func.func @main(%arg0: tensor<4xf32> {hone.name = "a\00b"}) -> tensor<4xf32> {
  return %arg0 : tensor<4xf32>
}
