// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(hone-set-machine{cpu=x86-64-v3},func.func(hone-schedule-kernels))' | FileCheck %s
// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(hone-set-machine{cpu=x86-64-v4},func.func(hone-schedule-kernels))' | FileCheck %s --check-prefix=WIDE
// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(hone-set-machine{cpu=x86-64-v4 threads=1},func.func(hone-schedule-kernels))' | FileCheck %s --check-prefix=ONE

// Rows that lie 4 KiB apart fall into one set of the L1 cache, which keeps 8 of them. A little further
// apart, and a tile may be as tall as the registers allow.
// CHECK-LABEL: func.func @colliding_rows(
// CHECK:       schedule <form = "fma", tileRows = 6, tileVectors = 2, blockRows = 114, blockColumns = 0, blockK = 0, packed = false>
// WIDE-LABEL:  func.func @colliding_rows(
// WIDE:        schedule <form = "fma", tileRows = 6, tileVectors = 4, blockRows = 114, blockColumns = 0, blockK = 0, packed = false>
func.func @colliding_rows(%a: memref<1024x1024xf32>, %b: memref<64x1024x16xf32>, %out: memref<1024x1024xf32>) {
  hone.kernel.matmul ins(%a, %b : memref<1024x1024xf32>, memref<64x1024x16xf32>) maps [] outs(%out : memref<1024x1024xf32>)
      packed <16, 1> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// CHECK-LABEL: func.func @spread_rows(
// CHECK:       schedule <form = "fma", tileRows = 6, tileVectors = 2, blockRows = 114, blockColumns = 0, blockK = 0, packed = false>
// WIDE-LABEL:  func.func @spread_rows(
// WIDE:        schedule <form = "fma", tileRows = 14, tileVectors = 2, blockRows = 126, blockColumns = 0, blockK = 0, packed = false>
func.func @spread_rows(%a: memref<1024x1040xf32>, %b: memref<64x1040x16xf32>, %out: memref<1024x1024xf32>) {
  hone.kernel.matmul ins(%a, %b : memref<1024x1040xf32>, memref<64x1040x16xf32>) maps [] outs(%out : memref<1024x1024xf32>)
      packed <16, 1> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// What is read again does not fit the L2 cache with all of K.
// CHECK-LABEL: func.func @long_k(
// CHECK:       schedule <form = "fma", tileRows = 6, tileVectors = 2, blockRows = 174, blockColumns = 0, blockK = 640, packed = false>
// WIDE-LABEL:  func.func @long_k(
// WIDE:        schedule <form = "fma", tileRows = 6, tileVectors = 4, blockRows = 174, blockColumns = 0, blockK = 640, packed = false>
func.func @long_k(%a: memref<512x8192xf32>, %b: memref<64x8192x16xf32>, %out: memref<512x1024xf32>) {
  hone.kernel.matmul ins(%a, %b : memref<512x8192xf32>, memref<64x8192x16xf32>) maps [] outs(%out : memref<512x1024xf32>)
      packed <16, 1> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// A transposed operand is packed, in chunks where K is free.
// CHECK-LABEL: func.func @transposed(
// CHECK:       schedule <form = "fma", tileRows = 6, tileVectors = 2, blockRows = 18, blockColumns = 0, blockK = 512, packed = true>
// WIDE-LABEL:  func.func @transposed(
// WIDE:        schedule <form = "fma", tileRows = 13, tileVectors = 2, blockRows = 13, blockColumns = 0, blockK = 512, packed = true>
// ONE-LABEL:   func.func @transposed(
// ONE:         schedule <form = "fma", tileRows = 13, tileVectors = 2, blockRows = 65, blockColumns = 0, blockK = 512, packed = true>
func.func @transposed(%a: memref<64x?xf32>, %b: memref<64x?xf32>, %out: memref<64x64xf32>) {
  hone.kernel.matmul ins(%a, %b : memref<64x?xf32>, memref<64x?xf32>) maps [] outs(%out : memref<64x64xf32>) transpose_rhs {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// Few rows of it are dot products.
// CHECK-LABEL: func.func @dots(
// CHECK:       schedule <form = "fma", tileRows = 1, tileVectors = 2, blockRows = 2, blockColumns = 0, blockK = 0, packed = false>
// WIDE-LABEL:  func.func @dots(
// WIDE:        schedule <form = "fma", tileRows = 1, tileVectors = 2, blockRows = 2, blockColumns = 0, blockK = 0, packed = false>
func.func @dots(%a: memref<2x64xf32>, %b: memref<64x64xf32>, %out: memref<2x64xf32>) {
  hone.kernel.matmul ins(%a, %b : memref<2x64xf32>, memref<64x64xf32>) maps [] outs(%out : memref<2x64xf32>) transpose_rhs {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// A convolution of one element is a product over all pixels.
// CHECK-LABEL: func.func @point(
// CHECK:       schedule <form = "fma", tileRows = 6, tileVectors = 2, blockRows = 198, blockColumns = 0, blockK = 0, packed = false>
// WIDE-LABEL:  func.func @point(
// WIDE:        schedule <form = "fma", tileRows = 14, tileVectors = 2, blockRows = 196, blockColumns = 0, blockK = 0, packed = false>
func.func @point(%in: memref<1x28x28x512xf32>, %filter: memref<8x1x1x512x16xf32>, %out: memref<1x28x28x128xf32>) {
  hone.kernel.conv ins(%in, %filter : memref<1x28x28x512xf32>, memref<8x1x1x512x16xf32>) maps []
      outs(%out : memref<1x28x28x128xf32>) kernel [1, 1] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] group 1
      channels_last packed <16, 1> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// Others have rows of pixels.
// CHECK-LABEL: func.func @window(
// CHECK:       schedule <form = "fma", tileRows = 6, tileVectors = 2, blockRows = 14, blockColumns = 0, blockK = 0, packed = false>
// WIDE-LABEL:  func.func @window(
// WIDE:        schedule <form = "fma", tileRows = 14, tileVectors = 2, blockRows = 7, blockColumns = 0, blockK = 0, packed = false>
// ONE-LABEL:   func.func @window(
// ONE:         schedule <form = "fma", tileRows = 14, tileVectors = 2, blockRows = 28, blockColumns = 0, blockK = 0, packed = false>
func.func @window(%in: memref<1x28x28x64xf32>, %filter: memref<8x3x3x64x16xf32>, %out: memref<1x28x28x128xf32>) {
  hone.kernel.conv ins(%in, %filter : memref<1x28x28x64xf32>, memref<8x3x3x64x16xf32>) maps []
      outs(%out : memref<1x28x28x128xf32>) kernel [3, 3] strides [1, 1] dilations [1, 1] pads [1, 1, 1, 1] group 1
      channels_last packed <16, 1> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// Filters that are not in panels have no schedule, and one that is there is kept.
// CHECK-LABEL: func.func @kept(
// CHECK:       schedule <form = "fma", tileRows = 2, tileVectors = 2, blockRows = 4, blockColumns = 32, blockK = 16, packed = false>
// WIDE-LABEL:  func.func @kept(
// WIDE:        schedule <form = "fma", tileRows = 2, tileVectors = 2, blockRows = 4, blockColumns = 32, blockK = 16, packed = false>
func.func @kept(%in: memref<1x3x8x8xf32>, %filter: memref<4x3x3x3xf32>, %pixels: memref<1x4x6x6xf32>,
                %a: memref<64x64xf32>, %b: memref<4x64x16xf32>, %out: memref<64x64xf32>) {
  hone.kernel.conv ins(%in, %filter : memref<1x3x8x8xf32>, memref<4x3x3x3xf32>) maps []
      outs(%pixels : memref<1x4x6x6xf32>) kernel [3, 3] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] group 1 {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  hone.kernel.matmul ins(%a, %b : memref<64x64xf32>, memref<4x64x16xf32>) maps [] outs(%out : memref<64x64xf32>) packed <16, 1>
      schedule <form = "fma", tileRows = 2, tileVectors = 2, blockRows = 4, blockColumns = 32, blockK = 16, packed = false> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// CHECK-LABEL: func.func @attention(
// CHECK:       schedule <form = "fma", tileRows = 6, tileVectors = 2, blockRows = 132, blockColumns = 128, blockK = 0, packed = false>
// WIDE-LABEL:  func.func @attention(
// WIDE:        schedule <form = "fma", tileRows = 13, tileVectors = 2, blockRows = 130, blockColumns = 128, blockK = 0, packed = false>
func.func @attention(%q: memref<12x128x64xf32>, %k: memref<12x128x64xf32>, %v: memref<12x128x64xf32>,
                     %out: memref<12x128x64xf32>) {
  hone.kernel.attention ins(%q, %k, %v : memref<12x128x64xf32>, memref<12x128x64xf32>, memref<12x128x64xf32>) maps []
      outs(%out : memref<12x128x64xf32>) {
  ^bb0(%acc: f32, %row: index, %column: index):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// Eight columns are half a vector of 512 bits.
// CHECK-LABEL: func.func @few_columns(
// CHECK:       schedule <form = "fma", tileRows = 8, tileVectors = 1,
// WIDE-LABEL:  func.func @few_columns(
// WIDE:        schedule <form = "fma_half", tileRows = 16, tileVectors = 1,
func.func @few_columns(%a: memref<96x64xf32>, %b: memref<1x64x16xf32>, %out: memref<96x8xf32>) {
  hone.kernel.matmul ins(%a, %b : memref<96x64xf32>, memref<1x64x16xf32>) maps [] outs(%out : memref<96x8xf32>) packed <16, 1> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// With a stride of two pixels, 512 channels are 4 KiB apart.
// CHECK-LABEL: func.func @strided_point(
// CHECK:       schedule <form = "fma", tileRows = 6, tileVectors = 2,
// WIDE-LABEL:  func.func @strided_point(
// WIDE:        schedule <form = "fma", tileRows = 6, tileVectors = 4,
func.func @strided_point(%in: memref<1x28x28x512xf32>, %filter: memref<64x1x1x512x16xf32>, %out: memref<1x14x14x1024xf32>) {
  hone.kernel.conv ins(%in, %filter : memref<1x28x28x512xf32>, memref<64x1x1x512x16xf32>) maps []
      outs(%out : memref<1x14x14x1024xf32>) kernel [1, 1] strides [2, 2] dilations [1, 1] pads [0, 0, 0, 0] group 1
      channels_last packed <16, 1> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// Without dot products of bytes, rows are widened for several tiles of columns.
// CHECK-LABEL: func.func @widened_bytes(
// CHECK:       schedule <form = "add_pairs", tileRows = 6, tileVectors = 2, blockRows = {{[0-9]+}}, blockColumns = 64,
func.func @widened_bytes(%a: memref<126x1024xi8>, %b: memref<64x256x16x4xi8>, %out: memref<126x1024xi32>) {
  hone.kernel.matmul ins(%a, %b : memref<126x1024xi8>, memref<64x256x16x4xi8>) maps []
      outs(%out : memref<126x1024xi32>) packed <16, 4> {
  ^bb0(%acc: i32):
    hone.kernel.yield %acc : i32
  }
  return
}

// -----

// Bytes on the right that are not packed are copied to panels. Rows on the left that end within a step of four elements are
// copied, too, also with dot products.
// CHECK-LABEL: func.func @two_inputs(
// CHECK:       schedule <form = "add_pairs", {{.+}}, blockK = 0, packed = true>
// CHECK:       schedule <form = "add_pairs", {{.+}}, blockK = 0, packed = true>
// WIDE-LABEL:  func.func @two_inputs(
func.func @two_inputs(%a: memref<2x33x62xi8>, %b: memref<2x62x24xi8>, %c: memref<2x24x62xi8>, %out: memref<2x33x24xi32>) {
  hone.kernel.matmul ins(%a, %b : memref<2x33x62xi8>, memref<2x62x24xi8>) maps [] outs(%out : memref<2x33x24xi32>) {
  ^bb0(%acc: i32):
    hone.kernel.yield %acc : i32
  }
  hone.kernel.matmul ins(%a, %c : memref<2x33x62xi8>, memref<2x24x62xi8>) maps [] outs(%out : memref<2x33x24xi32>) transpose_rhs {
  ^bb0(%acc: i32):
    hone.kernel.yield %acc : i32
  }
  return
}

// -----

// So are rows of a convolution.
// CHECK-LABEL: func.func @widened_rows(
// CHECK:       schedule <form = "add_pairs", tileRows = {{[0-9]+}}, tileVectors = 2, blockRows = {{[0-9]+}}, blockColumns = {{[1-9][0-9]+}},
func.func @widened_rows(%in: memref<1x56x56x64xi8>, %filter: memref<4x3x3x16x16x4xi8>, %out: memref<1x56x56x64xi32>) {
  hone.kernel.conv ins(%in, %filter : memref<1x56x56x64xi8>, memref<4x3x3x16x16x4xi8>) maps []
      outs(%out : memref<1x56x56x64xi32>) kernel [3, 3] strides [1, 1] dilations [1, 1] pads [1, 1, 1, 1] group 1
      channels_last packed <16, 4> {
  ^bb0(%acc: i32):
    hone.kernel.yield %acc : i32
  }
  return
}

// -----

// Unpacking takes more than the sums, and half vectors of it as long as whole ones.
// CHECK-LABEL: func.func @unpacked(
// CHECK:       schedule <form = "fma", tileRows = 1, tileVectors = 4,
// WIDE-LABEL:  func.func @unpacked(
// WIDE:        schedule <form = "fma", tileRows = 1, tileVectors = 4,
func.func @unpacked(%a: memref<1x512xf32>, %b: memref<8x16x80xi32>, %out: memref<1x128xf32>) {
  hone.kernel.matmul ins(%a, %b : memref<1x512xf32>, memref<8x16x80xi32>) maps [] outs(%out : memref<1x128xf32>)
      packed <16, 8> quantized <block = 32, scale = f32, zero = 8> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}
