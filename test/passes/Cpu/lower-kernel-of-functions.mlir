// RUN: hone-opt %s --hone-lower-kernel-to-llvm | FileCheck %s

// A function that only libm has, of a vector, where nothing else is of the vector dialect.
// CHECK-LABEL: llvm.func @by_elements(
// CHECK-COUNT-4: llvm.call @erff(
// CHECK-NOT:     llvm.call
// CHECK:         llvm.return
func.func @by_elements(%x: vector<4xf32>) -> vector<4xf32> {
  %e = math.erf %x : vector<4xf32>
  return %e : vector<4xf32>
}
