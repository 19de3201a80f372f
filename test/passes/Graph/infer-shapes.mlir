// RUN: hone-opt %s --split-input-file --hone-infer-shapes --verify-diagnostics | FileCheck %s

// A free dimension that the first argument fixes is fixed everywhere.
// CHECK-LABEL: func.func @specialised(
// CHECK-SAME:    %[[X:.+]]: tensor<2x8xf32> {{.+}}, %[[Y:.+]]: tensor<2xf32> {{.+}}) -> tensor<16xf32>
// CHECK:         %[[M:.+]] = hone.map ins(%[[X]] : tensor<2x8xf32>) -> tensor<2x8xf32>
// CHECK:         %[[R:.+]] = hone.reshape %[[M]] : tensor<2x8xf32> -> tensor<16xf32>
// CHECK:         return %[[R]]
func.func @specialised(%x: tensor<2x8xf32> {hone.dims = ["n", 8]}, %y: tensor<?xf32> {hone.dims = ["n"]})
    -> tensor<?xf32> {
  %n = hone.dim "n"
  %eight = arith.constant 8 : index
  %m = hone.map ins(%x : tensor<2x8xf32>) dims(%n) -> tensor<?x8xf32> {
  ^bb0(%e: f32):
    hone.yield %e : f32
  }
  %zero = arith.constant 0 : index
  %d = tensor.dim %m, %zero : tensor<?x8xf32>
  %s = arith.muli %d, %eight : index
  %r = hone.reshape %m dims(%s) : tensor<?x8xf32> -> tensor<?xf32>
  return %r : tensor<?xf32>
}

// -----

// Equal sizes become one value.
// CHECK-LABEL: func.func @equal_sizes(
// CHECK-DAG:     %[[N:.+]] = hone.dim "n"
// CHECK-DAG:     %[[S:.+]] = arith.muli
// CHECK:         %[[R:.+]] = hone.reshape %{{.+}} dims(%[[S]])
// CHECK:         %[[T:.+]] = hone.reshape %{{.+}} dims(%[[S]])
// CHECK:         %[[U:.+]] = hone.reshape %[[T]] dims(%[[N]])
func.func @equal_sizes(%x: tensor<?x4xf32> {hone.dims = ["n", 4]}) -> (tensor<?xf32>, tensor<?x4xf32>) {
  %zero = arith.constant 0 : index
  %four = arith.constant 4 : index
  %n = tensor.dim %x, %zero : tensor<?x4xf32>
  %a = arith.muli %n, %four : index
  %r = hone.reshape %x dims(%a) : tensor<?x4xf32> -> tensor<?xf32>
  %m = hone.dim "n"
  %b = arith.muli %four, %m : index
  %t = hone.reshape %x dims(%b) : tensor<?x4xf32> -> tensor<?xf32>
  %c = arith.floordivsi %b, %four : index
  %u = hone.reshape %t dims(%c) : tensor<?xf32> -> tensor<?x4xf32>
  return %r, %u : tensor<?xf32>, tensor<?x4xf32>
}

// -----

// Results that have no sizes of their own follow their operands.
// CHECK-LABEL: func.func @follow(
// CHECK:         hone.reduce {{.+}} -> tensor<3x1xf32>
// CHECK:         hone.transpose {{.+}} -> tensor<1x3xf32>
// CHECK:         hone.pad {{.+}} -> tensor<1x5xf32>
// CHECK:         hone.matmul {{.+}} : tensor<3x1xf32>, tensor<1x5xf32> -> tensor<3x5xf32>
func.func @follow(%x: tensor<3x4xf32> {hone.dims = ["n", 4]}) -> tensor<?x?xf32> {
  %n = hone.dim "n"
  %two = arith.constant 2 : index
  %more = arith.addi %n, %two : index
  %zero = arith.constant 0.0 : f32
  %c = hone.map ins(%x : tensor<3x4xf32>) dims(%n) -> tensor<?x4xf32> {
  ^bb0(%e: f32):
    hone.yield %e : f32
  }
  %r = hone.reduce sum %c axes [1] keepdims : tensor<?x4xf32> -> tensor<?x1xf32>
  %t = hone.transpose %r [1, 0] : tensor<?x1xf32> -> tensor<1x?xf32>
  %p = hone.pad %t with %zero low [0, 1] high [0, 1] : tensor<1x?xf32>, f32 -> tensor<1x?xf32>
  %m = hone.matmul %r, %p dims(%n, %more) : tensor<?x1xf32>, tensor<1x?xf32> -> tensor<?x?xf32>
  return %m : tensor<?x?xf32>
}

