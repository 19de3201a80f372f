// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(hone-set-machine{cpu=x86-64-v3},func.func(hone-schedule-kernels,hone-name-arithmetic))' | FileCheck %s
// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(hone-set-machine{cpu=x86-64-v3},func.func(hone-schedule-kernels,hone-lower-contractions,hone-lower-convolutions))' | FileCheck %s --check-prefix=CODE

// Bytes of which two products fit in 16 bits are not widened: a tile has the columns that have one order.
// CHECK-LABEL: func.func @ordered_bytes(
// CHECK-SAME:  hone.arithmetic = "pair_bytes u8 x s8 -> s32"
// CHECK:       schedule <form = "pair_bytes", tileRows = 8, tileVectors = 1, blockRows = {{[0-9]+}}, blockColumns = 0, blockK = 0, packed = false>
func.func @ordered_bytes(%a: memref<126x1024xi8>, %b: memref<64x288x16x4xi8>, %out: memref<126x1024xi32>) {
  hone.kernel.matmul ins(%a, %b : memref<126x1024xi8>, memref<64x288x16x4xi8>) maps []
      outs(%out : memref<126x1024xi32>) packed <16, 4, corrections = 0> {
  ^bb0(%acc: i32):
    hone.kernel.yield %acc : i32
  }
  return
}

// -----

// A vector of each row is put in order, and multiplied. What a correction reads of padding is 0.
// CODE-LABEL: func.func @ordered_rows(
// CODE:         llvm.call_intrinsic "llvm.x86.avx2.pshuf.b"
// CODE:         llvm.call_intrinsic "llvm.x86.avx2.pmadd.ub.sw"
// CODE:         llvm.call_intrinsic "llvm.x86.avx2.pmadd.wd"
// CODE:         arith.cmpi ult
// CODE:         vector.store
// CODE:         scf.if
// CODE:         llvm.call_intrinsic "llvm.x86.avx2.pmadd.ub.sw"
func.func @ordered_rows(%in: memref<1x8x8x64xi8>, %filter: memref<1x165x16x4xi8>, %out: memref<1x8x8x16xi32>) {
  hone.kernel.conv ins(%in, %filter : memref<1x8x8x64xi8>, memref<1x165x16x4xi8>) maps []
      outs(%out : memref<1x8x8x16xi32>) kernel [3, 3] strides [1, 1] dilations [1, 1] pads [1, 1, 1, 1] group 1
      channels_last packed <16, 4, corrections = 2> {
  ^bb0(%acc: i32):
    hone.kernel.yield %acc : i32
  }
  return
}
