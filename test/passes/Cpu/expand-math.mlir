// RUN: hone-opt %s --pass-pipeline='builtin.module(hone-expand-math)' | FileCheck %s
// RUN: hone-opt %s --pass-pipeline='builtin.module(hone-expand-math{fma=false})' | FileCheck %s --check-prefix=NOFMA

// CHECK-LABEL: func.func @exp(
// CHECK-NOT:     math.exp
// CHECK-COUNT-9: math.fma {{.*}} : vector<8xf32>
// CHECK:         arith.shli
// CHECK:         arith.mulf {{.*}} fastmath<contract>
// NOFMA-LABEL: func.func @exp(
// NOFMA-NOT:     math.fma
// NOFMA:         arith.addf {{.*}} fastmath<contract>
func.func @exp(%x: vector<8xf32>) -> vector<8xf32> {
  %r = math.exp %x : vector<8xf32>
  return %r : vector<8xf32>
}

// Scalars too, and f16 through f32.
// CHECK-LABEL: func.func @half(
// CHECK:         arith.extf
// CHECK-NOT:     math.tanh
// CHECK:         arith.truncf
func.func @half(%x: f16) -> f16 {
  %r = math.tanh %x : f16
  return %r : f16
}

// libm is as accurate for f64 and for angles that are large.
// CHECK-LABEL: func.func @left_alone(
// CHECK:         math.exp
// CHECK:         math.sin
func.func @left_alone(%x: f64, %y: f32) -> (f64, f32) {
  %r = math.exp %x : f64
  %s = math.sin %y : f32
  return %r, %s : f64, f32
}

// CHECK-LABEL: func.func @maximum(
// CHECK-SAME:    %[[A:.+]]: f32, %[[B:.+]]: f32)
// CHECK:         %[[WINS:.+]] = arith.cmpf ugt, %[[A]], %[[B]]
// CHECK:         %[[BEST:.+]] = arith.select %[[WINS]], %[[A]], %[[B]]
// CHECK:         %[[NAN:.+]] = arith.cmpf uno, %[[B]], %[[B]]
// CHECK:         arith.select %[[NAN]], %[[B]], %[[BEST]]
func.func @maximum(%a: f32, %b: f32) -> f32 {
  %r = arith.maximumf %a, %b : f32
  return %r : f32
}
