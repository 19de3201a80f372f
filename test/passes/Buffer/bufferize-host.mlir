// RUN: hone-opt %s --split-input-file --hone-bufferize-host | FileCheck %s

// Inner results are in slots, the returned one in the caller's memory, constants among the weights.
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

// A size that depends on data: a block of the session, and an output that is set.
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

// A loop's tensors of fixed shape have one place each, and are assigned all at once: one of two that are swapped is
// saved.
// CHECK-LABEL: func.func @hone_run
// CHECK:         %[[A:.+]] = hone_rt.slot
// CHECK:         hone_rt.copy %{{.+}} to %[[A]]
// CHECK:         %[[B:.+]] = hone_rt.slot
// CHECK:         hone_rt.copy %{{.+}} to %[[B]]
// CHECK:         scf.for
// CHECK-NEXT:      %[[SAVED:.+]] = hone_rt.slot
// CHECK-NEXT:      hone_rt.copy %[[A]] to %[[SAVED]]
// CHECK-NEXT:      hone_rt.copy %[[B]] to %[[A]]
// CHECK-NEXT:      hone_rt.copy %[[SAVED]] to %[[B]]
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

// If the shape varies each iteration allocates a block and passes it on; its end frees the others.
// CHECK-LABEL: func.func @hone_run
// CHECK:         %[[MARK:.+]] = hone_rt.mark
// CHECK:         %[[INIT:.+]] = hone_rt.alloc
// CHECK:         scf.for {{.*}} iter_args(%[[OLD:.+]] = %[[INIT]]) -> (memref<?xf32>)
// CHECK:           hone_rt.dispatch @grow ins(%[[OLD]] : {{.*}}) outs(%[[NEW:.+]] : {{.*}})
// CHECK-NOT:       hone_rt.copy
// CHECK:           hone_rt.end_iteration %[[MARK]] keep(%[[NEW]] :
// CHECK-NEXT:      scf.yield %[[NEW]]
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

// -----

