// RUN: hone-opt %s --split-input-file --hone-bufferize-host | FileCheck %s

// Inner results lie in slots, the returned one in the caller's memory, constants among the weights.
// CHECK:       hone.free_dims = ["n"], hone.weight_bytes = 192 : i64
// CHECK-LABEL: func.func @hone_run()
// CHECK:         %[[B:.+]] = hone_rt.constant 128 dense<2.0
// CHECK:         %[[W:.+]] = hone_rt.constant 0 dense<1.0
// CHECK:         %[[N:.+]] = hone.dim "n"
// CHECK:         %[[X:.+]] = hone_rt.input 0 dims(%[[N]]) : memref<?x4xf32>
// CHECK:         %[[S:.+]] = hone_rt.slot 0 dims(%[[N]]) : memref<?x8xf32>
// CHECK:         hone_rt.dispatch @k0 ins(%[[X]], %[[W]] : {{.*}}) outs(%[[S]] : memref<?x8xf32>) args(%[[N]])
// CHECK:         %[[Y:.+]] = hone_rt.output 0 dims(%[[N]]) : memref<?x8xf32>
// CHECK:         hone_rt.dispatch @k1 ins(%[[S]], %[[B]] : {{.*}}) outs(%[[Y]] : memref<?x8xf32>)
// CHECK-NOT:     hone_rt.copy
module {
  func.func private @k0(tensor<?x4xf32>, tensor<4x8xf32>, index) -> tensor<?x8xf32> attributes {hone.kernel}
  func.func private @k1(tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32> attributes {hone.kernel}
  func.func @main(%x: tensor<?x4xf32> {hone.dims = ["n", 4]}) -> tensor<?x8xf32> {
    %n = hone.dim "n"
    %w = hone.constant dense<1.0> : tensor<4x8xf32>
    %b = hone.constant dense<2.0> : tensor<8xf32>
    %0 = hone_rt.call @k0(%x, %w) args(%n) dims(%n) : (tensor<?x4xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
    %1 = hone_rt.call @k1(%0, %b) dims(%n) : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
    return %1 : tensor<?x8xf32>
  }
}

// -----

// A size that hangs on data: a block of the session, and an output that is handed over.
// CHECK-LABEL: func.func @hone_run
// CHECK:         %[[R:.+]] = hone_rt.library "nonzero"(%{{.+}}) node 0 : (memref<4xf32>) -> memref<1x?xi64>
// CHECK:         %[[N:.+]] = hone_rt.dim %[[R]], 1
// CHECK:         %[[B:.+]] = hone_rt.alloc dims(%[[N]]) : memref<1x?xi64>
// CHECK:         hone_rt.dispatch @k0 ins(%[[R]] : {{.*}}) outs(%[[B]] : {{.*}})
// CHECK:         hone_rt.set_output 0, %[[B]]
module {
  func.func private @k0(tensor<1x?xi64>) -> tensor<1x?xi64> attributes {hone.kernel}
  func.func @main(%x: tensor<4xf32> {hone.dims = [4]}) -> tensor<1x?xi64> {
    %c1 = arith.constant 1 : index
    %0 = hone.library "nonzero"(%x) : (tensor<4xf32>) -> tensor<1x?xi64>
    %n = tensor.dim %0, %c1 : tensor<1x?xi64>
    %1 = hone_rt.call @k0(%0) dims(%n) : (tensor<1x?xi64>) -> tensor<1x?xi64>
    return %1 : tensor<1x?xi64>
  }
}

// -----

// A loop's tensor of fixed shape has one place; each iteration copies into it. Values that change places are saved.
// CHECK-LABEL: func.func @hone_run
// CHECK:         %[[A:.+]] = hone_rt.slot
// CHECK:         hone_rt.copy %{{.+}} to %[[A]]
// CHECK:         %[[B:.+]] = hone_rt.slot
// CHECK:         hone_rt.copy %{{.+}} to %[[B]]
// CHECK:         scf.for
// CHECK:           %[[B2:.+]] = hone_rt.slot
// CHECK:           hone_rt.copy %[[B]] to %[[B2]]
// CHECK:           %[[A2:.+]] = hone_rt.slot
// CHECK:           hone_rt.copy %[[A]] to %[[A2]]
// CHECK:           hone_rt.copy %[[B2]] to %[[A]]
// CHECK:           hone_rt.copy %[[A2]] to %[[B]]
module {
  func.func @main(%x: tensor<4xf32> {hone.dims = [4]}, %y: tensor<4xf32> {hone.dims = [4]},
                  %n: tensor<index> {hone.dims = []}) -> (tensor<4xf32>, tensor<4xf32>) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %count = tensor.extract %n[] : tensor<index>
    %r:2 = scf.for %i = %c0 to %count step %c1 iter_args(%a = %x, %b = %y) -> (tensor<4xf32>, tensor<4xf32>) {
      scf.yield %b, %a : tensor<4xf32>, tensor<4xf32>
    }
    return %r#0, %r#1 : tensor<4xf32>, tensor<4xf32>
  }
}

// -----

// Where the shape varies each iteration makes a block, and gives the last one back.
// CHECK-LABEL: func.func @hone_run
// CHECK:         %[[INIT:.+]] = hone_rt.alloc
// CHECK:         scf.for {{.*}} iter_args(%[[OLD:.+]] = %[[INIT]]) -> (memref<?xf32>)
// CHECK:           hone_rt.dispatch @grow ins(%[[OLD]] : {{.*}}) outs(%[[NEW:.+]] : {{.*}})
// CHECK:           %[[NEXT:.+]] = hone_rt.alloc
// CHECK:           hone_rt.copy %[[NEW]] to %[[NEXT]]
// CHECK:           hone_rt.free %[[OLD]]
// CHECK:           hone_rt.free %[[NEW]]
// CHECK:           scf.yield %[[NEXT]]
module {
  func.func private @grow(tensor<?xf32>) -> tensor<?xf32> attributes {hone.kernel}
  func.func @main(%x: tensor<4xf32> {hone.dims = [4]}, %n: tensor<index> {hone.dims = []}) -> tensor<?xf32> {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %count = tensor.extract %n[] : tensor<index>
    %init = tensor.cast %x : tensor<4xf32> to tensor<?xf32>
    %r = scf.for %i = %c0 to %count step %c1 iter_args(%a = %init) -> tensor<?xf32> {
      %d = tensor.dim %a, %c0 : tensor<?xf32>
      %d1 = arith.addi %d, %c1 : index
      %0 = hone_rt.call @grow(%a) dims(%d1) : (tensor<?xf32>) -> tensor<?xf32>
      scf.yield %0 : tensor<?xf32>
    }
    return %r : tensor<?xf32>
  }
}
