// RUN: hone-opt %s --split-input-file --canonicalize | FileCheck %s

// CHECK-LABEL: func.func @reshapes(
// CHECK-SAME:    %[[X:.+]]: tensor<4x6xf32>
// CHECK:         %[[R:.+]] = hone.reshape %[[X]] : tensor<4x6xf32> -> tensor<24xf32>
// CHECK:         return %[[R]], %[[X]]
func.func @reshapes(%x: tensor<4x6xf32>) -> (tensor<24xf32>, tensor<4x6xf32>) {
  %a = hone.reshape %x : tensor<4x6xf32> -> tensor<2x12xf32>
  %b = hone.reshape %a : tensor<2x12xf32> -> tensor<24xf32>
  %c = hone.reshape %a : tensor<2x12xf32> -> tensor<4x6xf32>
  return %b, %c : tensor<24xf32>, tensor<4x6xf32>
}

// -----

// CHECK-LABEL: func.func @transposes(
// CHECK-SAME:    %[[X:.+]]: tensor<2x3x4xf32>
// CHECK:         %[[T:.+]] = hone.transpose %[[X]] [2, 0, 1] : tensor<2x3x4xf32> -> tensor<4x2x3xf32>
// CHECK:         return %[[T]], %[[X]]
func.func @transposes(%x: tensor<2x3x4xf32>) -> (tensor<4x2x3xf32>, tensor<2x3x4xf32>) {
  %a = hone.transpose %x [1, 2, 0] : tensor<2x3x4xf32> -> tensor<3x4x2xf32>
  %b = hone.transpose %a [1, 2, 0] : tensor<3x4x2xf32> -> tensor<4x2x3xf32>
  %c = hone.transpose %b [1, 2, 0] : tensor<4x2x3xf32> -> tensor<2x3x4xf32>
  return %b, %c : tensor<4x2x3xf32>, tensor<2x3x4xf32>
}

// -----

// CHECK-LABEL: func.func @whole(
// CHECK-SAME:    %[[X:.+]]: tensor<4xf32>
// CHECK-NEXT:    return %[[X]], %[[X]]
func.func @whole(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %a = hone.slice %x at [0] steps [1] : tensor<4xf32> -> tensor<4xf32>
  %b = hone.concat %x axis 0 : tensor<4xf32> -> tensor<4xf32>
  return %a, %b : tensor<4xf32>, tensor<4xf32>
}

// -----

// Constants created by folding stay inside the region.
// CHECK-LABEL: func.func @region_constants(
// CHECK-NEXT:    hone.map
// CHECK-NEXT:      arith.constant 3 : i64
func.func @region_constants() -> tensor<4xi64> {
  %r = hone.map -> tensor<4xi64> {
    %a = arith.constant 1 : i64
    %b = arith.constant 2 : i64
    %c = arith.addi %a, %b : i64
    hone.yield %c : i64
  }
  return %r : tensor<4xi64>
}
