// RUN: hone-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(func.func(hone-schedule-kernels,hone-lower-contractions))'

module attributes {hone_machine.cpu = #hone_machine.cpu<"wide", vector_bits = 512, vector_registers = 32>} {
func.func @machine(%a: memref<64x256xi8>, %b: memref<8x72x16x4xi8>, %out: memref<64x128xi32>) {
  // expected-error @below {{has panels in an order that wide does not multiply}}
  hone.kernel.matmul ins(%a, %b : memref<64x256xi8>, memref<8x72x16x4xi8>) maps [] outs(%out : memref<64x128xi32>)
      packed <16, 4, corrections = 0> {
  ^bb0(%acc: i32):
    hone.kernel.yield %acc : i32
  }
  return
}
}

// -----

module attributes {hone_machine.cpu = #hone_machine.cpu<"pairs", vector_bits = 256, vector_registers = 16>} {
func.func @columns(%a: memref<64x256xi8>, %b: memref<8x72x16x4xi8>, %out: memref<64x128xi32>) {
  // expected-error @below {{has tiles of 16 columns, but 8 with one order}}
  hone.kernel.matmul ins(%a, %b : memref<64x256xi8>, memref<8x72x16x4xi8>) maps [] outs(%out : memref<64x128xi32>)
      packed <16, 4, corrections = 0>
      schedule <form = "pair_bytes", tileRows = 4, tileVectors = 2, blockRows = 0, blockColumns = 0, blockK = 0, packed = false> {
  ^bb0(%acc: i32):
    hone.kernel.yield %acc : i32
  }
  return
}
}

// -----

module attributes {hone_machine.cpu = #hone_machine.cpu<"pairs", vector_bits = 256, vector_registers = 16>} {
func.func @chunks(%a: memref<64x256xi8>, %b: memref<8x72x16x4xi8>, %out: memref<64x128xi32>) {
  // expected-error @below {{has chunks of K, but corrections for all of it}}
  hone.kernel.matmul ins(%a, %b : memref<64x256xi8>, memref<8x72x16x4xi8>) maps [] outs(%out : memref<64x128xi32>)
      packed <16, 4, corrections = 0>
      schedule <form = "pair_bytes", tileRows = 8, tileVectors = 1, blockRows = 0, blockColumns = 0, blockK = 64, packed = false> {
  ^bb0(%acc: i32):
    hone.kernel.yield %acc : i32
  }
  return
}
}
