// RUN: hone-opt %s --split-input-file --mlir-print-local-scope --hone-list-steps | FileCheck %s

// Launches, library calls and copies are numbered in place, also inside a loop; the nodes of all of them are listed
// once. A copy of a few bytes is not a step.
// CHECK:       hone.nodes = [loc("old"("Add")), loc("a"("Conv")), loc("b"("Relu")), loc("n"("NonZero"))]
// CHECK-SAME:  hone.steps = {{\[\[}}@k0, array<i64: 1, 2>], ["nonzero", array<i64: 3>], [unit, array<i64>], [@k0, array<i64: 0>]]
// CHECK:       hone_rt.dispatch @k0 {{.*}} step 0
// CHECK:       hone_rt.library "nonzero"({{.+}}) node 0 step 1
// CHECK:       hone_rt.copy %{{.+}} to %{{.+}} step 2 : memref<1000xf32>
// CHECK:       hone_rt.copy %{{.+}} to %{{.+}} : memref<4xf32>
// CHECK:       scf.for
// CHECK:         hone_rt.dispatch @k0 {{.*}} step 3
module attributes {hone.nodes = [loc("old"("Add"))]} {
  func.func private @k0(tensor<1000xf32>) -> tensor<1000xf32> attributes {hone.kernel}
  func.func @hone_run() {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c4 = arith.constant 4 : index
    %x = hone_rt.input 0 : memref<1000xf32>
    %0 = hone_rt.slot 0 : memref<1000xf32>
    %1 = hone_rt.slot 1 : memref<1000xf32>
    hone_rt.dispatch @k0 ins(%x : memref<1000xf32>) outs(%0 : memref<1000xf32>) loc(fused["a"("Conv"), "b"("Relu")])
    %2 = hone_rt.library "nonzero"(%0) node 0 : (memref<1000xf32>) -> memref<1x?xi64> loc("n"("NonZero"))
    hone_rt.copy %0 to %1 : memref<1000xf32>, memref<1000xf32>
    %3 = hone_rt.slot 2 : memref<4xf32>
    %4 = hone_rt.slot 3 : memref<4xf32>
    hone_rt.copy %3 to %4 : memref<4xf32>, memref<4xf32>
    scf.for %i = %c0 to %c4 step %c1 {
      hone_rt.dispatch @k0 ins(%1 : memref<1000xf32>) outs(%0 : memref<1000xf32>) loc("old"("Add"))
    }
    return
  }
}

// -----

// Copies between places are steps, however small.
// CHECK:       hone_rt.copy {{.*}} step 0
module {
  func.func @hone_run() {
    %0 = hone_rt.slot 0 : memref<4xf32, #hone_rt.device>
    %1 = hone_rt.slot 1 : memref<4xf32>
    hone_rt.copy %0 to %1 : memref<4xf32, #hone_rt.device>, memref<4xf32>
    return
  }
}
