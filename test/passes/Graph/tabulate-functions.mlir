// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(hone-tabulate-functions))' | FileCheck %s

// A sigmoid between two quantizations is a table; what its argument is a function of does not matter.
// CHECK-LABEL: func.func @sigmoid(
// CHECK:         %[[BYTE:.+]] = arith.fptoui %{{.+}} : f32 to i8
// CHECK-NEXT:    %[[Y:.+]] = hone.lookup %[[BYTE]] [-128, -128, -128, -127,
// CHECK-NEXT:    hone.yield %[[Y]] : i8
func.func @sigmoid(%x: tensor<4xf32>) -> tensor<4xi8> {
  %r = hone.map ins(%x : tensor<4xf32>) -> tensor<4xi8> {
  ^bb0(%a: f32):
    %zero = arith.constant 0.0 : f32
    %one = arith.constant 1.0 : f32
    %scale = arith.constant 0.00390625 : f32
    %byte = arith.fptoui %a : f32 to i8
    %b = arith.uitofp %byte : i8 to f32
    %c = arith.mulf %b, %scale : f32
    %d = arith.negf %c : f32
    %e = math.exp %d : f32
    %f = arith.addf %e, %one : f32
    %g = arith.divf %one, %f : f32
    %h = arith.divf %g, %scale : f32
    %i = math.roundeven %h : f32
    %y = arith.fptoui %i : f32 to i8
    hone.yield %y : i8
  }
  return %r : tensor<4xi8>
}

// -----

// Of the bytes on the way only the last is left, and it is a function of the first.
// CHECK-LABEL: func.func @steps_between(
// CHECK:       ^bb0(%[[BYTE:.+]]: i8, %[[OTHER:.+]]: f32):
// CHECK-NEXT:    %[[Y:.+]] = hone.lookup %[[BYTE]]
// CHECK-NEXT:    %[[REAL:.+]] = arith.uitofp %[[Y]] : i8 to f32
// CHECK-NEXT:    arith.addf %[[REAL]], %[[OTHER]]
// CHECK-NOT:     math.exp
func.func @steps_between(%x: tensor<4xi8>, %z: tensor<4xf32>) -> tensor<4xf32> {
  %r = hone.map ins(%x, %z : tensor<4xi8>, tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%a: i8, %other: f32):
    %scale = arith.constant 0.015625 : f32
    %b = arith.sitofp %a : i8 to f32
    %c = arith.mulf %b, %scale : f32
    %d = math.exp %c : f32
    %e = arith.fptoui %d : f32 to i8
    %f = arith.uitofp %e : i8 to f32
    %g = arith.mulf %f, %b : f32
    %h = math.exp %g : f32
    %y = arith.fptoui %h : f32 to i8
    %i = arith.uitofp %y : i8 to f32
    %j = arith.addf %i, %other : f32
    hone.yield %j : f32
  }
  return %r : tensor<4xf32>
}

// -----

// What follows a table is part of it, however cheap.
// CHECK-LABEL: func.func @behind_table(
// CHECK:       ^bb0(%[[BYTE:.+]]: i8):
// CHECK-NEXT:    %[[Y:.+]] = hone.lookup %[[BYTE]] [2, 2,
// CHECK-NEXT:    hone.yield %[[Y]]
func.func @behind_table(%x: tensor<4xi8>) -> tensor<4xi8> {
  %r = hone.map ins(%x : tensor<4xi8>) -> tensor<4xi8> {
  ^bb0(%a: i8):
    %scale = arith.constant 2.0 : f32
    %b = hone.lookup %a [
      1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
      1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
      1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
      1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
      1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
      1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
      1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
      1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1] : i8
    %c = arith.uitofp %b : i8 to f32
    %d = arith.mulf %c, %scale : f32
    %y = arith.fptoui %d : f32 to i8
    hone.yield %y : i8
  }
  return %r : tensor<4xi8>
}

// -----

// Quantized as it was dequantized, a byte is itself.
// CHECK-LABEL: func.func @identity(
// CHECK:       ^bb0(%[[BYTE:.+]]: i8):
// CHECK-NEXT:    hone.yield %[[BYTE]] : i8
func.func @identity(%x: tensor<4xi8>) -> tensor<4xi8> {
  %r = hone.map ins(%x : tensor<4xi8>) -> tensor<4xi8> {
  ^bb0(%a: i8):
    %zero = arith.constant 3.0 : f32
    %scale = arith.constant 0.3 : f32
    %b = arith.uitofp %a : i8 to f32
    %c = arith.subf %b, %zero : f32
    %d = arith.mulf %c, %scale : f32
    %e = arith.divf %d, %scale : f32
    %f = math.roundeven %e : f32
    %g = arith.addf %f, %zero : f32
    %y = arith.fptoui %g : f32 to i8
    hone.yield %y : i8
  }
  return %r : tensor<4xi8>
}

// -----

// CHECK-LABEL: func.func @cheap(
// CHECK-NOT:     hone.lookup
// CHECK:         arith.fptoui
func.func @cheap(%x: tensor<4xi8>) -> tensor<4xi8> {
  %r = hone.map ins(%x : tensor<4xi8>) -> tensor<4xi8> {
  ^bb0(%a: i8):
    %scale = arith.constant 0.3 : f32
    %b = arith.uitofp %a : i8 to f32
    %c = arith.mulf %b, %scale : f32
    %y = arith.fptoui %c : f32 to i8
    hone.yield %y : i8
  }
  return %r : tensor<4xi8>
}

// -----

// A sum of two bytes is no function of one.
// CHECK-LABEL: func.func @two_bytes(
// CHECK-NOT:     hone.lookup
// CHECK:         math.exp
func.func @two_bytes(%x: tensor<4xi8>, %z: tensor<4xi8>) -> tensor<4xi8> {
  %r = hone.map ins(%x, %z : tensor<4xi8>, tensor<4xi8>) -> tensor<4xi8> {
  ^bb0(%a: i8, %b: i8):
    %c = arith.uitofp %a : i8 to f32
    %d = arith.uitofp %b : i8 to f32
    %e = arith.addf %c, %d : f32
    %f = math.exp %e : f32
    %g = math.exp %f : f32
    %y = arith.fptoui %g : f32 to i8
    hone.yield %y : i8
  }
  return %r : tensor<4xi8>
}
