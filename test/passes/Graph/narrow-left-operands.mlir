// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(hone-narrow-left-operands))' | FileCheck %s

// A map rounds what it yields.
// CHECK-LABEL: func.func @map
// CHECK:       hone.map {{.+}} -> tensor<32x8xbf16>
// CHECK:         %[[R:.+]] = arith.truncf %{{.+}} : f32 to bf16
// CHECK:         hone.yield %[[R]] : bf16
// CHECK:       hone.matmul {{.+}} : tensor<32x8xbf16>, tensor<1x4x16x2xbf16> -> tensor<32x16xf32>
func.func @map(%x: tensor<32x8xf32>, %w: tensor<1x4x16x2xbf16>) -> tensor<32x16xf32> {
  %0 = hone.map ins(%x : tensor<32x8xf32>) -> tensor<32x8xf32> {
  ^bb0(%a: f32):
    %e = math.exp %a : f32
    hone.yield %e : f32
  }
  %1 = hone.matmul %0, %w packed <16, 2> : tensor<32x8xf32>, tensor<1x4x16x2xbf16> -> tensor<32x16xf32>
  return %1 : tensor<32x16xf32>
}

// -----

// The result of a product is rounded by a map, once for all readers.
// CHECK-LABEL: func.func @product
// CHECK:       %[[P:.+]] = hone.matmul {{.+}} -> tensor<32x16xf32>
// CHECK:       %[[R:.+]] = hone.map ins(%[[P]] : tensor<32x16xf32>)
// CHECK:         arith.truncf
// CHECK:       hone.matmul %[[R]], %{{.+}} : tensor<32x16xbf16>,
// CHECK:       hone.matmul %[[R]], %{{.+}} : tensor<32x16xbf16>,
func.func @product(%x: tensor<32x8xf32>, %w: tensor<1x4x16x2xbf16>, %v: tensor<1x8x16x2xbf16>) -> (tensor<32x16xf32>, tensor<32x16xf32>) {
  %0 = hone.matmul %x, %w packed <16, 2> : tensor<32x8xf32>, tensor<1x4x16x2xbf16> -> tensor<32x16xf32>
  %1 = hone.matmul %0, %v packed <16, 2> : tensor<32x16xf32>, tensor<1x8x16x2xbf16> -> tensor<32x16xf32>
  %2 = hone.matmul %0, %v packed <16, 2> : tensor<32x16xf32>, tensor<1x8x16x2xbf16> -> tensor<32x16xf32>
  return %1, %2 : tensor<32x16xf32>, tensor<32x16xf32>
}

// -----

// The function's result, what else is added to, and products of few rows need all bits.
// CHECK-LABEL: func.func @others
// CHECK-NOT:   arith.truncf
func.func @others(%x: tensor<32x16xf32>, %few: tensor<2x16xf32>, %w: tensor<1x8x16x2xbf16>) -> (tensor<32x16xf32>, tensor<32x16xf32>, tensor<2x16xf32>) {
  %0 = hone.matmul %x, %w packed <16, 2> : tensor<32x16xf32>, tensor<1x8x16x2xbf16> -> tensor<32x16xf32>
  %1 = hone.matmul %0, %w packed <16, 2> : tensor<32x16xf32>, tensor<1x8x16x2xbf16> -> tensor<32x16xf32>
  %2 = hone.map ins(%0, %1 : tensor<32x16xf32>, tensor<32x16xf32>) -> tensor<32x16xf32> {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    hone.yield %s : f32
  }
  %3 = hone.matmul %few, %w packed <16, 2> : tensor<2x16xf32>, tensor<1x8x16x2xbf16> -> tensor<2x16xf32>
  %4 = hone.matmul %3, %w packed <16, 2> : tensor<2x16xf32>, tensor<1x8x16x2xbf16> -> tensor<2x16xf32>
  return %1, %2, %4 : tensor<32x16xf32>, tensor<32x16xf32>, tensor<2x16xf32>
}
