// RUN: hone-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(hone-set-machine{cpu=x86-64-v3},func.func(hone-lower-contractions,hone-lower-attention,hone-lower-convolutions))'

func.func @missing(%a: memref<8x8xf32>, %b: memref<8x16xf32>, %out: memref<8x16xf32>) {
  // expected-error @below {{has no schedule: run hone-schedule-kernels before}}
  hone.kernel.matmul ins(%a, %b : memref<8x8xf32>, memref<8x16xf32>) maps [] outs(%out : memref<8x16xf32>) {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

func.func @registers(%a: memref<8x8xf32>, %b: memref<8x16xf32>, %out: memref<8x16xf32>) {
  // expected-error @below {{has tiles of 7 x 2 vectors, more than x86-64-v3 has registers for}}
  hone.kernel.matmul ins(%a, %b : memref<8x8xf32>, memref<8x16xf32>) maps [] outs(%out : memref<8x16xf32>)
      schedule <form = "fma", tileRows = 7, tileVectors = 2, blockRows = 0, blockColumns = 0, blockK = 0, packed = false> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

func.func @width(%a: memref<8x8xf32>, %b: memref<8x16xf32>, %out: memref<8x16xf32>) {
  // expected-error @below {{has tiles of 24 columns, but panels of 16}}
  hone.kernel.matmul ins(%a, %b : memref<8x8xf32>, memref<8x16xf32>) maps [] outs(%out : memref<8x16xf32>)
      schedule <form = "fma", tileRows = 2, tileVectors = 3, blockRows = 0, blockColumns = 0, blockK = 0, packed = false> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

func.func @scratch(%a: memref<8x8xf32>, %b: memref<8x16xf32>, %out: memref<8x16xf32>) {
  // expected-error @below {{has blocks of more than}}
  hone.kernel.matmul ins(%a, %b : memref<8x8xf32>, memref<8x16xf32>) maps [] outs(%out : memref<8x16xf32>)
      schedule <form = "fma", tileRows = 2, tileVectors = 2, blockRows = 9223372036854775807, blockColumns = 160, blockK = 8, packed = false> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

func.func @transposed(%a: memref<8x8xf32>, %b: memref<16x8xf32>, %out: memref<8x16xf32>) {
  // expected-error @below {{has a transposed operand that is not packed}}
  hone.kernel.matmul ins(%a, %b : memref<8x8xf32>, memref<16x8xf32>) maps [] outs(%out : memref<8x16xf32>) transpose_rhs
      schedule <form = "fma", tileRows = 2, tileVectors = 2, blockRows = 0, blockColumns = 0, blockK = 0, packed = false> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

func.func @free_k(%a: memref<8x?xf32>, %b: memref<16x?xf32>, %out: memref<8x16xf32>) {
  // expected-error @below {{has a copy of all of a K that is free or large}}
  hone.kernel.matmul ins(%a, %b : memref<8x?xf32>, memref<16x?xf32>) maps [] outs(%out : memref<8x16xf32>) transpose_rhs
      schedule <form = "fma", tileRows = 2, tileVectors = 2, blockRows = 0, blockColumns = 0, blockK = 0, packed = true> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

func.func @panels(%a: memref<8x8xf32>, %b: memref<1x8x16xf32>, %out: memref<8x16xf32>) {
  // expected-error @below {{has a copy of panels, whose rows follow each other anyway}}
  hone.kernel.matmul ins(%a, %b : memref<8x8xf32>, memref<1x8x16xf32>) maps [] outs(%out : memref<8x16xf32>) packed <16, 1>
      schedule <form = "fma", tileRows = 2, tileVectors = 2, blockRows = 0, blockColumns = 0, blockK = 0, packed = true> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

func.func @attention(%q: memref<2x32x16xf32>, %out: memref<2x32x16xf32>) {
  // expected-error @below {{has blocks that are not made of whole tiles}}
  hone.kernel.attention ins(%q, %q, %q : memref<2x32x16xf32>, memref<2x32x16xf32>, memref<2x32x16xf32>) maps []
      outs(%out : memref<2x32x16xf32>)
      schedule <form = "fma", tileRows = 6, tileVectors = 2, blockRows = 16, blockColumns = 32, blockK = 0, packed = false> {
  ^bb0(%acc: f32, %row: index, %column: index):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

func.func @tile(%a: memref<8x8xf32>, %b: memref<8x16xf32>, %out: memref<8x16xf32>) {
  hone.kernel.matmul ins(%a, %b : memref<8x8xf32>, memref<8x16xf32>) maps [] outs(%out : memref<8x16xf32>)
      // expected-error @below {{a register tile has at least one row and one vector}}
      schedule <form = "fma", tileRows = 0, tileVectors = 3, blockRows = 0, blockColumns = 0, blockK = 0, packed = false> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

func.func @parts_of_blocks(%a: memref<24x512xf32>, %b: memref<2x4x272xi32>, %out: memref<24x32xf32>) {
  // expected-error @below {{has chunks of 64 elements of K, which have scales for each 128}}
  hone.kernel.matmul ins(%a, %b : memref<24x512xf32>, memref<2x4x272xi32>) maps [] outs(%out : memref<24x32xf32>)
      packed <16, 8> quantized <block = 128, scale = f32, zero = 8, bytes = true>
      schedule <form = "add_code_pairs", tileRows = 4, tileVectors = 2, blockRows = 0, blockColumns = 0, blockK = 64, packed = true> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

func.func @bytes(%a: memref<8x8xi8>, %b: memref<8x16xi8>, %out: memref<8x16xi32>) {
  // expected-error @below {{has rows of bytes that are not packed}}
  hone.kernel.matmul ins(%a, %b : memref<8x8xi8>, memref<8x16xi8>) maps [] outs(%out : memref<8x16xi32>)
      schedule <form = "add_pairs", tileRows = 2, tileVectors = 2, blockRows = 0, blockColumns = 0, blockK = 0, packed = false> {
  ^bb0(%acc: i32):
    hone.kernel.yield %acc : i32
  }
  return
}
