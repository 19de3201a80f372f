// The code of products and convolutions with matrices (AMX).
// RUN: hone-opt %s --pass-pipeline='builtin.module(func.func(hone-schedule-kernels,hone-lower-contractions,hone-lower-convolutions))' | FileCheck %s
// RUN: hone-opt %s --pass-pipeline='builtin.module(func.func(hone-schedule-kernels,hone-lower-convolutions))' --remarks-filter-missed=.* -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

module attributes {hone_machine.cpu = #hone_machine.cpu<"tiles", vector_bits = 512, vector_registers = 32, byte_dot = 1, bf16_dot = 4, byte_matrix = 1, bf16_matrix = 1>} {
// Registers are configured once for a block, whose rows are copied; sums go through memory to the epilogue, which takes
// a few rows at a time. The last 8 rows have two matrices less.
// CHECK-LABEL: func.func @product(
// CHECK:         scf.forall
// CHECK:           llvm.call_intrinsic "llvm.x86.ldtilecfg"
// CHECK:           scf.for
// CHECK:             vector.store {{.*}} : memref<{{[0-9]+}}xi8>, vector<64xi8>
// CHECK-COUNT-4:   llvm.call_intrinsic "llvm.x86.tilezero"
// CHECK:           scf.for {{.*}} {
// CHECK-COUNT-2:     llvm.call_intrinsic "llvm.x86.tileloadd64"
// CHECK:             llvm.call_intrinsic "llvm.x86.tdpbusd"(%[[S0:.+]], %[[L0:.+]], %[[R0:.+]]) : (i8, i8, i8) -> ()
// CHECK:             llvm.call_intrinsic "llvm.x86.tileloadd64"
// CHECK:             llvm.call_intrinsic "llvm.x86.tdpbusd"
// CHECK:             llvm.call_intrinsic "llvm.x86.tileloadd64"
// CHECK-COUNT-2:     llvm.call_intrinsic "llvm.x86.tdpbusd"
// CHECK-NOT:       llvm.call_intrinsic "llvm.x86.tdpbusd"
// CHECK-COUNT-4:   llvm.call_intrinsic "llvm.x86.tilestored64"
// CHECK:           scf.for
// CHECK-COUNT-8:     vector.load
// CHECK-COUNT-2:   llvm.call_intrinsic "llvm.x86.tilezero"
// CHECK-NOT:       llvm.call_intrinsic "llvm.x86.tilezero"
// CHECK:           llvm.call_intrinsic "llvm.x86.tilerelease"
func.func @product(%a: memref<72x256xi8>, %b: memref<8x64x16x4xi8>, %out: memref<72x128xi32>) {
  hone.kernel.matmul ins(%a, %b : memref<72x256xi8>, memref<8x64x16x4xi8>) maps [] outs(%out : memref<72x128xi32>)
      packed <16, 4> {
  ^bb0(%acc: i32):
    hone.kernel.yield %acc : i32
  }
  return
}

// Input rows are rounded to bf16 between zeros.
// CHECK-LABEL: func.func @convolution(
// CHECK:         llvm.call_intrinsic "llvm.x86.ldtilecfg"
// CHECK:         vector.store %{{.+}}, %[[ROWS:.+]][%{{.+}}] : memref<{{[0-9]+}}xbf16>, vector<16xbf16>
// CHECK:         %[[HALF:.+]] = llvm.call_intrinsic "llvm.x86.avx512bf16.cvtneps2bf16.512"
// CHECK:         vector.store %[[HALF]], %[[ROWS]]
// CHECK:         llvm.call_intrinsic "llvm.x86.tdpbf16ps"
// CHECK:         llvm.call_intrinsic "llvm.x86.tilerelease"
func.func @convolution(%x: memref<1x14x14x64xf32>, %f: memref<4x3x3x32x16x2xbf16>, %out: memref<1x14x14x64xf32>) {
  hone.kernel.conv ins(%x, %f : memref<1x14x14x64xf32>, memref<4x3x3x32x16x2xbf16>) maps []
      outs(%out : memref<1x14x14x64xf32>) kernel [3, 3] strides [1, 1] dilations [1, 1] pads [1, 1, 1, 1] group 1
      channels_last packed <16, 2> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// REMARK-COUNT-1: rows of the input are of free size, or too large, to be copied for products of matrices
// REMARK-NOT:     products of matrices
// CHECK-LABEL: func.func @free_rows(
// CHECK-NOT:     llvm.x86.ldtilecfg
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
