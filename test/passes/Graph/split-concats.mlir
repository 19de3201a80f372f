// RUN: hone-opt %s --split-input-file \
// RUN:   --pass-pipeline='builtin.module(func.func(hone-split-concats))' | FileCheck %s

// Sixteen are joined first; the last three wait for the next level.
// CHECK-LABEL: func.func @free(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: tensor<?x3xf32>
// CHECK:         %[[N:.+]] = hone.dim "n"
// CHECK-COUNT-19: hone.reshape %[[X]] dims({{.*}}) : tensor<?x3xf32> -> tensor<1x?xf32>
// CHECK:         %[[FIRST:.+]] = hone.concat {{.*}} axis 1 : {{.*}} -> tensor<1x?xf32>
// CHECK:         %[[ALL:.+]] = hone.concat %[[FIRST]], %{{[0-9]+}}, %{{[0-9]+}}, %{{[0-9]+}} dims
// CHECK:         %[[R:.+]] = hone.reshape %[[ALL]] dims({{.*}}) : tensor<1x?xf32> -> tensor<?x3xf32>
// CHECK-NOT:     hone.concat
// CHECK:         return %[[R]]
func.func @free(%x: tensor<?x3xf32> {hone.dims = ["n", 3]}) -> tensor<?x3xf32> {
  %n = hone.dim "n"
  %c19 = arith.constant 19 : index
  %m = arith.muli %n, %c19 : index
  %r = hone.concat %x, %x, %x, %x, %x, %x, %x, %x, %x, %x, %x, %x, %x, %x, %x, %x, %x, %x, %x dims(%m) axis 0
    : tensor<?x3xf32>, tensor<?x3xf32>, tensor<?x3xf32>, tensor<?x3xf32>, tensor<?x3xf32>, tensor<?x3xf32>, tensor<?x3xf32>, tensor<?x3xf32>, tensor<?x3xf32>, tensor<?x3xf32>, tensor<?x3xf32>, tensor<?x3xf32>, tensor<?x3xf32>, tensor<?x3xf32>, tensor<?x3xf32>, tensor<?x3xf32>, tensor<?x3xf32>, tensor<?x3xf32>, tensor<?x3xf32> -> tensor<?x3xf32>
  return %r : tensor<?x3xf32>
}

// -----

// Few operands of known sizes stay.
// CHECK-LABEL: func.func @known(
// CHECK-NOT:     hone.reshape
// CHECK:         hone.concat
func.func @known(%x: tensor<2x3xf32>) -> tensor<34x3xf32> {
  %r = hone.concat %x, %x, %x, %x, %x, %x, %x, %x, %x, %x, %x, %x, %x, %x, %x, %x, %x axis 0
    : tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32> -> tensor<34x3xf32>
  return %r : tensor<34x3xf32>
}
