// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(hone-gpu-lower-pooling,canonicalize,cse))' | FileCheck %s

// A thread for each element; the window is clamped to the input.
// CHECK-LABEL: func.func @max(
// CHECK:         gpu.launch
// CHECK:         scf.if
// CHECK:           arith.maxsi
// CHECK:           scf.for
// CHECK:             scf.for
// CHECK:               arith.maximumf
// CHECK:           memref.store
func.func @max(%a: memref<?x56x56x64xf32>, %out: memref<?x28x28x64xf32>) {
  hone.kernel.pool max ins(%a : memref<?x56x56x64xf32>) maps [] outs(%out : memref<?x28x28x64xf32>) kernel [3, 3]
      strides [2, 2] dilations [1, 1] pads [1, 1, 1, 1] channels_last {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// The position of the maximum is a second result.
// CHECK-LABEL: func.func @indices(
// CHECK:         gpu.launch
// CHECK:         %[[R:.+]]:2 = scf.for {{.*}} -> (f32, index)
// CHECK:         %[[AT:.+]] = arith.index_cast %[[R]]#1
// CHECK-DAG:     memref.store %[[R]]#0
// CHECK-DAG:     memref.store %[[AT]]
func.func @indices(%a: memref<1x2x8x8xf32>, %out: memref<1x2x4x4xf32>, %at: memref<1x2x4x4xi64>) {
  hone.kernel.pool max ins(%a : memref<1x2x8x8xf32>) maps [] outs(%out, %at : memref<1x2x4x4xf32>, memref<1x2x4x4xi64>)
      kernel [2, 2] strides [2, 2] dilations [1, 1] pads [0, 0, 0, 0] indices {
  ^bb0(%acc: f32, %i: i64):
    hone.kernel.yield %acc, %i : f32, i64
  }
  return
}
