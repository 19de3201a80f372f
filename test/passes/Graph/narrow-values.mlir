// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(hone-narrow-values))' | FileCheck %s

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

// The result of a product is rounded by a map of the same kernel, once for all readers.
// CHECK-LABEL: func.func @product
// CHECK:       %[[P:.+]] = hone.matmul {{.+}} {hone.group = 0 : i64} : {{.+}} -> tensor<32x16xf32>
// CHECK:       %[[R:.+]] = hone.map ins(%[[P]] : tensor<32x16xf32>) -> tensor<32x16xbf16> attributes {hone.group = 0 : i64}
// CHECK:         arith.truncf %{{.+}} fastmath<afn> : f32 to bf16
// CHECK:       hone.matmul %[[R]], %{{.+}} : tensor<32x16xbf16>,
// CHECK:       hone.matmul %[[R]], %{{.+}} : tensor<32x16xbf16>,
func.func @product(%x: tensor<32x8xf32>, %w: tensor<1x4x16x2xbf16>, %v: tensor<1x8x16x2xbf16>) -> (tensor<32x16xf32>, tensor<32x16xf32>) {
  %0 = hone.matmul %x, %w packed <16, 2> : tensor<32x8xf32>, tensor<1x4x16x2xbf16> -> tensor<32x16xf32>
  %1 = hone.matmul %0, %v packed <16, 2> : tensor<32x16xf32>, tensor<1x8x16x2xbf16> -> tensor<32x16xf32>
  %2 = hone.matmul %0, %v packed <16, 2> : tensor<32x16xf32>, tensor<1x8x16x2xbf16> -> tensor<32x16xf32>
  return %1, %2 : tensor<32x16xf32>, tensor<32x16xf32>
}

// -----

// What else is added to may be a residual, or become an index; products of few rows need all bits.
// CHECK-LABEL: func.func @residual
// CHECK-NOT:   arith.truncf
// CHECK:       return
func.func @residual(%x: tensor<32x16xf32>, %few: tensor<2x16xf32>, %w: tensor<1x8x16x2xbf16>) -> (tensor<32x16xf32>, tensor<32x16xf32>, tensor<2x16xf32>) {
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

// -----

// Maxima, parts and permutations have the type of what they are made of.
// CHECK-LABEL: func.func @movements
// CHECK:       hone.pool max {{.+}} : tensor<1x8x8x16xbf16> -> tensor<1x8x8x16xbf16>
// CHECK:       hone.concat {{.+}} -> tensor<1x8x8x32xbf16>
// CHECK:       hone.transpose {{.+}} -> tensor<1x8x8x32xbf16>
func.func @movements(%x: tensor<1x8x8x16xf32>, %w: tensor<1x1x1x8x16x2xbf16>, %v: tensor<1x1x1x16x16x2xbf16>) -> tensor<1x8x8x16xf32> {
  %0 = hone.conv %x, %w kernel [1, 1] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] group 1 channels_last packed <16, 2> : tensor<1x8x8x16xf32>, tensor<1x1x1x8x16x2xbf16> -> tensor<1x8x8x16xf32>
  %1 = hone.pool max %0 kernel [3, 3] strides [1, 1] dilations [1, 1] pads [1, 1, 1, 1] channels_last : tensor<1x8x8x16xf32> -> tensor<1x8x8x16xf32>
  %2 = hone.concat %0, %1 axis 3 : tensor<1x8x8x16xf32>, tensor<1x8x8x16xf32> -> tensor<1x8x8x32xf32>
  %3 = hone.transpose %2 [0, 2, 1, 3] : tensor<1x8x8x32xf32> -> tensor<1x8x8x32xf32>
  %4 = hone.conv %3, %v kernel [1, 1] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] group 1 channels_last packed <16, 2> : tensor<1x8x8x32xf32>, tensor<1x1x1x16x16x2xbf16> -> tensor<1x8x8x16xf32>
  return %4 : tensor<1x8x8x16xf32>
}

// -----

