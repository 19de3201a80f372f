// RUN: hone-opt %s --hone-expand-math | FileCheck %s
// RUN: hone-opt %s --pass-pipeline='builtin.module(hone-set-machine{cpu=x86-64-v4},hone-expand-math)' | FileCheck %s --check-prefix=NONE

module attributes {hone_machine.cpu = #hone_machine.cpu<"fast", vector_bits = 512, vector_registers = 32, fma = 1, bf16_dot = 1>} {

// For bf16 one polynomial is enough, and where there is an instruction for rounding, it does.
// CHECK-LABEL: func.func @gelu(
// CHECK-COUNT-11: math.fma
// CHECK-NOT:      math.fma
// CHECK-NOT:      arith.truncf
// CHECK:          %[[R:.+]] = llvm.call_intrinsic "llvm.x86.avx512bf16.cvtneps2bf16.512"
// CHECK-NEXT:     return %[[R]]
// NONE-LABEL:  func.func @gelu(
// NONE-COUNT-11: math.fma
// NONE-NOT:      math.fma
// NONE-NOT:      llvm.call_intrinsic
// NONE:          return
func.func @gelu(%x: vector<16xf32>) -> vector<16xbf16> {
  %one = arith.constant dense<1.0> : vector<16xf32>
  %e = math.erf %x : vector<16xf32>
  %s = arith.addf %e, %one : vector<16xf32>
  %p = arith.mulf %s, %x : vector<16xf32>
  %r = arith.truncf %p fastmath<afn> : vector<16xf32> to vector<16xbf16>
  return %r : vector<16xbf16>
}

// What else is made of a function, and rounding that a model asks for, are exact.
// CHECK-LABEL: func.func @both(
// CHECK-COUNT-18: math.fma
// CHECK-NOT:      llvm.call_intrinsic "llvm.x86.avx512bf16
// CHECK:          return
func.func @both(%x: vector<16xf32>) -> (vector<16xf32>, vector<16xbf16>, vector<16xbf16>) {
  %e = math.erf %x : vector<16xf32>
  %r = arith.truncf %e : vector<16xf32> to vector<16xbf16>
  %f = arith.truncf %x : vector<16xf32> to vector<16xbf16>
  return %e, %r, %f : vector<16xf32>, vector<16xbf16>, vector<16xbf16>
}

// A comparison does not become one of approximations.
// CHECK-LABEL: func.func @compared(
// CHECK-COUNT-18: math.fma
// CHECK:          return
func.func @compared(%x: vector<16xf32>) -> vector<16xbf16> {
  %one = arith.constant dense<1.0> : vector<16xf32>
  %e = math.erf %x : vector<16xf32>
  %c = arith.cmpf olt, %e, %one : vector<16xf32>
  %s = arith.select %c, %x, %e : vector<16xi1>, vector<16xf32>
  %r = arith.truncf %s fastmath<afn> : vector<16xf32> to vector<16xbf16>
  return %r : vector<16xbf16>
}

}
