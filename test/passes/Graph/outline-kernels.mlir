// RUN: hone-opt %s --split-input-file --mlir-print-local-scope --hone-outline-kernels | FileCheck %s

// Equal kernels are one; a size used in a kernel is an argument, a small constant is not.
// CHECK-LABEL: func.func @merged
// CHECK-SAME:    %[[X:.+]]: tensor<?x8xf32>, %[[W:.+]]: tensor<8x8xf32>)
// CHECK:         %[[N:.+]] = hone.dim "n"
// CHECK:         %[[A:.+]] = hone_rt.call @[[MATMUL:k0_matmul]](%[[X]], %[[W]]) args(%[[N]]) dims(%[[N]])
// CHECK:         %[[B:.+]] = hone_rt.call @[[MAP:k1_map]](%[[A]]) args(%[[N]]) dims(%[[N]])
// CHECK:         hone_rt.call @[[MATMUL]](%[[B]], %[[W]])
// CHECK:       func.func private @[[MATMUL]]
// CHECK-SAME:    attributes {hone.kernel, hone.pieces = 1 : i64}
// CHECK:       func.func private @[[MAP]](%{{.+}}: tensor<?x8xf32> {hone.in_place = 0 : i64}, %{{.+}}: index)
// CHECK:         hone.constant dense<2.000000e+00>
// CHECK-NOT:   func.func
func.func @merged(%x: tensor<?x8xf32>, %w: tensor<8x8xf32>) -> tensor<?x8xf32> {
  %n = hone.dim "n"
  %two = hone.constant dense<2.0> : tensor<f32>
  %0 = hone.matmul %x, %w dims(%n) : tensor<?x8xf32>, tensor<8x8xf32> -> tensor<?x8xf32>
  %1 = hone.map ins(%0, %two : tensor<?x8xf32>, tensor<f32>) dims(%n) -> tensor<?x8xf32> {
  ^bb0(%a: f32, %b: f32):
    %s = arith.mulf %a, %b : f32
    hone.yield %s : f32
  }
  %2 = hone.matmul %1, %w dims(%n) : tensor<?x8xf32>, tensor<8x8xf32> -> tensor<?x8xf32>
  return %2 : tensor<?x8xf32>
}

// -----

// Operations of one group share a kernel, at the place of the last; what reads a result earlier moves behind it.
// CHECK-LABEL: func.func @group
// CHECK:         %[[R:.+]]:2 = hone_rt.call @k0_reduce_map(
// CHECK:         %[[V:.+]] = hone.reshape %[[R]]#0
// CHECK:         return %[[V]], %[[R]]#1
// CHECK:       func.func private @k0_reduce_map
// CHECK-NOT:     hone.group
func.func @group(%x: tensor<4x8xf32>) -> (tensor<4xf32>, tensor<4x8xf32>) {
  %0 = hone.reduce max %x axes [1] keepdims {hone.group = 3 : i64} : tensor<4x8xf32> -> tensor<4x1xf32>
  %v = hone.reshape %0 : tensor<4x1xf32> -> tensor<4xf32>
  %1 = hone.map ins(%x, %0 : tensor<4x8xf32>, tensor<4x1xf32>) -> tensor<4x8xf32> attributes {hone.group = 3 : i64} {
  ^bb0(%a: f32, %b: f32):
    %s = arith.subf %a, %b : f32
    hone.yield %s : f32
  }
  return %v, %1 : tensor<4xf32>, tensor<4x8xf32>
}

// -----

// Captured tensors and scalars become arguments, scalars as index; errors keep kernels of different nodes apart.
// CHECK-LABEL: module attributes {hone.nodes = [loc("first"), loc("second")]}
// CHECK:       func.func @captured
// CHECK-SAME:    %[[X:.+]]: tensor<4xf32>, %[[I:.+]]: tensor<6xi64>, %[[S:.+]]: f32)
// CHECK:         %[[BITS:.+]] = arith.bitcast %[[S]] : f32 to i32
// CHECK:         %[[ARG:.+]] = arith.index_cast %[[BITS]] : i32 to index
// CHECK:         hone_rt.call @k0_map(%[[I]], %[[X]]) args(%[[ARG]])
// CHECK:         hone_rt.call @k1_map(
// CHECK:       func.func private @k0_map(%{{.+}}: tensor<6xi64>, %{{.+}}: tensor<4xf32>, %[[A:.+]]: index)
// CHECK-SAME:    hone.node = 0 : i32
// CHECK:         arith.index_cast %[[A]] : index to i32
// CHECK:       func.func private @k1_map
// CHECK-SAME:    hone.node = 1 : i32
func.func @captured(%x: tensor<4xf32>, %i: tensor<6xi64>, %s: f32) -> (tensor<6xf32>, tensor<6xf32>) {
  %four = arith.constant 4 : index
  %0 = hone.map ins(%i : tensor<6xi64>) -> tensor<6xf32> {
  ^bb0(%a: i64):
    %p = arith.index_cast %a : i64 to index
    %q = hone.checked_index %p of %four wrap
    %v = tensor.extract %x[%q] : tensor<4xf32>
    %m = arith.mulf %v, %s : f32
    hone.yield %m : f32
  } loc("first")
  %1 = hone.map ins(%i : tensor<6xi64>) -> tensor<6xf32> {
  ^bb0(%a: i64):
    %p = arith.index_cast %a : i64 to index
    %q = hone.checked_index %p of %four wrap
    %v = tensor.extract %x[%q] : tensor<4xf32>
    %m = arith.mulf %v, %s : f32
    hone.yield %m : f32
  } loc("second")
  return %0, %1 : tensor<6xf32>, tensor<6xf32>
}

// -----

// Kernels are cut out of loops and branches too; large products are cut into pieces.
// CHECK-LABEL: func.func @nested
// CHECK:         scf.for
// CHECK:           hone_rt.call @k0_matmul
// CHECK:       hone.pieces = 64 : i64
func.func @nested(%x: tensor<512x512xf32>, %n: index) -> tensor<512x512xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x) -> tensor<512x512xf32> {
    %0 = hone.matmul %a, %x : tensor<512x512xf32>, tensor<512x512xf32> -> tensor<512x512xf32>
    scf.yield %0 : tensor<512x512xf32>
  }
  return %r : tensor<512x512xf32>
}

// -----

// Scores are as many as keys, also where these are not the last dimension but one: 2 x 32 of 128 rows, for 128 keys.
// CHECK-LABEL: func.func @attention_by_row
// CHECK:       func.func private @k0_attention
// CHECK-SAME:    hone.pieces = 32 : i64
func.func @attention_by_row(%q: tensor<1x128x2x32xf32>, %k: tensor<1x128x2x32xf32>, %v: tensor<1x128x2x32xf32>) -> tensor<1x128x2x32xf32> {
  %0 = hone.attention %q, %k, %v query_by_row key_by_row value_by_row result_by_row : tensor<1x128x2x32xf32>, tensor<1x128x2x32xf32>, tensor<1x128x2x32xf32> -> tensor<1x128x2x32xf32> {
  ^bb0(%p: f32, %row: index, %column: index):
    hone.yield %p : f32
  }
  return %0 : tensor<1x128x2x32xf32>
}
