// Products of matrices (AMX): which tiles have them.
// RUN: hone-opt %s --pass-pipeline='builtin.module(func.func(hone-schedule-kernels))' | FileCheck %s

module attributes {hone_machine.cpu = #hone_machine.cpu<"tiles", vector_bits = 512, vector_registers = 32, byte_dot = 1, bf16_dot = 4, byte_matrix = 1, bf16_matrix = 1>} {
// Four matrices of sums and their operands take all registers.
// CHECK-LABEL: func.func @many_rows(
// CHECK:         form = "matrix_bytes", tileRows = 32, tileVectors = 2
func.func @many_rows(%a: memref<200x256xi8>, %b: memref<8x64x16x4xi8>, %out: memref<200x128xi32>) {
  hone.kernel.matmul ins(%a, %b : memref<200x256xi8>, memref<8x64x16x4xi8>) maps [] outs(%out : memref<200x128xi32>)
      packed <16, 4> {
  ^bb0(%acc: i32):
    hone.kernel.yield %acc : i32
  }
  return
}

// What is left of K has operands of its own.
// CHECK-LABEL: func.func @rest_of_k(
// CHECK:         form = "matrix_bytes", tileRows = 16, tileVectors = 2
func.func @rest_of_k(%a: memref<200x260xi8>, %b: memref<8x65x16x4xi8>, %out: memref<200x128xi32>) {
  hone.kernel.matmul ins(%a, %b : memref<200x260xi8>, memref<8x65x16x4xi8>) maps [] outs(%out : memref<200x128xi32>)
      packed <16, 4> {
  ^bb0(%acc: i32):
    hone.kernel.yield %acc : i32
  }
  return
}

// A short K alone has all registers.
// CHECK-LABEL: func.func @short_k(
// CHECK:         form = "matrix_bytes", tileRows = 32, tileVectors = 2
func.func @short_k(%a: memref<200x60xi8>, %b: memref<8x15x16x4xi8>, %out: memref<200x128xi32>) {
  hone.kernel.matmul ins(%a, %b : memref<200x60xi8>, memref<8x15x16x4xi8>) maps [] outs(%out : memref<200x128xi32>)
      packed <16, 4> {
  ^bb0(%acc: i32):
    hone.kernel.yield %acc : i32
  }
  return
}

// Matrices of few rows wait for each other.
// CHECK-LABEL: func.func @one_row(
// CHECK:         form = "dot_bytes"
func.func @one_row(%a: memref<1x256xi8>, %b: memref<8x64x16x4xi8>, %out: memref<1x128xi32>) {
  hone.kernel.matmul ins(%a, %b : memref<1x256xi8>, memref<8x64x16x4xi8>) maps [] outs(%out : memref<1x128xi32>)
      packed <16, 4> {
  ^bb0(%acc: i32):
    hone.kernel.yield %acc : i32
  }
  return
}

// CHECK-LABEL: func.func @pairs(
// CHECK:         form = "matrix_bf16", tileRows = 32, tileVectors = 2
func.func @pairs(%a: memref<?x256xf32>, %b: memref<8x128x16x2xbf16>, %out: memref<?x128xf32>) {
  hone.kernel.matmul ins(%a, %b : memref<?x256xf32>, memref<8x128x16x2xbf16>) maps [] outs(%out : memref<?x128xf32>)
      packed <16, 2> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// A row of 14 pixels is one matrix.
// CHECK-LABEL: func.func @convolution(
// CHECK:         form = "matrix_bf16", tileRows = 14, tileVectors = 2, blockRows =
func.func @convolution(%x: memref<1x14x14x64xf32>, %f: memref<4x3x3x32x16x2xbf16>, %out: memref<1x14x14x64xf32>) {
  hone.kernel.conv ins(%x, %f : memref<1x14x14x64xf32>, memref<4x3x3x32x16x2xbf16>) maps []
      outs(%out : memref<1x14x14x64xf32>) kernel [3, 3] strides [1, 1] dilations [1, 1] pads [1, 1, 1, 1] group 1
      channels_last packed <16, 2> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// With padding these rows are too long for tiles of some heights, so for all.
// CHECK-LABEL: func.func @long_rows(
// CHECK:         form = "fma_pairs"
func.func @long_rows(%x: memref<1x144x1728xf32>, %f: memref<4x145x864x16x2xbf16>, %out: memref<1x144x64xf32>) {
  hone.kernel.conv ins(%x, %f : memref<1x144x1728xf32>, memref<4x145x864x16x2xbf16>) maps []
      outs(%out : memref<1x144x64xf32>) kernel [145] strides [1] dilations [1] pads [72, 72] group 1
      channels_last packed <16, 2> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// Rows of a free size cannot be converted.
// CHECK-LABEL: func.func @free_rows(
// CHECK:         form = "fma_pairs"
func.func @free_rows(%x: memref<1x?x?x64xf32>, %f: memref<4x3x3x32x16x2xbf16>, %out: memref<1x?x?x64xf32>) {
  hone.kernel.conv ins(%x, %f : memref<1x?x?x64xf32>, memref<4x3x3x32x16x2xbf16>) maps []
      outs(%out : memref<1x?x?x64xf32>) kernel [3, 3] strides [1, 1] dilations [1, 1] pads [1, 1, 1, 1] group 1
      channels_last packed <16, 2> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}
}
