// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(hone-convert-to-linalg),hone-bufferize-kernels,func.func(hone-vectorize-loops{vector-bits=256},canonicalize,cse))' | FileCheck %s

// Contiguous elements go eight at a time, in one parallel loop.
// CHECK-LABEL: func.func private @elementwise(
// CHECK-NOT:     linalg
// CHECK:         scf.forall
// CHECK:           vector.load {{.*}} vector<8xf32>
// CHECK:           arith.addf {{.*}} : vector<8xf32>
// CHECK:           vector.store {{.*}} vector<8xf32>
func.func private @elementwise(%x: tensor<64x64xf32>, %y: tensor<64xf32>) -> tensor<64x64xf32> attributes {hone.kernel} {
  %r = hone.map ins(%x, %y : tensor<64x64xf32>, tensor<64xf32>) -> tensor<64x64xf32> {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    hone.yield %s : f32
  }
  return %r : tensor<64x64xf32>
}

// -----

// A sum along rows carries vectors and combines them at the end.
// CHECK-LABEL: func.func private @row_sums(
// CHECK:         scf.forall
// CHECK:           scf.for {{.*}} iter_args({{.*}}vector<8xf32>
// CHECK:           vector.reduction <add>
func.func private @row_sums(%x: tensor<16x256xf32>) -> tensor<16xf32> attributes {hone.kernel} {
  %r = hone.reduce sum %x axes [1] : tensor<16x256xf32> -> tensor<16xf32>
  return %r : tensor<16xf32>
}