// Delayed by one and by two iterations, in a loop whose condition passes the places on: each is read before it is
// written. The result of a branch may be a carried value as well.
// CHECK-LABEL: func.func @hone_run
// CHECK:         %[[A:.+]] = hone_rt.slot
// CHECK:         %[[B:.+]] = hone_rt.slot
// CHECK:         %[[C:.+]] = hone_rt.slot
// CHECK:         scf.while (%{{.+}} = %{{.+}}) : (index) -> index
// CHECK:           hone_rt.dispatch @step ins(%[[A]] : {{.*}}) outs(%[[NEW:.+]] :
// CHECK:           %[[OLD:.+]] = scf.if
// CHECK:             scf.yield %[[A]]
// CHECK:             scf.yield %[[C]]
// CHECK:           hone_rt.copy %[[OLD]] to %[[SAVED:.+]] :
// CHECK-NEXT:      hone_rt.copy %[[NEW]] to %[[A]]
// CHECK-NEXT:      hone_rt.copy %[[B]] to %[[C]]
// CHECK-NEXT:      hone_rt.copy %[[SAVED]] to %[[B]]
// CHECK-NEXT:      scf.yield
module {
  func.func private @step(tensor<4xf32>) -> tensor<4xf32> attributes {hone.kernel}
  func.func @main(%x: tensor<4xf32> {hone.dims = [4]}, %n: tensor<index> {hone.dims = []},
                  %t: tensor<i1> {hone.dims = []}) -> tensor<4xf32> {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %count = tensor.extract %n[] : tensor<index>
    %choice = tensor.extract %t[] : tensor<i1>
    %r:4 = scf.while (%i = %c0, %a = %x, %b = %x, %c = %x) :
        (index, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (index, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
      %go = arith.cmpi slt, %i, %count : index
      scf.condition(%go) %i, %a, %b, %c : index, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
    } do {
    ^bb0(%i: index, %a: tensor<4xf32>, %b: tensor<4xf32>, %c: tensor<4xf32>):
      %next = arith.addi %i, %c1 : index
      %0 = hone_rt.call @step(%a) : (tensor<4xf32>) -> tensor<4xf32>
      %1 = scf.if %choice -> tensor<4xf32> {
        scf.yield %a : tensor<4xf32>
      } else {
        scf.yield %c : tensor<4xf32>
      }
      scf.yield %next, %0, %1, %b : index, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
    }
    return %r#3 : tensor<4xf32>
  }
}

// -----

// Nested loops: the inner one starts with its own block, and its result is passed on by the outer one.
// CHECK-LABEL: func.func @hone_run
// CHECK:         %[[OUTER:.+]] = hone_rt.mark
// CHECK:         %[[X:.+]] = hone_rt.alloc
// CHECK:         scf.for {{.*}} iter_args(%[[A:.+]] = %[[X]])
// CHECK:           %[[INNER:.+]] = hone_rt.mark
// CHECK:           %[[START:.+]] = hone_rt.alloc
// CHECK:           hone_rt.copy %[[A]] to %[[START]]
// CHECK:           %[[R:.+]] = scf.for {{.*}} iter_args(%{{.+}} = %[[START]])
// CHECK:             hone_rt.end_iteration %[[INNER]] keep(%[[NEW:.+]] :
// CHECK-NEXT:        scf.yield %[[NEW]]
// CHECK:           hone_rt.end_iteration %[[OUTER]] keep(%[[R]] :
// CHECK-NEXT:      scf.yield %[[R]]
module {
  func.func private @step(tensor<?xf32>) -> tensor<?xf32> attributes {hone.kernel}
  func.func @main(%x: tensor<?xf32> {hone.dims = ["n"]}, %n: tensor<index> {hone.dims = []}) -> tensor<?xf32> {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %count = tensor.extract %n[] : tensor<index>
    %r = scf.for %i = %c0 to %count step %c1 iter_args(%a = %x) -> tensor<?xf32> {
      %q = scf.for %k = %c0 to %count step %c1 iter_args(%b = %a) -> tensor<?xf32> {
        %d = tensor.dim %b, %c0 : tensor<?xf32>
        %d1 = arith.addi %d, %c1 : index
        %0 = hone_rt.call @step(%b) dims(%d1) : (tensor<?xf32>) -> tensor<?xf32>
        scf.yield %0 : tensor<?xf32>
      }
      scf.yield %q : tensor<?xf32>
    }
    return %r : tensor<?xf32>
  }
}

// -----

// Blocks are swapped without a copy; one that is passed on twice is copied once.
// CHECK-LABEL: func.func @hone_run
// CHECK:         scf.for {{.*}} iter_args(%[[A:.+]] = %{{.+}}, %[[B:.+]] = %{{.+}}, %[[C:.+]] = %{{.+}})
// CHECK:           hone_rt.dispatch @step ins(%[[C]] : {{.*}}) outs(%[[NEW:.+]] :
// CHECK:           %[[COPY:.+]] = hone_rt.alloc
// CHECK-NEXT:      hone_rt.copy %[[NEW]] to %[[COPY]]
// CHECK-NEXT:      hone_rt.end_iteration %{{.+}} keep(%[[NEW]], %[[A]], %[[COPY]] :
// CHECK-NEXT:      scf.yield %[[NEW]], %[[A]], %[[COPY]]
module {
  func.func private @step(tensor<?xf32>) -> tensor<?xf32> attributes {hone.kernel}
  func.func @main(%x: tensor<?xf32> {hone.dims = ["n"]}, %n: tensor<index> {hone.dims = []}) -> tensor<?xf32> {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %count = tensor.extract %n[] : tensor<index>
    %r:3 = scf.for %i = %c0 to %count step %c1 iter_args(%a = %x, %b = %x, %c = %x) -> (tensor<?xf32>, tensor<?xf32>, tensor<?xf32>) {
      %d = tensor.dim %c, %c0 : tensor<?xf32>
      %d1 = arith.addi %d, %c1 : index
      %0 = hone_rt.call @step(%c) dims(%d1) : (tensor<?xf32>) -> tensor<?xf32>
      scf.yield %0, %a, %0 : tensor<?xf32>, tensor<?xf32>, tensor<?xf32>
    }
    return %r#2 : tensor<?xf32>
  }
}

// -----

// An invariant shape is as good as a fixed one: the state has a slot, and collected rows are written to their final
// place.
// CHECK-LABEL: func.func @hone_run
// CHECK:         %[[N:.+]] = hone.dim "n"
// CHECK:         %[[STATE:.+]] = hone_rt.slot 0 dims(%[[N]]) : memref<?xf32>
// CHECK:         %[[ROWS:.+]] = hone_rt.slot 1 dims(%[[N]]) : memref<4x?xf32>
// CHECK:         scf.for
// CHECK-NOT:     iter_args
// CHECK:           hone_rt.dispatch @step ins(%[[STATE]] : {{.*}}) outs(%[[NEW:.+]] :
// CHECK:           %[[ROW:.+]] = hone_rt.view %[[ROWS]] from
// CHECK:           hone_rt.copy %[[NEW]] to %[[ROW]]
// CHECK-NEXT:      hone_rt.copy %[[NEW]] to %[[STATE]]
// CHECK-NEXT:    }
module {
  func.func private @step(tensor<?xf32>) -> tensor<?xf32> attributes {hone.kernel}
  func.func @main(%x: tensor<?xf32> {hone.dims = ["n"]}, %y: tensor<4x?xf32> {hone.dims = [4, "n"]}) -> tensor<4x?xf32> {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c4 = arith.constant 4 : index
    %n = hone.dim "n"
    %r:2 = scf.for %i = %c0 to %c4 step %c1 iter_args(%a = %x, %rows = %y) -> (tensor<?xf32>, tensor<4x?xf32>) {
      %d = tensor.dim %a, %c0 : tensor<?xf32>
      %0 = hone_rt.call @step(%a) dims(%d) : (tensor<?xf32>) -> tensor<?xf32>
      %1 = tensor.insert_slice %0 into %rows[%i, 0] [1, %n] [1, 1] : tensor<?xf32> into tensor<4x?xf32>
      scf.yield %0, %1 : tensor<?xf32>, tensor<4x?xf32>
    }
    return %r#1 : tensor<4x?xf32>
  }
}

// -----

// Sizes are equal as arithmetic, not only as values: one place of 2ab elements.
// CHECK-LABEL: func.func @hone_run()
// CHECK:       hone_rt.slot
// CHECK:       scf.for %[[I:[a-z0-9]+]] =
// CHECK:         %[[NEW:.+]] = hone_rt.slot
// CHECK:         hone_rt.dispatch @step
// CHECK:         hone_rt.view
// CHECK-NEXT:    hone_rt.copy
module {
  func.func private @step(tensor<?xf32>) -> tensor<?xf32> attributes {hone.kernel}
  func.func private @place(index, index) -> tensor<4x?xf32> attributes {hone.kernel}
  func.func @main(%x: tensor<?xf32> {hone.dims = ["a"]}, %y: tensor<?xf32> {hone.dims = ["b"]}) -> tensor<4x?xf32> {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %two = arith.constant 2 : index
    %c4 = arith.constant 4 : index
    %a = hone.dim "a"
    %b = hone.dim "b"
    %ab = arith.muli %a, %b : index
    %n = arith.muli %ab, %c2 : index
    %two_b = arith.muli %two, %b : index
    %m = arith.muli %two_b, %a : index
    %init = hone_rt.call @place() args(%a, %b) dims(%n) : () -> tensor<4x?xf32>
    %r = scf.for %i = %c0 to %c4 step %c1 iter_args(%rows = %init) -> (tensor<4x?xf32>) {
      %0 = hone_rt.call @step(%x) dims(%m) : (tensor<?xf32>) -> tensor<?xf32>
      %1 = tensor.insert_slice %0 into %rows[%i, 0] [1, %m] [1, 1] : tensor<?xf32> into tensor<4x?xf32>
      scf.yield %1 : tensor<4x?xf32>
    }
    return %r : tensor<4x?xf32>
  }
}
