// RUN: hone-opt %s --hone-expand-math | FileCheck %s

// A polynomial, for vectors as for scalars.
// CHECK-LABEL: func.func @exp(
// CHECK-NOT:     math.exp
// CHECK:         math.fma {{.*}} : vector<8xf32>
func.func @exp(%x: vector<8xf32>) -> vector<8xf32> {
  %r = math.exp %x : vector<8xf32>
  return %r : vector<8xf32>
}

// f64 is libm's.
// CHECK-LABEL: func.func @double(
// CHECK:         math.exp %{{.+}} : f64
func.func @double(%x: f64) -> f64 {
  %r = math.exp %x : f64
  return %r : f64
}
