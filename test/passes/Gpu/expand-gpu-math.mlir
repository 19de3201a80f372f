// RUN: hone-opt %s --pass-pipeline='builtin.module(hone-expand-gpu-math)' | FileCheck %s

// In f64, and rounded once; vectors too.
// CHECK-LABEL: func.func @sinh(
// CHECK-NOT:     math.sinh
// CHECK:         arith.extf %{{.+}} : vector<4xf32> to vector<4xf64>
// CHECK:         math.copysign {{.*}} : vector<4xf64>
// CHECK:         arith.truncf
func.func @sinh(%x: vector<4xf32>) -> vector<4xf32> {
  %r = math.sinh %x : vector<4xf32>
  return %r : vector<4xf32>
}

// CHECK-LABEL: func.func @no_calls(
// CHECK-NOT:     math.{{(sin|pow|atan)}}
// CHECK:         return
func.func @no_calls(%x: f32, %y: f32) -> (f32, f32, f32) {
  %r = math.sin %x : f32
  %s = math.powf %x, %y : f32
  %t = math.atan2 %x, %y : f32
  return %r, %s, %t : f32, f32, f32
}

// A few bits of the quotient at a time.
// CHECK-LABEL: func.func @remainder(
// CHECK-NOT:     arith.remf
// CHECK:         scf.while
// CHECK:           arith.remui
func.func @remainder(%x: f64, %y: f64) -> f64 {
  %r = arith.remf %x, %y : f64
  return %r : f64
}

// CHECK-LABEL: func.func @infinite(
// CHECK:         %[[SIZE:.+]] = math.absf
// CHECK:         arith.cmpf oeq, %[[SIZE]]
func.func @infinite(%x: f16) -> i1 {
  %r = math.isinf %x : f16
  return %r : i1
}

// Large angles are reduced if there are any; products that must stay exact are sums with zero.
// CHECK-LABEL: func.func @double(
// CHECK:         %[[ZERO:.+]] = arith.constant 0.000000e+00 : f64
// CHECK-NOT:     math.sin
// CHECK:         %{{.+}}:3 = scf.if
// CHECK:           math.fma %{{.+}}, %{{.+}}, %[[ZERO]] : f64
// CHECK:         } else {
// CHECK:           arith.mului_extended
// CHECK:         }
func.func @double(%x: f64) -> f64 {
  %r = math.sin %x : f64
  return %r : f64
}

// CHECK-LABEL: func.func @doubles(
// CHECK-NOT:     math.powf
// CHECK:         vector.from_elements
func.func @doubles(%x: vector<2xf64>, %y: vector<2xf64>) -> vector<2xf64> {
  %r = math.powf %x, %y : vector<2xf64>
  return %r : vector<2xf64>
}
