// RUN: hone-opt %s --pass-pipeline='builtin.module(hone-expand-math)' | FileCheck %s
// RUN: hone-opt %s --pass-pipeline='builtin.module(hone-set-machine{cpu=x86-64-v2},hone-expand-math)' | FileCheck %s --check-prefix=NOFMA
// RUN: hone-opt %s --pass-pipeline='builtin.module(hone-set-machine{cpu=x86-64-v4},hone-expand-math)' | FileCheck %s --check-prefix=WIDE

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

// Results that are subnormal: the power of two is a product of two. The second
// one, which may be infinite, stays a product.
// CHECK-LABEL: func.func @exp_scale(
// CHECK:         arith.constant -1.760000e+02 : f32
// CHECK:         %[[SUM:.+]] = arith.bitcast %{{.+}} : f32 to i32
// CHECK:         %[[HALF:.+]] = arith.shrui %[[SUM]], %{{.+}} : i32
// CHECK:         arith.mulf
// CHECK:         arith.subi %[[SUM]], %[[HALF]] : i32
// CHECK:         %[[Y:.+]] = arith.mulf
// CHECK-NEXT:    %[[R:.+]] = llvm.call_intrinsic "llvm.arithmetic.fence"(%[[Y]])
// CHECK-NEXT:    return %[[R]]
func.func @exp_scale(%x: f32) -> f32 {
  %r = math.exp %x : f32
  return %r : f32
}

// Vectors of 512 bits have an instruction for the scaling, which rounds once and takes the exponent as a float. Lanes
// that it would round to 0 are not scaled, which takes long; where there are two powers, both become 0 for them.
// CHECK-LABEL: func.func @exp_wide(
// CHECK-NOT:     scalef
// WIDE-LABEL: func.func @exp_scale(
// WIDE-NOT:     scalef
// WIDE-LABEL: func.func @exp_wide(
// WIDE:         %[[N:.+]] = arith.subf %{{.+}}, %{{.+}} : vector<32xf32>
// WIDE-NOT:     i32>
// WIDE:         %[[HALF:.+]] = vector.shuffle %[[N]], %[[N]]
// WIDE:         llvm.call_intrinsic "llvm.x86.avx512.mask.scalef.ps.512"(%{{.+}}, %[[HALF]],
// WIDE:         llvm.call_intrinsic "llvm.x86.avx512.mask.scalef.ps.512"
// WIDE:         %[[Y:.+]] = vector.shuffle
// WIDE:         %[[R:.+]] = arith.select %{{.+}}, %{{.+}}, %[[Y]]
// WIDE-NEXT:    return %[[R]]
func.func @exp_wide(%x: vector<32xf32>) -> vector<32xf32> {
  %r = math.exp %x : vector<32xf32>
  return %r : vector<32xf32>
}

// Subnormal numbers are scaled by 2^23, which the exponent makes up for.
// CHECK-LABEL: func.func @log(
// CHECK-SAME:    %[[X:.+]]: f32)
// CHECK-NOT:     math.log
// CHECK:         %[[SMALL:.+]] = arith.cmpf olt, %[[X]], %{{.+}} : f32
// CHECK:         %[[UP:.+]] = arith.mulf %[[X]], %{{.+}} : f32
// CHECK:         arith.select %[[SMALL]], %[[UP]], %[[X]] : f32
// CHECK:         %[[N:.+]] = arith.sitofp
// CHECK:         %[[BACK:.+]] = arith.select %[[SMALL]], %{{.+}}, %{{.+}} : f32
// CHECK:         arith.subf %[[N]], %[[BACK]]
func.func @log(%x: f32) -> f32 {
  %r = math.log %x : f32
  return %r : f32
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

// The comparison that is false for NaN and its selection are one instruction, and the other ones a mask for it.
// CHECK-LABEL: func.func @maximum(
// CHECK-SAME:    %[[A:.+]]: f32, %[[B:.+]]: f32)
// CHECK:         %[[WINS:.+]] = arith.cmpf ogt, %[[A]], %[[B]]
// CHECK:         %[[BEST:.+]] = arith.select %[[WINS]], %[[A]], %[[B]]
// CHECK:         %[[NUMBER:.+]] = arith.cmpf ord, %[[A]], %[[A]]
// CHECK:         arith.select %[[NUMBER]], %[[BEST]], %[[A]]
func.func @maximum(%a: f32, %b: f32) -> f32 {
  %r = arith.maximumf %a, %b : f32
  return %r : f32
}

// A constant needs no check.
// CHECK-LABEL: func.func @minimum_of_constant(
// CHECK:         %[[WINS:.+]] = arith.cmpf ult,
// CHECK-NEXT:    %[[R:.+]] = arith.select %[[WINS]]
// CHECK-NEXT:    return %[[R]]
func.func @minimum_of_constant(%a: f32) -> f32 {
  %b = arith.constant 6.0 : f32
  %r = arith.minimumf %a, %b : f32
  return %r : f32
}

// By halves: what LLVM has compares signs of zero, one lane after the other.
// CHECK-LABEL: func.func @maximum_of_lanes(
// CHECK-NOT:     vector.reduction
// CHECK:         arith.cmpf ogt, {{.*}} : vector<4xf32>
// CHECK:         arith.cmpf ogt, {{.*}} : vector<2xf32>
// CHECK:         arith.cmpf ogt, {{.*}} : vector<1xf32>
// CHECK:         %[[R:.+]] = vector.extract
// CHECK-NEXT:    return %[[R]]
func.func @maximum_of_lanes(%x: vector<8xf32>) -> f32 {
  %r = vector.reduction <maximumf>, %x : vector<8xf32> into f32
  return %r : f32
}

// Of x, or of the root of (1 - |x|) / 2, with what the root was rounded by.
// CHECK-LABEL: func.func @acos(
// CHECK-NOT:     math.acos
// CHECK:         math.sqrt {{.*}} : vector<8xf32>
// CHECK:         arith.divf
// CHECK-NOT:     arith.divf
// CHECK:         return
func.func @acos(%x: vector<8xf32>) -> vector<8xf32> {
  %r = math.acos %x : vector<8xf32>
  return %r : vector<8xf32>
}
