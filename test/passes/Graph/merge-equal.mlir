// RUN: hone-opt %s --pass-pipeline='builtin.module(func.func(hone-merge-equal))' | FileCheck %s

// CHECK-LABEL: func.func @maps(
// CHECK-SAME:    %[[X:.+]]: tensor<4xf32>)
// CHECK:         %[[TWO:.+]] = hone.map
// CHECK:         arith.constant 3.0
// CHECK:         %[[THREE:.+]] = hone.map
// CHECK-NOT:     hone.map
// CHECK:         return %[[TWO]], %[[THREE]], %[[TWO]]
func.func @maps(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %two = arith.constant 2.0 : f32
  %a = hone.map ins(%x : tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%e: f32):
    %r = arith.mulf %e, %two : f32
    hone.yield %r : f32
  }
  %three = arith.constant 3.0 : f32
  %b = hone.map ins(%x : tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%e: f32):
    %r = arith.mulf %e, %three : f32
    hone.yield %r : f32
  }
  %c = hone.map ins(%x : tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%e: f32):
    %r = arith.mulf %e, %two : f32
    hone.yield %r : f32
  }
  %unused = hone.reshape %c : tensor<4xf32> -> tensor<2x2xf32>
  return %a, %b, %c : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// Equal operations inside equal operations.
// CHECK-LABEL: func.func @nested(
// CHECK:         %[[A:.+]] = hone.map
// CHECK-COUNT-1: arith.mulf
// CHECK-NOT:     arith.mulf
// CHECK:         return %[[A]], %[[A]]
func.func @nested(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %a = hone.map ins(%x : tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%e: f32):
    %p = arith.mulf %e, %e : f32
    %q = arith.mulf %e, %e : f32
    %r = arith.addf %p, %q : f32
    hone.yield %r : f32
  }
  %b = hone.map ins(%x : tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%e: f32):
    %p = arith.mulf %e, %e : f32
    %q = arith.mulf %e, %e : f32
    %r = arith.addf %p, %q : f32
    hone.yield %r : f32
  }
  return %a, %b : tensor<4xf32>, tensor<4xf32>
}
