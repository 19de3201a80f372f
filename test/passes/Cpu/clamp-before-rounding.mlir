// RUN: hone-opt %s --pass-pipeline='builtin.module(hone-clamp-before-rounding)' | FileCheck %s

// NaN becomes the lower bound, which is 0.
// CHECK-LABEL: func.func @unsigned(
// CHECK-SAME:      %[[X:.+]]: vector<16xf32>)
// CHECK-DAG:     %[[LOW:.+]] = arith.constant dense<-1.280000e+02>
// CHECK:         %[[A:.+]] = arith.cmpf ogt, %[[X]], %[[LOW]]
// CHECK:         %[[LIFTED:.+]] = arith.select %[[A]], %[[X]], %[[LOW]]
// CHECK:         %[[HIGH:.+]] = arith.constant dense<1.270000e+02>
// CHECK:         %[[B:.+]] = arith.cmpf olt, %[[LIFTED]], %[[HIGH]]
// CHECK:         %[[CLAMPED:.+]] = arith.select %[[B]], %[[LIFTED]], %[[HIGH]]
// CHECK:         %[[ROUNDED:.+]] = llvm.call_intrinsic "llvm.lrint"(%[[CLAMPED]]) : (vector<16xf32>) -> vector<16xi32>
// CHECK:         %[[ZERO:.+]] = arith.constant dense<128> : vector<16xi32>
// CHECK:         %[[SUM:.+]] = arith.addi %[[ROUNDED]], %[[ZERO]]
// CHECK:         %[[R:.+]] = arith.trunci %[[SUM]] : vector<16xi32> to vector<16xi8>
// CHECK:         return %[[R]]
func.func @unsigned(%x: vector<16xf32>) -> vector<16xi8> {
  %point = arith.constant dense<128.0> : vector<16xf32>
  %zero = arith.constant dense<0.0> : vector<16xf32>
  %most = arith.constant dense<255.0> : vector<16xf32>
  %a = math.roundeven %x : vector<16xf32>
  %b = arith.addf %a, %point : vector<16xf32>
  %c = arith.cmpf oeq, %b, %b : vector<16xf32>
  %d = arith.select %c, %b, %zero : vector<16xi1>, vector<16xf32>
  %e = arith.cmpf olt, %d, %zero : vector<16xf32>
  %f = arith.select %e, %zero, %d : vector<16xi1>, vector<16xf32>
  %g = arith.cmpf ogt, %f, %most : vector<16xf32>
  %h = arith.select %g, %most, %f : vector<16xi1>, vector<16xf32>
  %r = arith.fptoui %h : vector<16xf32> to vector<16xi8>
  return %r : vector<16xi8>
}

// The lower bound is not what NaN becomes.
// CHECK-LABEL: func.func @signed(
// CHECK-SAME:      %[[X:.+]]: f32)
// CHECK:         %[[NUMBER:.+]] = arith.cmpf oeq, %[[X]], %[[X]]
// CHECK:         %[[INSTEAD:.+]] = arith.constant 0.000000e+00
// CHECK:         arith.select %[[NUMBER]], %[[X]], %[[INSTEAD]]
// CHECK:         %[[LOW:.+]] = arith.constant -1.280000e+02
// CHECK:         arith.cmpf ogt, %{{.+}}, %[[LOW]]
// CHECK:         %[[ROUNDED:.+]] = llvm.call_intrinsic "llvm.lrint"
// CHECK:         arith.trunci %[[ROUNDED]] : i32 to i8
func.func @signed(%x: f32) -> i8 {
  %zero = arith.constant 0.0 : f32
  %least = arith.constant -128.0 : f32
  %most = arith.constant 127.0 : f32
  %b = math.roundeven %x : f32
  %c = arith.cmpf oeq, %b, %b : f32
  %d = arith.select %c, %b, %zero : f32
  %e = arith.cmpf olt, %d, %least : f32
  %f = arith.select %e, %least, %d : f32
  %g = arith.cmpf ogt, %f, %most : f32
  %h = arith.select %g, %most, %f : f32
  %r = arith.fptosi %h : f32 to i8
  return %r : i8
}

// Where a division is rounded, a reciprocal of two parts is as good.
// CHECK-LABEL: func.func @quotient(
// CHECK-SAME:      %[[X:.+]]: f32)
// CHECK:         %[[LOW:.+]] = arith.constant {{.+}}e-{{.+}} : f32
// CHECK:         %[[REST:.+]] = arith.mulf %[[X]], %[[LOW]]
// CHECK:         %[[HIGH:.+]] = arith.constant 2.70270{{.+}} : f32
// CHECK:         %[[Q:.+]] = math.fma %[[X]], %[[HIGH]], %[[REST]]
// CHECK:         arith.cmpf ogt, %[[Q]]
func.func @quotient(%x: f32) -> i8 {
  %scale = arith.constant 0.37 : f32
  %zero = arith.constant 0.0 : f32
  %most = arith.constant 255.0 : f32
  %a = arith.divf %x, %scale : f32
  %b = math.roundeven %a : f32
  %c = arith.cmpf oeq, %b, %b : f32
  %d = arith.select %c, %b, %zero : f32
  %e = arith.cmpf olt, %d, %zero : f32
  %f = arith.select %e, %zero, %d : f32
  %g = arith.cmpf ogt, %f, %most : f32
  %h = arith.select %g, %most, %f : f32
  %r = arith.fptoui %h : f32 to i8
  return %r : i8
}

// The zero point is known in the run only.
// CHECK-LABEL: func.func @unknown_zero_point(
// CHECK:         math.roundeven
// CHECK-NOT:     llvm.lrint
func.func @unknown_zero_point(%x: f32, %point: f32) -> i8 {
  %zero = arith.constant 0.0 : f32
  %most = arith.constant 255.0 : f32
  %a = math.roundeven %x : f32
  %b = arith.addf %a, %point : f32
  %c = arith.cmpf oeq, %b, %b : f32
  %d = arith.select %c, %b, %zero : f32
  %e = arith.cmpf olt, %d, %zero : f32
  %f = arith.select %e, %zero, %d : f32
  %g = arith.cmpf ogt, %f, %most : f32
  %h = arith.select %g, %most, %f : f32
  %r = arith.fptoui %h : f32 to i8
  return %r : i8
}
