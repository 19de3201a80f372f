// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(hone-convert-to-linalg,hone-fuse-loops,cse))' | FileCheck %s

// A producer moves into its only user, also into a reduction.
// CHECK-LABEL: func.func @into_reduction(
// CHECK-SAME:    %[[X:.+]]: tensor<4x8xf32>)
// CHECK:         linalg.generic {{.*}} ins(%[[X]] : tensor<4x8xf32>)
// CHECK:           math.exp
// CHECK:           arith.addf
// CHECK-NOT:     linalg.generic
func.func @into_reduction(%x: tensor<4x8xf32>) -> tensor<4xf32> {
  %e = hone.map ins(%x : tensor<4x8xf32>) -> tensor<4x8xf32> {
  ^bb0(%a: f32):
    %s = math.exp %a : f32
    hone.yield %s : f32
  }
  %r = hone.reduce sum %e axes [1] : tensor<4x8xf32> -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// -----

// A costly producer with several users is kept by the first one.
// CHECK-LABEL: func.func @kept_by_first_user(
// CHECK:         %[[BOTH:.+]]:2 = linalg.generic
// CHECK:           math.exp
// CHECK:         linalg.generic {{.*}} ins(%[[BOTH]]#{{[01]}}, %[[BOTH]]#{{[01]}}
// CHECK-NOT:       math.exp
func.func @kept_by_first_user(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %e = hone.map ins(%x : tensor<4x8xf32>) -> tensor<4x8xf32> {
  ^bb0(%a: f32):
    %s = math.exp %a : f32
    hone.yield %s : f32
  }
  %t = hone.reduce sum %e axes [1] keepdims : tensor<4x8xf32> -> tensor<4x1xf32>
  %r = hone.map ins(%e, %t : tensor<4x8xf32>, tensor<4x1xf32>) -> tensor<4x8xf32> {
  ^bb0(%a: f32, %b: f32):
    %s = arith.divf %a, %b : f32
    hone.yield %s : f32
  }
  return %r : tensor<4x8xf32>
}

// -----

// A transpose is a permuted read.
// CHECK: #[[PERMUTED:.+]] = affine_map<(d0, d1) -> (d1, d0)>
// CHECK-LABEL: func.func @transpose(
// CHECK:         linalg.generic {indexing_maps = [#[[PERMUTED]]
// CHECK-NOT:     linalg.generic
func.func @transpose(%x: tensor<4x8xf32>) -> tensor<8x4xf32> {
  %t = hone.transpose %x [1, 0] : tensor<4x8xf32> -> tensor<8x4xf32>
  %r = hone.map ins(%t : tensor<8x4xf32>) -> tensor<8x4xf32> {
  ^bb0(%a: f32):
    %s = arith.negf %a : f32
    hone.yield %s : f32
  }
  return %r : tensor<8x4xf32>
}

// -----

// A region reads the producer at computed indices: it must be in memory.
// CHECK-LABEL: func.func @captured(
// CHECK-COUNT-2: linalg.generic
func.func @captured(%x: tensor<8xf32>, %i: tensor<4xi64>) -> tensor<4xf32> {
  %e = hone.map ins(%x : tensor<8xf32>) -> tensor<8xf32> {
  ^bb0(%a: f32):
    %s = arith.negf %a : f32
    hone.yield %s : f32
  }
  %r = hone.gather %e[%i] axis 0 : tensor<8xf32>, tensor<4xi64> -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// -----

// Reductions of one input are one loop.
// CHECK-LABEL: func.func @siblings(
// CHECK-SAME:    %[[X:.+]]: tensor<4x8xf32>)
// CHECK:         %[[BOTH:.+]]:2 = linalg.generic {{.*}} iterator_types = ["reduction", "reduction"]} ins(%[[X]] : tensor<4x8xf32>)
// CHECK:           arith.minimumf
// CHECK:           arith.maximumf
// CHECK:           linalg.yield %{{.+}}, %{{.+}} : f32, f32
// CHECK-NOT:     linalg.generic
// CHECK:         return %[[BOTH]]#0, %[[BOTH]]#1
func.func @siblings(%x: tensor<4x8xf32>) -> (tensor<f32>, tensor<1x1xf32>) {
  %a = hone.reduce min %x axes [0, 1] : tensor<4x8xf32> -> tensor<f32>
  %b = hone.reduce max %x axes [0, 1] keepdims : tensor<4x8xf32> -> tensor<1x1xf32>
  return %a, %b : tensor<f32>, tensor<1x1xf32>
}

// -----

// So is the formula before them; but not what reduces along other axes, or needs the other's result.
// CHECK-LABEL: func.func @formula_of_siblings(
// CHECK:         %[[BOTH:.+]]:2 = linalg.generic {{.*}} iterator_types = ["parallel", "reduction"]}
// CHECK:           math.exp
// CHECK-NOT:       math.exp
// CHECK:         linalg.generic {{.*}} iterator_types = ["reduction", "parallel"]}
// CHECK:         linalg.generic {{.*}} iterator_types = ["parallel", "reduction"]} ins(%{{.+}}, %[[BOTH]]#0
func.func @formula_of_siblings(%x: tensor<4x8xf32>) -> (tensor<4x1xf32>, tensor<4x1xf32>, tensor<8xf32>, tensor<4x1xf32>) {
  %e = hone.map ins(%x : tensor<4x8xf32>) -> tensor<4x8xf32> {
  ^bb0(%a: f32):
    %s = math.exp %a : f32
    hone.yield %s : f32
  }
  %a = hone.reduce sum %e axes [1] keepdims : tensor<4x8xf32> -> tensor<4x1xf32>
  %b = hone.reduce max %e axes [1] keepdims : tensor<4x8xf32> -> tensor<4x1xf32>
  %c = hone.reduce sum %x axes [0] : tensor<4x8xf32> -> tensor<8xf32>
  %n = hone.map ins(%x, %a : tensor<4x8xf32>, tensor<4x1xf32>) -> tensor<4x8xf32> {
  ^bb0(%u: f32, %v: f32):
    %s = arith.divf %u, %v : f32
    hone.yield %s : f32
  }
  %d = hone.reduce sum %n axes [1] keepdims : tensor<4x8xf32> -> tensor<4x1xf32>
  return %a, %b, %c, %d : tensor<4x1xf32>, tensor<4x1xf32>, tensor<8xf32>, tensor<4x1xf32>
}
