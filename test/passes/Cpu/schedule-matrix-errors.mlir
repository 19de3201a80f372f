// RUN: hone-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(func.func(hone-lower-contractions,hone-lower-convolutions))'

module attributes {hone_machine.cpu = #hone_machine.cpu<"tiles", vector_bits = 512, vector_registers = 32, byte_dot = 1, bf16_dot = 4, byte_matrix = 1, bf16_matrix = 1>} {
func.func @registers(%a: memref<64x256xi8>, %b: memref<8x64x16x4xi8>, %out: memref<64x128xi32>) {
  // expected-error @below {{has tiles of 32 x 3 vectors, more than tiles has registers for}}
  hone.kernel.matmul ins(%a, %b : memref<64x256xi8>, memref<8x64x16x4xi8>) maps [] outs(%out : memref<64x128xi32>) packed <16, 4>
      schedule <form = "matrix_bytes", tileRows = 32, tileVectors = 3, blockRows = 0, blockColumns = 0, blockK = 0, packed = false> {
  ^bb0(%acc: i32):
    hone.kernel.yield %acc : i32
  }
  return
}
}

// -----

module attributes {hone_machine.cpu = #hone_machine.cpu<"tiles", vector_bits = 512, vector_registers = 32, byte_dot = 1, bf16_dot = 4, byte_matrix = 1, bf16_matrix = 1>} {
func.func @rows(%a: memref<64x256xi8>, %b: memref<8x64x16x4xi8>, %out: memref<64x128xi32>) {
  // expected-error @below {{has tiles of 24 rows, but matrices of 16}}
  hone.kernel.matmul ins(%a, %b : memref<64x256xi8>, memref<8x64x16x4xi8>) maps [] outs(%out : memref<64x128xi32>) packed <16, 4>
      schedule <form = "matrix_bytes", tileRows = 24, tileVectors = 2, blockRows = 0, blockColumns = 0, blockK = 0, packed = false> {
  ^bb0(%acc: i32):
    hone.kernel.yield %acc : i32
  }
  return
}
}

// -----

module attributes {hone_machine.cpu = #hone_machine.cpu<"tiles", vector_bits = 512, vector_registers = 32, byte_dot = 1, bf16_dot = 4, byte_matrix = 1, bf16_matrix = 1>} {
func.func @rest(%a: memref<64x260xi8>, %b: memref<8x65x16x4xi8>, %out: memref<64x128xi32>) {
  // expected-error @below {{has tiles of 32 x 2 vectors, for which there are too few registers if the last matrices are smaller}}
  hone.kernel.matmul ins(%a, %b : memref<64x260xi8>, memref<8x65x16x4xi8>) maps [] outs(%out : memref<64x128xi32>) packed <16, 4>
      schedule <form = "matrix_bytes", tileRows = 32, tileVectors = 2, blockRows = 0, blockColumns = 0, blockK = 0, packed = false> {
  ^bb0(%acc: i32):
    hone.kernel.yield %acc : i32
  }
  return
}
}

// -----

module attributes {hone_machine.cpu = #hone_machine.cpu<"tiles", vector_bits = 512, vector_registers = 32, byte_dot = 1, bf16_dot = 4, byte_matrix = 1, bf16_matrix = 1>} {
func.func @chunks(%a: memref<64x256xi8>, %b: memref<8x64x16x4xi8>, %out: memref<64x128xi32>) {
  // expected-error @below {{has chunks of 80 elements of K, which come in steps of 64}}
  hone.kernel.matmul ins(%a, %b : memref<64x256xi8>, memref<8x64x16x4xi8>) maps [] outs(%out : memref<64x128xi32>) packed <16, 4>
      schedule <form = "matrix_bytes", tileRows = 32, tileVectors = 2, blockRows = 0, blockColumns = 0, blockK = 80, packed = false> {
  ^bb0(%acc: i32):
    hone.kernel.yield %acc : i32
  }
  return
}
}

// -----

module attributes {hone_machine.cpu = #hone_machine.cpu<"tiles", vector_bits = 512, vector_registers = 32, byte_dot = 1, bf16_dot = 4, byte_matrix = 1, bf16_matrix = 1>} {
func.func @free_k(%a: memref<64x?xi8>, %b: memref<8x64x16x4xi8>, %out: memref<64x128xi32>) {
  // expected-error @below {{has matrices, but a free K}}
  hone.kernel.matmul ins(%a, %b : memref<64x?xi8>, memref<8x64x16x4xi8>) maps [] outs(%out : memref<64x128xi32>) packed <16, 4>
      schedule <form = "matrix_bytes", tileRows = 32, tileVectors = 2, blockRows = 0, blockColumns = 0, blockK = 0, packed = false> {
  ^bb0(%acc: i32):
    hone.kernel.yield %acc : i32
  }
  return
}
}

// -----

module attributes {hone_machine.cpu = #hone_machine.cpu<"tiles", vector_bits = 512, vector_registers = 32, byte_dot = 1, bf16_dot = 4, byte_matrix = 1, bf16_matrix = 1>} {
func.func @free_rows(%x: memref<1x?x?x64xi8>, %f: memref<4x3x3x16x16x4xi8>, %out: memref<1x?x?x64xi32>) {
  // expected-error @below {{has the form 'matrix_bytes', which tiles does not have for its types}}
  hone.kernel.conv ins(%x, %f : memref<1x?x?x64xi8>, memref<4x3x3x16x16x4xi8>) maps [] outs(%out : memref<1x?x?x64xi32>)
      kernel [3, 3] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] group 1 channels_last packed <16, 4>
      schedule <form = "matrix_bytes", tileRows = 32, tileVectors = 2, blockRows = 1, blockColumns = 0, blockK = 0, packed = false> {
  ^bb0(%acc: i32):
    hone.kernel.yield %acc : i32
  }
  return
}
}

// -----

module attributes {hone_machine.cpu = #hone_machine.cpu<"dots", vector_bits = 512, vector_registers = 32, byte_dot = 1>} {
func.func @without(%a: memref<64x256xi8>, %b: memref<8x64x16x4xi8>, %out: memref<64x128xi32>) {
  // expected-error @below {{has the form 'matrix_bytes', which dots does not have for its types}}
  hone.kernel.matmul ins(%a, %b : memref<64x256xi8>, memref<8x64x16x4xi8>) maps [] outs(%out : memref<64x128xi32>) packed <16, 4>
      schedule <form = "matrix_bytes", tileRows = 32, tileVectors = 2, blockRows = 0, blockColumns = 0, blockK = 0, packed = false> {
  ^bb0(%acc: i32):
    hone.kernel.yield %acc : i32
  }
  return
}
}

// -----

module attributes {hone_machine.cpu = #hone_machine.cpu<"tiles", vector_bits = 512, vector_registers = 32, byte_dot = 1, bf16_dot = 4, byte_matrix = 1, bf16_matrix = 1>} {
func.func @dot_products(%a: memref<2x256xi8>, %b: memref<128x256xi8>, %out: memref<2x128xi32>) {
  // expected-error @below {{has matrices, but rows that are none}}
  hone.kernel.matmul ins(%a, %b : memref<2x256xi8>, memref<128x256xi8>) maps [] outs(%out : memref<2x128xi32>) transpose_rhs
      schedule <form = "matrix_bytes", tileRows = 2, tileVectors = 2, blockRows = 0, blockColumns = 0, blockK = 0, packed = false> {
  ^bb0(%acc: i32):
    hone.kernel.yield %acc : i32
  }
  return
}
}
