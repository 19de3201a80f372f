// Products of bf16 in pairs: dot products where they are as fast as multiply-adds of f32, otherwise widened numbers.
// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(hone-schedule-kernels))' | FileCheck %s
// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(hone-set-machine{cpu=x86-64-v3},func.func(hone-schedule-kernels))' | FileCheck %s --check-prefix=V3
// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(hone-set-machine{cpu=x86-64-v2},func.func(hone-schedule-kernels))' | FileCheck %s --check-prefix=V2

// CHECK-LABEL: func.func @fast_dot(
// CHECK:         form = "dot_bf16"
// V3-LABEL:    func.func @fast_dot(
// V3:            form = "fma_pairs"
// V2-LABEL:    func.func @fast_dot(
// V2:            form = "mul_add_pairs"
module attributes {hone_machine.cpu = #hone_machine.cpu<"fast", vector_bits = 512, vector_registers = 32, bf16_dot = 1>} {
  func.func @fast_dot(%a: memref<64x96xf32>, %b: memref<4x48x16x2xbf16>, %out: memref<64x64xf32>) {
    hone.kernel.matmul ins(%a, %b : memref<64x96xf32>, memref<4x48x16x2xbf16>) maps [] outs(%out : memref<64x64xf32>)
        packed <16, 2> {
    ^bb0(%acc: f32):
      hone.kernel.yield %acc : f32
    }
    return
  }
}

// -----

// Panels are widened once for many rows, and by each tile for few.
// CHECK-LABEL: func.func @slow_dot(
// CHECK:         form = "fma_pairs"
// CHECK-SAME:    packed = true
// CHECK-LABEL: func.func @few_rows(
// CHECK:         form = "fma_pairs"
// CHECK-SAME:    packed = false
module attributes {hone_machine.cpu = #hone_machine.cpu<"slow", vector_bits = 512, vector_registers = 32, bf16_dot = 4>} {
  func.func @slow_dot(%a: memref<64x96xbf16>, %b: memref<4x48x16x2xbf16>, %out: memref<64x64xbf16>) {
    hone.kernel.matmul ins(%a, %b : memref<64x96xbf16>, memref<4x48x16x2xbf16>) maps [] outs(%out : memref<64x64xbf16>)
        packed <16, 2> {
    ^bb0(%acc: f32):
      %r = arith.truncf %acc : f32 to bf16
      hone.kernel.yield %r : bf16
    }
    return
  }
  func.func @few_rows(%a: memref<32x96xf32>, %b: memref<4x48x16x2xbf16>, %out: memref<32x64xf32>) {
    hone.kernel.matmul ins(%a, %b : memref<32x96xf32>, memref<4x48x16x2xbf16>) maps [] outs(%out : memref<32x64xf32>)
        packed <16, 2> {
    ^bb0(%acc: f32):
      hone.kernel.yield %acc : f32
    }
    return
  }
}

// -----

// Few columns need few lanes.
// CHECK-LABEL: func.func @few_columns(
// CHECK:         form = "fma_pairs_half"
module attributes {hone_machine.cpu = #hone_machine.cpu<"slow", vector_bits = 512, vector_registers = 32, bf16_dot = 4>} {
  func.func @few_columns(%a: memref<64x96xf32>, %b: memref<1x48x16x2xbf16>, %out: memref<64x8xf32>) {
    hone.kernel.matmul ins(%a, %b : memref<64x96xf32>, memref<1x48x16x2xbf16>) maps [] outs(%out : memref<64x8xf32>)
        packed <16, 2> {
    ^bb0(%acc: f32):
      hone.kernel.yield %acc : f32
    }
    return
  }
}

// -----

// Input rows of unknown size cannot be rounded before they are multiplied.
// CHECK-LABEL: func.func @free_row(
// CHECK:         form = "fma_pairs"
// CHECK-LABEL: func.func @known_row(
// CHECK:         form = "dot_bf16"
module attributes {hone_machine.cpu = #hone_machine.cpu<"fast", vector_bits = 512, vector_registers = 32, bf16_dot = 1>} {
  func.func @free_row(%x: memref<1x8x?x32xf32>, %f: memref<2x3x3x16x16x2xbf16>, %out: memref<1x6x?x32xf32>) {
    hone.kernel.conv ins(%x, %f : memref<1x8x?x32xf32>, memref<2x3x3x16x16x2xbf16>) maps [] outs(%out : memref<1x6x?x32xf32>)
        kernel [3, 3] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] group 1 channels_last packed <16, 2> {
    ^bb0(%acc: f32):
      hone.kernel.yield %acc : f32
    }
    return
  }
  func.func @known_row(%x: memref<1x?x8x32xf32>, %f: memref<2x3x3x16x16x2xbf16>, %out: memref<1x?x6x32xf32>) {
    hone.kernel.conv ins(%x, %f : memref<1x?x8x32xf32>, memref<2x3x3x16x16x2xbf16>) maps [] outs(%out : memref<1x?x6x32xf32>)
        kernel [3, 3] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] group 1 channels_last packed <16, 2> {
    ^bb0(%acc: f32):
      hone.kernel.yield %acc : f32
    }
    return
  }
}

// -----

// The panels of one tile of rows arrive once, whether the L1 cache would hold them or not.
// CHECK-LABEL: func.func @one_row(
// CHECK:         form = "dot_bf16", tileRows = 1, tileVectors = 8,
module attributes {hone_machine.cpu = #hone_machine.cpu<"fast", vector_bits = 512, vector_registers = 32, fma = 1, bf16_dot = 1>} {
  func.func @one_row(%a: memref<1x768xf32>, %b: memref<192x384x16x2xbf16>, %out: memref<1x3072xf32>) {
    hone.kernel.matmul ins(%a, %b : memref<1x768xf32>, memref<192x384x16x2xbf16>) maps [] outs(%out : memref<1x3072xf32>)
        packed <16, 2> {
    ^bb0(%acc: f32):
      hone.kernel.yield %acc : f32
    }
    return
  }
}