// -----

// Control flow keeps the types it had, unless both branches know more.
// CHECK-LABEL: func.func @branches(
// CHECK:         %[[I:.+]] = scf.if {{.+}} -> (tensor<3xf32>)
// CHECK:         return %[[I]] : tensor<3xf32>
func.func @branches(%x: tensor<3xf32> {hone.dims = ["n"]}, %p: i1) -> tensor<?xf32> {
  %n = hone.dim "n"
  %i = scf.if %p -> tensor<?xf32> {
    %c = hone.map ins(%x : tensor<3xf32>) dims(%n) -> tensor<?xf32> {
    ^bb0(%e: f32):
      hone.yield %e : f32
    }
    scf.yield %c : tensor<?xf32>
  } else {
    %c = hone.reshape %x dims(%n) : tensor<3xf32> -> tensor<?xf32>
    scf.yield %c : tensor<?xf32>
  }
  return %i : tensor<?xf32>
}

// -----

// expected-error@+1 {{dimension 'n' is both 3 and 4}}
func.func @conflict(%x: tensor<3xf32> {hone.dims = ["n"]}, %y: tensor<4xf32> {hone.dims = ["n"]}) {
  return
}

// -----

// expected-error@+1 {{argument 0 has 2 names for 1 dimensions}}
func.func @names(%x: tensor<3xf32> {hone.dims = ["n", "m"]}) {
  return
}

// -----

// Sizes that turn out to contradict each other stay open: a check before the
// operation ends the run.
// CHECK-LABEL: func.func @contradiction(
// CHECK:         cf.assert %false
// CHECK:         hone.reshape %{{.+}} dims(%{{.+}}) : tensor<6xf32> -> tensor<?x3xf32>
func.func @contradiction(%x: tensor<6xf32>) -> tensor<?x3xf32> {
  %five = arith.constant 5 : index
  %two = arith.constant 2 : index
  %fits = arith.cmpi eq, %five, %two : index
  cf.assert %fits, "the number of elements stays"
  %r = hone.reshape %x dims(%five) : tensor<6xf32> -> tensor<?x3xf32>
  return %r : tensor<?x3xf32>
}

// -----

// The same where the sizes of operands do.
// CHECK-LABEL: func.func @contradicting_operands(
// CHECK:         %[[R:.+]] = hone.reshape %{{.+}} : tensor<2x3xf32> -> tensor<6xf32>
// CHECK:         %[[C:.+]] = tensor.cast %[[R]] : tensor<6xf32> to tensor<?xf32>
// CHECK:         hone.map ins(%[[C]], %{{.+}} : tensor<?xf32>, tensor<5xf32>) -> tensor<5xf32>
func.func @contradicting_operands(%x: tensor<2x3xf32>, %y: tensor<5xf32>) -> tensor<5xf32> {
  %six = arith.constant 6 : index
  %r = hone.reshape %x dims(%six) : tensor<2x3xf32> -> tensor<?xf32>
  %m = hone.map ins(%r, %y : tensor<?xf32>, tensor<5xf32>) -> tensor<5xf32> {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    hone.yield %s : f32
  }
  return %m : tensor<5xf32>
}