// A part that comes from elsewhere, averages, and values that are more than multiplied stay as they are.
// CHECK-LABEL: func.func @left_alone
// CHECK-NOT:   arith.truncf
// CHECK:       return
func.func @left_alone(%x: tensor<1x8x8x16xf32>, %w: tensor<1x1x1x8x16x2xbf16>, %v: tensor<1x1x1x16x16x2xbf16>) -> (tensor<1x8x8x16xf32>, tensor<1x8x8x16xf32>, tensor<1x8x8x16xf32>) {
  %0 = hone.conv %x, %w kernel [1, 1] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] group 1 channels_last packed <16, 2> : tensor<1x8x8x16xf32>, tensor<1x1x1x8x16x2xbf16> -> tensor<1x8x8x16xf32>
  %1 = hone.concat %0, %x axis 3 : tensor<1x8x8x16xf32>, tensor<1x8x8x16xf32> -> tensor<1x8x8x32xf32>
  %2 = hone.conv %1, %v kernel [1, 1] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] group 1 channels_last packed <16, 2> : tensor<1x8x8x32xf32>, tensor<1x1x1x16x16x2xbf16> -> tensor<1x8x8x16xf32>
  %3 = hone.pool average %2 kernel [3, 3] strides [1, 1] dilations [1, 1] pads [1, 1, 1, 1] channels_last : tensor<1x8x8x16xf32> -> tensor<1x8x8x16xf32>
  %4 = hone.conv %3, %w kernel [1, 1] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] group 1 channels_last packed <16, 2> : tensor<1x8x8x16xf32>, tensor<1x1x1x8x16x2xbf16> -> tensor<1x8x8x16xf32>
  %5 = hone.map ins(%x : tensor<1x8x8x16xf32>) -> tensor<1x8x8x16xf32> {
  ^bb0(%a: f32):
    %e = math.exp %a : f32
    hone.yield %e : f32
  }
  %6 = hone.conv %5, %w kernel [1, 1] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] group 1 channels_last packed <16, 2> : tensor<1x8x8x16xf32>, tensor<1x1x1x8x16x2xbf16> -> tensor<1x8x8x16xf32>
  %7 = hone.map ins(%5 : tensor<1x8x8x16xf32>) -> tensor<1x8x8x16xf32> {
  ^bb0(%a: f32):
    %s = arith.addf %a, %a : f32
    hone.yield %s : f32
  }
  return %4, %6, %7 : tensor<1x8x8x16xf32>, tensor<1x8x8x16xf32>, tensor<1x8x8x16xf32>
}

// -----

// The result of attention is rounded, its operands are not.
// CHECK-LABEL: func.func @attention
// CHECK:       hone.attention {{.+}} : tensor<1x32x16xf32>, tensor<1x32x16xf32>, tensor<1x32x16xf32> -> tensor<1x32x16xbf16>
// CHECK:       hone.reshape %{{.+}} : tensor<1x32x16xbf16> -> tensor<32x16xbf16>
func.func @attention(%x: tensor<32x16xf32>, %w: tensor<1x8x16x2xbf16>) -> tensor<32x16xf32> {
  %0 = hone.matmul %x, %w packed <16, 2> : tensor<32x16xf32>, tensor<1x8x16x2xbf16> -> tensor<32x16xf32>
  %1 = hone.reshape %0 : tensor<32x16xf32> -> tensor<1x32x16xf32>
  %2 = hone.attention %1, %1, %1 : tensor<1x32x16xf32>, tensor<1x32x16xf32>, tensor<1x32x16xf32> -> tensor<1x32x16xf32> {
  ^bb0(%s: f32, %m: index, %n: index):
    hone.yield %s : f32
  }
  %3 = hone.reshape %2 : tensor<1x32x16xf32> -> tensor<32x16xf32>
  %4 = hone.matmul %3, %w packed <16, 2> : tensor<32x16xf32>, tensor<1x8x16x2xbf16> -> tensor<32x16xf32>
  return %4 : tensor<32x16xf32>
}
