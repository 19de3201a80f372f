// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(hone-keep-quantized-weights))' | FileCheck %s
// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(hone-keep-quantized-weights{readable=false}))' | FileCheck %s --check-prefix=FLOATS

// Columns in rows: the words of a panel are 16 scales and, for each 8 elements of K, 16 words of codes. Codes 1 to 8 lie 1
// above the lowest, as does the zero point; the fifth is above the first, in the lowest byte.
// CHECK-LABEL: func.func @blocks(
// CHECK-SAME:    %[[X:.+]]: tensor<?x32xf32>
// CHECK:         %[[W:.+]] = hone.constant dense<{{\[\[\[}}1065353216, 1077936128, {{.+}}, 1935823168, 1651720273, 1935823168, {{.+}}> : tensor<1x2x48xi32>
// CHECK:         hone.matmul %[[X]], %[[W]] dims(%{{.+}}) packed <16, 8> quantized <block = 16, scale = f32, zero = 7>
// CHECK-SAME:      : tensor<?x32xf32>, tensor<1x2x48xi32> -> tensor<?x16xf32>
// A transpose is taken in, and the second product reads the same words.
// CHECK:         hone.matmul %{{.+}}, %[[W]] packed
// CHECK-NOT:     hone.dequantize
// FLOATS-LABEL: func.func @blocks(
// FLOATS-NOT:     hone.dequantize
// FLOATS:         %[[D:.+]] = hone.map -> tensor<16x32xf32> {
// FLOATS:           tensor.extract
// FLOATS:           arith.shrui
// FLOATS:           arith.subf
// FLOATS:           arith.mulf
// FLOATS:         hone.matmul %{{.+}}, %[[D]] dims(%{{.+}}) transpose_rhs
func.func @blocks(%x: tensor<?x32xf32>, %z: tensor<4x32xf32>, %n: index) -> (tensor<?x16xf32>, tensor<4x16xf32>) {
  %codes = hone.constant dense<"0x21436587214365872143658721436587123456782143658721436587214365872143658721436587214365872143658721436587214365872143658721436587214365872143658721436587214365872143658721436587214365872143658721436587214365872143658721436587214365872143658721436587214365872143658721436587214365872143658721436587214365872143658721436587214365872143658721436587214365872143658721436587214365872143658721436587214365872143658721436587214365872143658721436587214365872143658721436587214365872143658721436587214365872143658721436587"> : tensor<16x16xi8>
  %scales = hone.constant dense<[[1.0, 2.0], [3.0, 4.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0],
                                 [1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]> : tensor<16x2xf32>
  %w = hone.dequantize %codes, %scales bits 4 block 16 axis 1 zero 8 unsigned : tensor<16x16xi8>, tensor<16x2xf32> -> tensor<16x32xf32>
  %t = hone.transpose %w [1, 0] : tensor<16x32xf32> -> tensor<32x16xf32>
  %y = hone.matmul %x, %w dims(%n) transpose_rhs : tensor<?x32xf32>, tensor<16x32xf32> -> tensor<?x16xf32>
  %v = hone.matmul %z, %t : tensor<4x32xf32>, tensor<32x16xf32> -> tensor<4x16xf32>
  return %y, %v : tensor<?x16xf32>, tensor<4x16xf32>
}

// -----

// Each block has zero points, in the type of the scales. The codes need 2 bits.
// CHECK-LABEL: func.func @zero_points(
// CHECK:         hone.constant dense<{{.+}}> : tensor<1x1x32xi32>
// CHECK:         hone.matmul {{.+}} packed <16, 16> quantized <block = 16, scale = f16>
func.func @zero_points(%x: tensor<3x16xf32>) -> tensor<3x16xf32> {
  %codes = hone.constant dense<102> : tensor<16x16xi8>
  %scales = hone.constant dense<2.0> : tensor<1x16xf16>
  %zeros = hone.constant dense<[[100, 101, 102, 103, 100, 101, 102, 103, 100, 101, 102, 103, 100, 101, 102, 103]]> : tensor<1x16xi8>
  %w = hone.dequantize %codes, %scales zeros %zeros bits 8 block 16 axis 0 unsigned : tensor<16x16xi8>, tensor<1x16xf16>, tensor<1x16xi8> -> tensor<16x16xf32>
  %y = hone.matmul %x, %w : tensor<3x16xf32>, tensor<16x16xf32> -> tensor<3x16xf32>
  return %y : tensor<3x16xf32>
}

// -----

// The left-hand side may be rounded to bytes, unless a block's sums of their products with codes could overflow.
// CHECK-LABEL: func.func @bytes(
// CHECK:         hone.matmul {{.+}} packed <16, 16> quantized <block = 16, scale = f32, zero = 8, bytes = true>
// CHECK:         hone.matmul {{.+}} packed <16, 16> quantized <block = 65536, scale = f32, zero = 8>
// FLOATS-LABEL: func.func @bytes(
// FLOATS-COUNT-2: hone.matmul {{.+}} transpose_rhs :
func.func @bytes(%x: tensor<3x32xf32>, %z: tensor<3x65536xf32>) -> (tensor<3x16xf32>, tensor<3x16xf32>) {
  %codes = hone.constant dense<0> : tensor<16x16xi8>
  %scales = hone.constant dense<2.0> : tensor<16x2xf32>
  %w = hone.dequantize %codes, %scales bits 4 block 16 axis 1 zero 8 unsigned bytes : tensor<16x16xi8>, tensor<16x2xf32> -> tensor<16x32xf32>
  %y = hone.matmul %x, %w transpose_rhs : tensor<3x32xf32>, tensor<16x32xf32> -> tensor<3x16xf32>
  %long_codes = hone.constant dense<0> : tensor<16x32768xi8>
  %scale = hone.constant dense<2.0> : tensor<16x1xf32>
  %v = hone.dequantize %long_codes, %scale bits 4 block 65536 axis 1 zero 8 unsigned bytes : tensor<16x32768xi8>, tensor<16x1xf32> -> tensor<16x65536xf32>
  %u = hone.matmul %z, %v transpose_rhs : tensor<3x65536xf32>, tensor<16x65536xf32> -> tensor<3x16xf32>
  return %y, %u : tensor<3x16xf32>, tensor<3x16xf32>
}

// -----

// A map with a scale for each column. What is behind K is zero, and so is a zero point, 7 below all codes.
// CHECK-LABEL: func.func @columns(
// CHECK:         hone.constant {{.+}} : tensor<1x1x144xi32>
// CHECK:         hone.matmul {{.+}} packed <16, 16> quantized <block = 128, scale = f32, zero = -7>
// FLOATS-LABEL: func.func @columns(
// FLOATS:         hone.matmul {{.+}} : tensor<3x64xf32>, tensor<64x16xf32> -> tensor<3x16xf32>
func.func @columns(%x: tensor<3x64xf32>) -> tensor<3x16xf32> {
  %codes = hone.constant dense<7> : tensor<64x16xi8>
  %scales = hone.constant dense<0.25> : tensor<16xf32>
  %w = hone.map ins(%codes, %scales : tensor<64x16xi8>, tensor<16xf32>) -> tensor<64x16xf32> {
  ^bb0(%e: i8, %scale: f32):
    %f = arith.sitofp %e : i8 to f32
    %s = arith.mulf %f, %scale : f32
    hone.yield %s : f32
  }
  %y = hone.matmul %x, %w : tensor<3x64xf32>, tensor<64x16xf32> -> tensor<3x16xf32>
  return %y : tensor<3x16xf32>
}

// -----

// Of two columns a panel has 16, which are no smaller than the floats.
// CHECK-LABEL: func.func @narrow(
// CHECK-NOT:     quantized
// CHECK:         return
func.func @narrow(%x: tensor<3x16xf32>) -> tensor<3x2xf32> {
  %codes = hone.constant dense<7> : tensor<16x2xi8>
  %scales = hone.constant dense<1.0> : tensor<1x2xf32>
  %w = hone.dequantize %codes, %scales bits 8 block 16 axis 0 : tensor<16x2xi8>, tensor<1x2xf32> -> tensor<16x2xf32>
  %y = hone.matmul %x, %w : tensor<3x16xf32>, tensor<16x2xf32> -> tensor<3x2xf32>
  return %y : tensor<3x2xf32>
}

// -----

// Blocks along N, and weights that no product reads, become maps.
// CHECK-LABEL: func.func @others(
// CHECK:         hone.map
// CHECK:         hone.matmul {{.+}} : tensor<3x2xf32>, tensor<2x16xf32> -> tensor<3x16xf32>
func.func @others(%x: tensor<3x2xf32>) -> (tensor<3x16xf32>, tensor<2x16xf32>) {
  %codes = hone.constant dense<7> : tensor<2x16xi8>
  %scales = hone.constant dense<1.0> : tensor<2x1xf32>
  %w = hone.dequantize %codes, %scales bits 8 block 16 axis 1 : tensor<2x16xi8>, tensor<2x1xf32> -> tensor<2x16xf32>
  %y = hone.matmul %x, %w : tensor<3x2xf32>, tensor<2x16xf32> -> tensor<3x16xf32>
  return %y, %w : tensor<3x16xf32>, tensor<2x16xf32>
}

// -----

// Codes of 2 bits would not fill words in blocks of 8: they take 4.
// CHECK-LABEL: func.func @short_blocks(
// CHECK:         hone.constant {{.+}} : tensor<1x2x32xi32>
// CHECK:         hone.matmul {{.+}} packed <16, 8> quantized <block = 8, scale = f32, zero = 0>
func.func @short_blocks(%x: tensor<3x16xf32>) -> tensor<3x16xf32> {
  %codes = hone.constant dense<7> : tensor<16x16xi8>
  %scales = hone.constant dense<1.0> : tensor<2x16xf32>
  %w = hone.dequantize %codes, %scales bits 8 block 8 axis 0 zero 7 : tensor<16x16xi8>, tensor<2x16xf32> -> tensor<16x16xf32>
  %y = hone.matmul %x, %w : tensor<3x16xf32>, tensor<16x16xf32> -> tensor<3x16xf32>
  return %y : tensor<3x16xf32>
}

// -----

// Weights that would be rounded to 16 bits are multiplied in f32, and the result is rounded.
// CHECK-LABEL: func.func @half(
// CHECK:         %[[X:.+]] = hone.map ins(%{{.+}} : tensor<?x16xf16>) dims(%{{.+}}) -> tensor<?x16xf32>
// CHECK:         %[[Y:.+]] = hone.matmul %[[X]], {{.+}} quantized <block = 16, scale = f16, zero = 0> : {{.+}} -> tensor<?x16xf32>
// CHECK:         hone.map ins(%[[Y]] : tensor<?x16xf32>) dims(%{{.+}}) -> tensor<?x16xf16>
// FLOATS-LABEL: func.func @half(
// FLOATS:         hone.matmul {{.+}} : tensor<?x16xf16>, tensor<16x16xf16> -> tensor<?x16xf16>
func.func @half(%x: tensor<?x16xf16>, %n: index) -> tensor<?x16xf16> {
  %codes = hone.constant dense<7> : tensor<16x16xi8>
  %scales = hone.constant dense<1.0> : tensor<1x16xf16>
  %w = hone.dequantize %codes, %scales bits 8 block 16 axis 0 zero 7 : tensor<16x16xi8>, tensor<1x16xf16> -> tensor<16x16xf32>
  %h = hone.map ins(%w : tensor<16x16xf32>) -> tensor<16x16xf16> {
  ^bb0(%e: f32):
    %r = arith.truncf %e : f32 to f16
    hone.yield %r : f16
  }
  %y = hone.matmul %x, %h dims(%n) : tensor<?x16xf16>, tensor<16x16xf16> -> tensor<?x16xf16>
  return %y : tensor<?x16xf16>
}

// -----

// A table says what codes stand for: they keep their values.
// CHECK-LABEL: func.func @table(
// CHECK:         hone.matmul {{.+}} packed <16, 8> quantized <block = 16, scale = f32, zero = 0, table = [0.000000e+00, 5.000000e-01
// FLOATS-LABEL: func.func @table(
// FLOATS:         hone.constant dense<[0.000000e+00, 5.000000e-01, {{.+}}> : tensor<16xf32>
// FLOATS:         hone.map
// FLOATS-COUNT-3: tensor.extract
// FLOATS-NOT:     arith.subf
func.func @table(%x: tensor<3x16xf32>) -> tensor<3x16xf32> {
  %codes = hone.constant dense<0x11> : tensor<16x8xi8>
  %scales = hone.constant dense<1.0> : tensor<16x1xf32>
  %w = hone.dequantize %codes, %scales bits 4 block 16 axis 1 unsigned
    table [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0]
    : tensor<16x8xi8>, tensor<16x1xf32> -> tensor<16x16xf32>
  %y = hone.matmul %x, %w transpose_rhs : tensor<3x16xf32>, tensor<16x16xf32> -> tensor<3x16xf32>
  return %y : tensor<3x16xf32>
}
