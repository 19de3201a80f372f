// RUN: hone-opt %s --split-input-file --hone-plan-arena | FileCheck %s

// Three slots of 64 bytes; the third begins when the first is dead: two fit.
// CHECK-LABEL: hone.arena = array<i64: 128, 128, 0, 0>
// CHECK-SAME:  hone.slots = [array<i64: 2, 4, 64, 0, 0>, array<i64: 4, 6, 64, 64, 0>, array<i64: 6, 8, 64, 0, 0>]
// CHECK:       func.func @hone_prepare()
// CHECK-NOT:     hone_rt.slot_bytes
// CHECK:         hone_rt.output_dim 0, %c16
module {
  func.func private @k(tensor<16xf32>) -> tensor<16xf32> attributes {hone.kernel}
  func.func @hone_run() attributes {hone.inputs = [], hone.outputs = [{type = tensor<16xf32>}]} {
    %x = hone_rt.input 0 : memref<16xf32>
    %0 = hone_rt.slot 0 : memref<16xf32>
    hone_rt.dispatch @k ins(%x : memref<16xf32>) outs(%0 : memref<16xf32>)
    %1 = hone_rt.slot 1 : memref<16xf32>
    hone_rt.dispatch @k ins(%0 : memref<16xf32>) outs(%1 : memref<16xf32>)
    %2 = hone_rt.slot 2 : memref<16xf32>
    hone_rt.dispatch @k ins(%1 : memref<16xf32>) outs(%2 : memref<16xf32>)
    %y = hone_rt.output 0 : memref<16xf32>
    hone_rt.dispatch @k ins(%2 : memref<16xf32>) outs(%y : memref<16xf32>)
    hone_rt.output_dims 0 : memref<16xf32>
    return
  }
}

// -----

// A free dimension: the runtime plans with the sizes that the preparation computes. Checks of it move there as well.
// CHECK-LABEL: hone.arena = array<i64: -1, -1, -1, -1>
// CHECK:       func.func @hone_prepare()
// CHECK:         %[[N:.+]] = hone.dim "n"
// CHECK:         hone_rt.slot_bytes 0 dims(%[[N]]) : memref<?x8xf32>
// CHECK:         hone_rt.output_dim 0, %[[N]]
// CHECK:         hone_rt.output_dim 1, %c-1
// CHECK:         hone_rt.check %{{.+}} node 0 status 4
// CHECK:         hone_rt.check_dims dims(%[[N]]) node 0 : memref<?x8xf32>
// CHECK:       func.func @hone_run
// CHECK-NOT:     hone_rt.check
module attributes {hone.nodes = [loc("add")]} {
  func.func private @k(tensor<?x8xf32>) -> tensor<?x8xf32> attributes {hone.kernel}
  func.func @hone_run() attributes {hone.inputs = [], hone.outputs = [{type = tensor<?xf32>}, {type = tensor<?xi64>}]} {
    %n = hone.dim "n"
    %c4 = arith.constant 4 : index
    %fits = arith.cmpi uge, %n, %c4 : index
    hone_rt.check %fits node 0 status 4
    %x = hone_rt.input 0 dims(%n) : memref<?x8xf32>
    hone_rt.check_dims dims(%n) node 0 : memref<?x8xf32>
    %0 = hone_rt.slot 0 dims(%n) : memref<?x8xf32>
    hone_rt.dispatch @k ins(%x : memref<?x8xf32>) outs(%0 : memref<?x8xf32>)
    %r = hone_rt.library "nonzero"(%0) node 0 : (memref<?x8xf32>) -> memref<?xi64>
    hone_rt.output_dims 0 dims(%n) : memref<?xf32>
    hone_rt.set_output 1, %r : memref<?xi64>
    return
  }
}

// -----

// The device has its own arena.
// CHECK-LABEL: hone.arena = array<i64: 128, 128, 64, 64>
// CHECK-SAME:  hone.slots = [array<i64: 2, 4, 64, 0, 1>, array<i64: 4, 5, 128, 0, 0>]
module {
  func.func private @k(tensor<16xf32>) -> tensor<32xf32> attributes {hone.kernel}
  func.func @hone_run() attributes {hone.inputs = [], hone.outputs = []} {
    %x = hone_rt.input 0 : memref<16xf32, #hone_rt.device>
    %0 = hone_rt.slot 0 : memref<16xf32, #hone_rt.device>
    hone_rt.copy %x to %0 : memref<16xf32, #hone_rt.device>, memref<16xf32, #hone_rt.device>
    %1 = hone_rt.slot 1 : memref<32xf32>
    hone_rt.dispatch @k ins(%0 : memref<16xf32, #hone_rt.device>) outs(%1 : memref<32xf32>)
    hone_rt.set_output 0, %1 : memref<32xf32>
    return
  }
}

// -----

// Slots of one size, which is computed once, and one of known size.
// CHECK-LABEL: hone.arena = array<i64: -1, -1, -1, -1>
// CHECK-SAME:  hone.slots = [array<i64: {{[0-9]+}}, {{[0-9]+}}, -1, -1, 0>, array<i64: {{[0-9]+}}, {{[0-9]+}}, 64, -1, 0>, array<i64: {{[0-9]+}}, {{[0-9]+}}, -1, -1, 0>, array<i64: {{[0-9]+}}, {{[0-9]+}}, -2, -1, 0>]
// CHECK:       func.func @hone_prepare()
// CHECK:         %[[N:.+]] = hone.dim "n"
// CHECK-NEXT:    hone_rt.slot_bytes 0 dims(%[[N]]) : memref<?x8xf32>
// CHECK-NEXT:    hone_rt.slot_bytes 1 dims(%[[N]]) : memref<?xf32>
// CHECK-NOT:     hone_rt.slot_bytes
module {
  func.func private @k(tensor<?x8xf32>) -> (tensor<16xf32>, tensor<?x8xf32>, tensor<?xf32>) attributes {hone.kernel}
  func.func @hone_run() attributes {hone.inputs = [], hone.outputs = []} {
    %n = hone.dim "n"
    %0 = hone_rt.slot 0 dims(%n) : memref<?x8xf32>
    %1 = hone_rt.slot 1 : memref<16xf32>
    %2 = hone_rt.slot 2 dims(%n) : memref<?x8xf32>
    %3 = hone_rt.slot 3 dims(%n) : memref<?xf32>
    hone_rt.dispatch @k ins(%0 : memref<?x8xf32>) outs(%1, %2, %3 : memref<16xf32>, memref<?x8xf32>, memref<?xf32>)
    return
  }
}
