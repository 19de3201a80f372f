// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(hone-reuse-buffers))' | FileCheck %s

// The operand dies with the call: its slot takes the result. Into the caller's memory the whole chain moves.
// CHECK-LABEL: func.func @hone_run
// CHECK:         %[[Y:.+]] = hone_rt.output 0 : memref<8xf32>
// CHECK:         hone_rt.dispatch @first ins({{.*}}) outs(%[[Y]] : memref<8xf32>)
// CHECK:         hone_rt.dispatch @map ins(%[[Y]] : memref<8xf32>) outs(%[[Y]] : memref<8xf32>)
// CHECK:         hone_rt.dispatch @map ins(%[[Y]] : memref<8xf32>) outs(%{{.+}} : memref<8xf32>)
module {
  func.func private @first(tensor<8xf32>) -> tensor<8xf32> attributes {hone.kernel}
  func.func private @map(tensor<8xf32> {hone.in_place = 0 : i64}) -> tensor<8xf32> attributes {hone.kernel}
  func.func @hone_run() {
    %x = hone_rt.input 0 : memref<8xf32>
    %0 = hone_rt.slot 0 : memref<8xf32>
    hone_rt.dispatch @first ins(%x : memref<8xf32>) outs(%0 : memref<8xf32>)
    %1 = hone_rt.slot 1 : memref<8xf32>
    hone_rt.dispatch @map ins(%0 : memref<8xf32>) outs(%1 : memref<8xf32>)
    %y = hone_rt.output 0 : memref<8xf32>
    hone_rt.dispatch @map ins(%1 : memref<8xf32>) outs(%y : memref<8xf32>)
    return
  }
}

// -----

// Left alone: an operand that is read later, and one that is an input of the model.
// CHECK-LABEL: func.func @hone_run
// CHECK:         %[[A:.+]] = hone_rt.slot 0
// CHECK:         hone_rt.dispatch @map ins(%{{.+}} : memref<8xf32>) outs(%[[A]] : memref<8xf32>)
// CHECK:         %[[B:.+]] = hone_rt.slot 1
// CHECK:         hone_rt.dispatch @map ins(%[[A]] : memref<8xf32>) outs(%[[B]] : memref<8xf32>)
// CHECK:         hone_rt.dispatch @add ins(%[[A]], %[[B]] :
module {
  func.func private @map(tensor<8xf32> {hone.in_place = 0 : i64}) -> tensor<8xf32> attributes {hone.kernel}
  func.func private @add(tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32> attributes {hone.kernel}
  func.func @hone_run() {
    %x = hone_rt.input 0 : memref<8xf32>
    %0 = hone_rt.slot 0 : memref<8xf32>
    hone_rt.dispatch @map ins(%x : memref<8xf32>) outs(%0 : memref<8xf32>)
    %1 = hone_rt.slot 1 : memref<8xf32>
    hone_rt.dispatch @map ins(%0 : memref<8xf32>) outs(%1 : memref<8xf32>)
    %y = hone_rt.output 0 : memref<8xf32>
    hone_rt.dispatch @add ins(%0, %1 : memref<8xf32>, memref<8xf32>) outs(%y : memref<8xf32>)
    return
  }
}
