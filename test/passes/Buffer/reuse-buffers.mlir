// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(hone-reuse-buffers))' | FileCheck %s

// The operand dies with the call: its slot takes the result. The whole chain moves to the caller's memory.
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

// -----

// Loop-carried values: the first state is computed in its slot, as the kernel does not read it; the second one stays,
// and so does the third, which is needed again.
// CHECK-LABEL: func.func @hone_run
// CHECK-DAG:     %[[A:.+]] = hone_rt.slot 0
// CHECK-DAG:     %[[B:.+]] = hone_rt.slot 1
// CHECK-DAG:     %[[C:.+]] = hone_rt.slot 2
// CHECK:         scf.for
// CHECK:           hone_rt.dispatch @first ins(%[[A]] : memref<8xf32>) outs(%[[T:.+]] : memref<8xf32>)
// CHECK:           hone_rt.dispatch @step ins(%[[T]], %[[B]] : memref<8xf32>, memref<8xf32>) outs(%[[A]], %[[E:.+]], %[[F:.+]] :
// CHECK:           hone_rt.copy %[[A]] to %{{.+}} :
// CHECK-NEXT:      hone_rt.copy %[[E]] to %[[B]]
// CHECK-NEXT:      hone_rt.copy %[[F]] to %[[C]]
// CHECK:           hone_rt.dispatch @first ins(%[[F]] :
module {
  func.func private @first(tensor<8xf32>) -> tensor<8xf32> attributes {hone.kernel}
  func.func private @step(tensor<8xf32>, tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) attributes {hone.kernel}
  func.func @hone_run() {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c4 = arith.constant 4 : index
    %x = hone_rt.input 0 : memref<8xf32>
    %a = hone_rt.slot 0 : memref<8xf32>
    hone_rt.copy %x to %a : memref<8xf32>, memref<8xf32>
    %b = hone_rt.slot 1 : memref<8xf32>
    hone_rt.copy %x to %b : memref<8xf32>, memref<8xf32>
    %c = hone_rt.slot 2 : memref<8xf32>
    %rows = hone_rt.slot 3 : memref<4x8xf32>
    scf.for %i = %c0 to %c4 step %c1 {
      %t = hone_rt.slot 4 : memref<8xf32>
      hone_rt.dispatch @first ins(%a : memref<8xf32>) outs(%t : memref<8xf32>)
      %d = hone_rt.slot 5 : memref<8xf32>
      %e = hone_rt.slot 6 : memref<8xf32>
      %f = hone_rt.slot 7 : memref<8xf32>
      hone_rt.dispatch @step ins(%t, %b : memref<8xf32>, memref<8xf32>) outs(%d, %e, %f : memref<8xf32>, memref<8xf32>, memref<8xf32>)
      %at = arith.muli %i, %c4 : index
      %row = hone_rt.view %rows from %at : memref<4x8xf32> -> memref<8xf32>
      hone_rt.copy %d to %row : memref<8xf32>, memref<8xf32>
      hone_rt.copy %d to %a : memref<8xf32>, memref<8xf32>
      hone_rt.copy %e to %b : memref<8xf32>, memref<8xf32>
      hone_rt.copy %f to %c : memref<8xf32>, memref<8xf32>
      %g = hone_rt.slot 8 : memref<8xf32>
      hone_rt.dispatch @first ins(%f : memref<8xf32>) outs(%g : memref<8xf32>)
    }
    return
  }
}

// -----

// Parts of a tensor are computed in their places; the second reads the first, and a third is needed again.
// CHECK-LABEL: func.func @hone_run
// CHECK:         %[[ALL:.+]] = hone_rt.slot 0
// CHECK:         %[[FIRST:.+]] = hone_rt.view %[[ALL]]
// CHECK:         hone_rt.dispatch @first ins({{.*}}) outs(%[[FIRST]] : memref<8xf32>)
// CHECK-NOT:     hone_rt.copy
// CHECK:         hone_rt.dispatch @add ins({{.*}}%[[FIRST]]{{.*}}) outs(%[[SECOND:.+]] :
// CHECK:         hone_rt.copy %[[SECOND]]
// CHECK:         hone_rt.dispatch @first ins({{.*}}) outs(%[[THIRD:.+]] :
// CHECK:         hone_rt.copy %[[THIRD]]
module {
  func.func private @first(tensor<8xf32>) -> tensor<8xf32> attributes {hone.kernel}
  func.func private @add(tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32> attributes {hone.kernel}
  func.func private @last(tensor<24xf32>, tensor<8xf32>) -> tensor<8xf32> attributes {hone.kernel}
  func.func @hone_run() {
    %c0 = arith.constant 0 : index
    %c8 = arith.constant 8 : index
    %x = hone_rt.input 0 : memref<8xf32>
    %all = hone_rt.slot 0 : memref<24xf32>
    %0 = hone_rt.slot 1 : memref<8xf32>
    hone_rt.dispatch @first ins(%x : memref<8xf32>) outs(%0 : memref<8xf32>)
    %a = hone_rt.view %all from %c0 : memref<24xf32> -> memref<8xf32>
    hone_rt.copy %0 to %a : memref<8xf32>, memref<8xf32>
    %1 = hone_rt.slot 2 : memref<8xf32>
    hone_rt.dispatch @add ins(%x, %a : memref<8xf32>, memref<8xf32>) outs(%1 : memref<8xf32>)
    %b = hone_rt.view %all from %c8 : memref<24xf32> -> memref<8xf32>
    hone_rt.copy %1 to %b : memref<8xf32>, memref<8xf32>
    %2 = hone_rt.slot 3 : memref<8xf32>
    hone_rt.dispatch @first ins(%x : memref<8xf32>) outs(%2 : memref<8xf32>)
    %end = arith.addi %c8, %c8 : index
    %c = hone_rt.view %all from %end : memref<24xf32> -> memref<8xf32>
    hone_rt.copy %2 to %c : memref<8xf32>, memref<8xf32>
    %y = hone_rt.output 0 : memref<8xf32>
    hone_rt.dispatch @last ins(%all, %2 : memref<24xf32>, memref<8xf32>) outs(%y : memref<8xf32>)
    return
  }
}
