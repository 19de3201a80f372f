// RUN: hone-opt %s --hone-expand-math | FileCheck %s
// RUN: hone-opt %s --pass-pipeline='builtin.module(hone-set-machine{cpu=x86-64-v4},hone-expand-math)' | FileCheck %s --check-prefix=NONE

module attributes {hone_machine.cpu = #hone_machine.cpu<"fast", vector_bits = 512, vector_registers = 32, fma = 1, bf16_dot = 1>} {

// Rounding that need not be exact is an instruction, where there is one; functions before it are.
// CHECK-LABEL: func.func @erfc(
// CHECK-COUNT-18: math.fma
// CHECK:          llvm.call_intrinsic "llvm.x86.avx512bf16.cvtneps2bf16.512"
// NONE-LABEL:  func.func @erfc(
// NONE-NOT:      llvm.call_intrinsic
// NONE:          return
func.func @erfc(%x: vector<16xf32>) -> vector<16xbf16> {
  %one = arith.constant dense<1.0> : vector<16xf32>
  %e = math.erf %x : vector<16xf32>
  %s = arith.subf %one, %e : vector<16xf32>
  %r = arith.truncf %s fastmath<afn> : vector<16xf32> to vector<16xbf16>
  return %r : vector<16xbf16>
}

// CHECK-LABEL: func.func @exact(
// CHECK-NOT:     llvm.call_intrinsic
// CHECK:         return
func.func @exact(%x: vector<16xf32>) -> vector<16xbf16> {
  %r = arith.truncf %x : vector<16xf32> to vector<16xbf16>
  return %r : vector<16xbf16>
}

}
