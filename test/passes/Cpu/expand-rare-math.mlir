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

// Powers of vectors are as exact as libm's of each element.
// CHECK-LABEL: func.func @power(
// CHECK-NOT:     math.powf
// CHECK:         arith.truncf %{{.+}} : vector<16xf64> to vector<16xf32>
func.func @power(%x: vector<16xf32>, %y: vector<16xf32>) -> vector<16xf32> {
  %r = math.powf %x, %y : vector<16xf32>
  return %r : vector<16xf32>
}

// Functions of f64 stay calls.
// CHECK-LABEL: func.func @wide(
// CHECK:         math.cosh
func.func @wide(%x: f64) -> f64 {
  %r = math.cosh %x : f64
  return %r : f64
}

// Integers are divided as floats of twice their width.
// CHECK-LABEL: func.func @quotients(
// CHECK-COUNT-2: arith.sitofp %{{.+}} : vector<8xi32> to vector<8xf64>
// CHECK:         arith.divf {{.*}} : vector<8xf64>
// CHECK-NEXT:    math.trunc
// CHECK-NEXT:    arith.fptosi {{.*}} : vector<8xf64> to vector<8xi32>
// CHECK-NEXT:    return
func.func @quotients(%a: vector<8xi32>, %b: vector<8xi32>) -> vector<8xi32> {
  %r = arith.divsi %a, %b : vector<8xi32>
  return %r : vector<8xi32>
}

// One divisor for all has an inverse.
// CHECK-LABEL: func.func @remainders_of_one(
// CHECK:         %[[INVERSE:.+]] = arith.divf %{{.+}}, %{{.+}} : f32
// CHECK-NOT:     arith.divf
// CHECK:         arith.mulf
// CHECK:         math.trunc
// CHECK:         arith.mulf
// CHECK-NEXT:    arith.subf
// CHECK-NEXT:    arith.fptoui {{.*}} : vector<16xf32> to vector<16xi8>
func.func @remainders_of_one(%a: vector<16xi8>, %b: i8) -> vector<16xi8> {
  %bs = vector.broadcast %b : i8 to vector<16xi8>
  %r = arith.remui %a, %bs : vector<16xi8>
  return %r : vector<16xi8>
}

// Of 64 bits those that f64 holds; constant divisors stay.
// CHECK-LABEL: func.func @long_quotients(
// CHECK:         %[[ALL_FIT:.+]] = vector.reduction <and>
// CHECK:         scf.if %[[ALL_FIT]] -> (vector<4xi64>) {
// CHECK:           arith.divf {{.*}} : vector<4xf64>
// CHECK:         } else {
// CHECK-COUNT-4:   arith.divsi %{{.+}}, %{{.+}} : i64
// CHECK:         }
// CHECK:         arith.divsi {{.*}} : vector<4xi64>
func.func @long_quotients(%a: vector<4xi64>, %b: vector<4xi64>) -> vector<4xi64> {
  %r = arith.divsi %a, %b : vector<4xi64>
  %seven = arith.constant dense<7> : vector<4xi64>
  %s = arith.divsi %r, %seven : vector<4xi64>
  return %s : vector<4xi64>
}
