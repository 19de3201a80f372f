// RUN: hone-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(hone-emulate-instructions)' | FileCheck %s

module attributes {hone_machine.cpu = #hone_machine.cpu<"some", emulated = 1>} {
// CHECK-LABEL: func.func @dot_bytes(
// CHECK-NOT:     call_intrinsic
// CHECK:         arith.extui {{.*}} : vector<16xi8> to vector<16xi32>
// CHECK:         arith.extsi {{.*}} : vector<16xi8> to vector<16xi32>
// CHECK:         arith.muli
// CHECK:         vector.shuffle {{.*}} [0, 4, 8, 12]
// CHECK:         vector.shuffle {{.*}} [3, 7, 11, 15]
func.func @dot_bytes(%sum: vector<4xi32>, %a: vector<16xi8>, %b: vector<16xi8>) -> vector<4xi32> {
  %r = llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.128"(%sum, %a, %b) : (vector<4xi32>, vector<16xi8>, vector<16xi8>) -> vector<4xi32>
  return %r : vector<4xi32>
}

// Operations on matrices are checked as the processor would.
// CHECK-LABEL: func.func @matrices(
// CHECK:         memref.alloca() : memref<8192xi8>
// CHECK-COUNT-3: llvm.intr.trap
// CHECK-NOT:     call_intrinsic
func.func @matrices() {
  %c0 = arith.constant 0 : i8
  %c1 = arith.constant 1 : i8
  %c2 = arith.constant 2 : i8
  llvm.call_intrinsic "llvm.x86.tilezero"(%c0) : (i8) -> ()
  llvm.call_intrinsic "llvm.x86.tdpbusd"(%c0, %c1, %c2) : (i8, i8, i8) -> ()
  llvm.call_intrinsic "llvm.x86.tilerelease"() : () -> ()
  return
}
}

// -----

module attributes {hone_machine.cpu = #hone_machine.cpu<"some", emulated = 1>} {
func.func @unknown(%a: vector<4xf32>) -> vector<4xf32> {
  // expected-error @below {{'llvm.x86.sse.rcp.ps' is not emulated}}
  %r = llvm.call_intrinsic "llvm.x86.sse.rcp.ps"(%a) : (vector<4xf32>) -> vector<4xf32>
  return %r : vector<4xf32>
}
}

// -----

module attributes {hone_machine.cpu = #hone_machine.cpu<"some">} {
// CHECK-LABEL: func.func @real(
// CHECK:         llvm.call_intrinsic "llvm.x86.tilerelease"
func.func @real() {
  llvm.call_intrinsic "llvm.x86.tilerelease"() : () -> ()
  return
}
}
