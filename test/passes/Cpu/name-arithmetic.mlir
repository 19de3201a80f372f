// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(hone-set-machine{cpu=x86-64-v3},func.func(hone-schedule-kernels,hone-name-arithmetic))' | FileCheck %s
// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(hone-set-machine{cpu=x86-64-v2},func.func(hone-schedule-kernels,hone-name-arithmetic))' | FileCheck %s --check-prefix=OLD

// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(hone-schedule-kernels,hone-name-arithmetic))' | FileCheck %s --check-prefix=DOT

// A kernel is named after its products, and keeps their schedules.
// CHECK-LABEL: func.func @product(
// CHECK-SAME:  hone.arithmetic = "fma f32 x f32 -> f32"
// CHECK-SAME:  hone.schedules = [#hone.schedule<form = "fma"
// OLD-LABEL:   func.func @product(
// OLD-SAME:    hone.arithmetic = "mul_add f32 x f32 -> f32"
func.func @product(%a: memref<64x64xf32>, %b: memref<4x64x16xf32>, %out: memref<64x64xf32>) {
  hone.kernel.matmul ins(%a, %b : memref<64x64xf32>, memref<4x64x16xf32>) maps [] outs(%out : memref<64x64xf32>)
      packed <16, 1> {
  ^bb0(%acc: f32):
    %twice = arith.addf %acc, %acc : f32
    hone.kernel.yield %twice : f32
  }
  return
}

// -----

// CHECK-LABEL: func.func @bytes(
// CHECK-SAME:  hone.arithmetic = "add_pairs u8 x s8 -> s32"
func.func @bytes(%a: memref<64x64xi8>, %b: memref<4x16x16x4xi8>, %out: memref<64x64xi32>) {
  hone.kernel.matmul ins(%a, %b : memref<64x64xi8>, memref<4x16x16x4xi8>) maps [] outs(%out : memref<64x64xi32>)
      packed <16, 4> {
  ^bb0(%acc: i32):
    hone.kernel.yield %acc : i32
  }
  return
}

// -----

// Codes are multiplied by floats, or by what these are rounded to.
// CHECK-LABEL: func.func @codes(
// CHECK-SAME:  hone.arithmetic = "fma f32 x 4 bits -> f32, add_code_pairs s8 x u4 -> s32, add_widened_codes s8 x u8 -> s32"
func.func @codes(%a: memref<2x64xf32>, %b: memref<1x2x80xi32>, %c: memref<1x2x144xi32>, %out: memref<2x16xf32>) {
  hone.kernel.matmul ins(%a, %b : memref<2x64xf32>, memref<1x2x80xi32>) maps [] outs(%out : memref<2x16xf32>)
      packed <16, 8> quantized <block = 32, scale = f32, zero = 8> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  hone.kernel.matmul ins(%a, %b : memref<2x64xf32>, memref<1x2x80xi32>) maps [] outs(%out : memref<2x16xf32>)
      packed <16, 8> quantized <block = 32, scale = f32, zero = 8, bytes = true> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  hone.kernel.matmul ins(%a, %c : memref<2x64xf32>, memref<1x2x144xi32>) maps [] outs(%out : memref<2x16xf32>)
      packed <16, 4> quantized <block = 32, scale = f32, zero = 8, bytes = true> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// Without dot products, depthwise convolutions of bytes are summed in f32.
// CHECK-LABEL: func.func @depthwise(
// CHECK-SAME:  hone.arithmetic = "fma u8 x s8 -> f32"
// DOT-LABEL:   func.func @depthwise(
// DOT-SAME:    hone.arithmetic = "dot_bytes (VNNI) u8 x s8 -> s32"
module attributes {hone_machine.cpu = #hone_machine.cpu<"dots", vector_bits = 512, vector_registers = 32, byte_dot = 1>} {
func.func @depthwise(%x: memref<1x8x8x16xi8>, %w: memref<3x3x16xi8>, %out: memref<1x6x6x16xi32>) {
  hone.kernel.conv ins(%x, %w : memref<1x8x8x16xi8>, memref<3x3x16xi8>) maps [] outs(%out : memref<1x6x6x16xi32>)
      kernel [3, 3] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] group 16 channels_last depthwise {
  ^bb0(%acc: i32):
    hone.kernel.yield %acc : i32
  }
  return
}
}

// -----

// CHECK-LABEL: func.func @other(
// CHECK-SAME:  hone.arithmetic = "f32"
func.func @other(%x: memref<8xf32>, %out: memref<8xf32>) {
  linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      ins(%x : memref<8xf32>) outs(%out : memref<8xf32>) {
  ^bb0(%in: f32, %old: f32):
    %twice = arith.addf %in, %in : f32
    linalg.yield %twice : f32
  }
  return
}

// -----

// CHECK-LABEL: func.func @movement(
// CHECK-SAME:  hone.arithmetic = ""
func.func @movement(%x: memref<8xf32>, %out: memref<8xf16>) {
  linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      ins(%x : memref<8xf32>) outs(%out : memref<8xf16>) {
  ^bb0(%in: f32, %old: f16):
    %narrow = arith.truncf %in : f32 to f16
    linalg.yield %narrow : f16
  }
  return
}
