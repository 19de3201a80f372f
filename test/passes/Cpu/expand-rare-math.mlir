// RUN: hone-opt %s --pass-pipeline='builtin.module(hone-expand-rare-math)' | FileCheck %s

// In f64, with one division, and rounded once.
// CHECK-LABEL: func.func @atan(
// CHECK-NOT:     math.atan
// CHECK:         arith.extf %{{.+}} : vector<16xf32> to vector<16xf64>
// CHECK:         arith.divf
// CHECK-NOT:     arith.divf
// CHECK:         math.copysign {{.*}} : vector<16xf64>
// CHECK:         arith.truncf
func.func @atan(%x: vector<16xf32>) -> vector<16xf32> {
  %r = math.atan %x : vector<16xf32>
  return %r : vector<16xf32>
}

// The long way to the remainder of large angles is taken where one of a vector is large, or NaN.
// CHECK-LABEL: func.func @sin(
// CHECK:         %[[IS_SMALL:.+]] = arith.cmpf olt, %{{.+}}, %{{.+}} : vector<16xf64>
// CHECK:         %[[IS_LARGE:.+]] = arith.xori %[[IS_SMALL]]
// CHECK:         %[[ANY:.+]] = vector.reduction <or>, %[[IS_LARGE]] : vector<16xi1> into i1
// CHECK:         scf.if %[[ANY]] -> (vector<16xf64>, vector<16xi64>) {
// CHECK:           arith.select %[[IS_SMALL]]
// CHECK:         } else {
// CHECK-NEXT:      scf.yield
func.func @sin(%x: vector<16xf32>) -> vector<16xf32> {
  %r = math.sin %x : vector<16xf32>
  return %r : vector<16xf32>
}

// Remainders go through the quotient, unless it is too large.
// CHECK-LABEL: func.func @remainder(
// CHECK:         arith.divf
// CHECK:         math.fma
// CHECK:         %[[ALL_FIT:.+]] = vector.reduction <and>
// CHECK:         scf.if %[[ALL_FIT]]
// CHECK:         } else {
// CHECK-COUNT-4:   arith.remf %{{.+}}, %{{.+}} : f32
func.func @remainder(%x: vector<4xf32>, %y: vector<4xf32>) -> vector<4xf32> {
  %r = arith.remf %x, %y : vector<4xf32>
  return %r : vector<4xf32>
}

// Functions of f64 stay calls.
// CHECK-LABEL: func.func @wide(
// CHECK:         math.cosh
func.func @wide(%x: f64) -> f64 {
  %r = math.cosh %x : f64
  return %r : f64
}
