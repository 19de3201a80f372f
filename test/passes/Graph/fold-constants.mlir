// RUN: hone-opt %s --split-input-file --hone-fold-constants | FileCheck %s
// RUN: hone-opt %s --split-input-file --hone-fold-constants=max-growth-kib=0 | FileCheck %s --check-prefix=NONE

// CHECK-LABEL: func.func @map_broadcasts(
// CHECK{LITERAL}: hone.constant dense<[[1.100000e+01, 2.200000e+01], [3.100000e+01, 4.200000e+01]]>
// CHECK-NOT:     hone.map
func.func @map_broadcasts() -> tensor<2x2xf32> {
  %a = hone.constant dense<[[10.0, 20.0], [30.0, 40.0]]> : tensor<2x2xf32>
  %b = hone.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %r = hone.map ins(%a, %b : tensor<2x2xf32>, tensor<2xf32>) -> tensor<2x2xf32> {
  ^bb0(%x: f32, %y: f32):
    %s = arith.addf %x, %y : f32
    hone.yield %s : f32
  }
  return %r : tensor<2x2xf32>
}

// -----

// Arithmetic of the width of the type: unsigned division, wrapping, comparison, casts.
// CHECK-LABEL: func.func @integers(
// CHECK:         hone.constant dense<[127, 0, -2]> : tensor<3xi8>
// CHECK:         hone.constant dense<[-1, 0, -1]> : tensor<3xi8>
// CHECK:         hone.constant dense<[2.550000e+02, 0.000000e+00, 2.540000e+02]> : tensor<3xf32>
func.func @integers() -> (tensor<3xi8>, tensor<3xi8>, tensor<3xf32>) {
  %a = hone.constant dense<[-1, 0, -2]> : tensor<3xi8>
  %b = hone.constant dense<[2, 1, 1]> : tensor<3xi8>
  %q, %w, %f = hone.map ins(%a, %b : tensor<3xi8>, tensor<3xi8>) -> tensor<3xi8>, tensor<3xi8>, tensor<3xf32> {
  ^bb0(%x: i8, %y: i8):
    %d = arith.divui %x, %y : i8
    %s = arith.addi %x, %y : i8
    %c = arith.cmpi slt, %s, %y : i8
    %e = arith.extsi %c : i1 to i8
    %g = arith.uitofp %x : i8 to f32
    hone.yield %d, %e, %g : i8, i8, f32
  }
  return %q, %w, %f : tensor<3xi8>, tensor<3xi8>, tensor<3xf32>
}

// -----

// CHECK-LABEL: func.func @iota(
// CHECK{LITERAL}: hone.constant dense<[[0, 1, 2], [10, 11, 12]]> : tensor<2x3xi64>
func.func @iota() -> tensor<2x3xi64> {
  %ten = arith.constant 10 : index
  %r = hone.map -> tensor<2x3xi64> {
    %i = hone.index 0
    %j = hone.index 1
    %k = arith.muli %i, %ten : index
    %l = arith.addi %k, %j : index
    %m = arith.index_cast %l : index to i64
    hone.yield %m : i64
  }
  return %r : tensor<2x3xi64>
}

// -----

// CHECK-LABEL: func.func @half(
// CHECK:         hone.constant dense<[1.500000e+00, 0x7C00]> : tensor<2xf16>
func.func @half() -> tensor<2xf16> {
  %a = hone.constant dense<[1.5, 1.0e6]> : tensor<2xf32>
  %r = hone.map ins(%a : tensor<2xf32>) -> tensor<2xf16> {
  ^bb0(%x: f32):
    %t = arith.truncf %x : f32 to f16
    hone.yield %t : f16
  }
  return %r : tensor<2xf16>
}

// -----

// CHECK-LABEL: func.func @movement(
// CHECK-DAG{LITERAL}: hone.constant dense<[[1, 4], [2, 5], [3, 6]]> : tensor<3x2xi64>
// CHECK-DAG{LITERAL}: hone.constant dense<[[6, 4]]> : tensor<1x2xi64>
// CHECK-DAG{LITERAL}: hone.constant dense<[[1, 2, 3], [4, 5, 6], [7, 8, 9]]> : tensor<3x3xi64>
// CHECK-DAG{LITERAL}: hone.constant dense<[[0, 2, 3], [0, 5, 6]]> : tensor<2x3xi64>
// CHECK-DAG{LITERAL}: hone.constant dense<[[3, 1], [6, 4]]> : tensor<2x2xi64>
// CHECK-DAG{LITERAL}: hone.constant dense<[1, 2, 3, 4, 5, 6]> : tensor<6xi64>
func.func @movement() -> (tensor<3x2xi64>, tensor<1x2xi64>, tensor<3x3xi64>, tensor<2x3xi64>, tensor<2x2xi64>,
                          tensor<6xi64>) {
  %a = hone.constant dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi64>
  %b = hone.constant dense<[[7, 8, 9]]> : tensor<1x3xi64>
  %i = hone.constant dense<[-1, 0]> : tensor<2xi64>
  %zero = arith.constant 0 : i64
  %t = hone.transpose %a [1, 0] : tensor<2x3xi64> -> tensor<3x2xi64>
  %s = hone.slice %a at [1, 2] steps [1, -2] : tensor<2x3xi64> -> tensor<1x2xi64>
  %c = hone.concat %a, %b axis 0 : tensor<2x3xi64>, tensor<1x3xi64> -> tensor<3x3xi64>
  %cut = hone.slice %a at [0, 1] steps [1, 1] : tensor<2x3xi64> -> tensor<2x2xi64>
  %p = hone.pad %cut with %zero low [0, 1] high [0, 0] : tensor<2x2xi64>, i64 -> tensor<2x3xi64>
  %g = hone.gather %a[%i] axis 1 : tensor<2x3xi64>, tensor<2xi64> -> tensor<2x2xi64>
  %r = hone.reshape %a : tensor<2x3xi64> -> tensor<6xi64>
  return %t, %s, %c, %p, %g, %r : tensor<3x2xi64>, tensor<1x2xi64>, tensor<3x3xi64>, tensor<2x3xi64>,
    tensor<2x2xi64>, tensor<6xi64>
}

// -----

// CHECK-LABEL: func.func @reduce(
// CHECK-DAG:     hone.constant dense<[5.000000e+00, 7.000000e+00, 9.000000e+00]> : tensor<3xf32>
// CHECK-DAG{LITERAL}: hone.constant dense<[[3.000000e+00], [6.000000e+00]]> : tensor<2x1xf32>
func.func @reduce() -> (tensor<3xf32>, tensor<2x1xf32>) {
  %a = hone.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>
  %s = hone.reduce sum %a axes [0] : tensor<2x3xf32> -> tensor<3xf32>
  %m = hone.reduce max %a axes [1] keepdims : tensor<2x3xf32> -> tensor<2x1xf32>
  return %s, %m : tensor<3xf32>, tensor<2x1xf32>
}

// -----

// Nothing to reduce: the neutral element, of the sign and width of the type.
// CHECK-LABEL: func.func @reduce_empty(
// CHECK-DAG:     hone.constant dense<0xFF800000> : tensor<2xf32>
// CHECK-DAG:     hone.constant dense<127> : tensor<2xi8>
// CHECK-DAG:     hone.constant dense<-1> : tensor<2xi16>
// CHECK-DAG:     hone.constant dense<1> : tensor<2xi64>
func.func @reduce_empty() -> (tensor<2xf32>, tensor<2xi8>, tensor<2xi16>, tensor<2xi64>) {
  %a = hone.constant dense<> : tensor<2x0xf32>
  %b = hone.constant dense<> : tensor<2x0xi8>
  %c = hone.constant dense<> : tensor<2x0xi16>
  %d = hone.constant dense<> : tensor<2x0xi64>
  %max = hone.reduce max %a axes [1] : tensor<2x0xf32> -> tensor<2xf32>
  %min = hone.reduce min %b axes [1] : tensor<2x0xi8> -> tensor<2xi8>
  %umin = hone.reduce umin %c axes [1] : tensor<2x0xi16> -> tensor<2xi16>
  %prod = hone.reduce prod %d axes [1] : tensor<2x0xi64> -> tensor<2xi64>
  return %max, %min, %umin, %prod : tensor<2xf32>, tensor<2xi8>, tensor<2xi16>, tensor<2xi64>
}

// -----

// CHECK-LABEL: func.func @scalars(
// CHECK:         %[[C:.+]] = arith.constant 5 : i64
// CHECK:         return %[[C]]
func.func @scalars() -> i64 {
  %two = arith.constant 2 : i64
  %three = arith.constant 3 : i64
  %one = arith.constant 1 : index
  %t = tensor.from_elements %two, %three : tensor<2xi64>
  %e = tensor.extract %t[%one] : tensor<2xi64>
  %s = arith.addi %e, %two : i64
  return %s : i64
}

// -----

// A size that is computed of numbers, as that of a Range is.
// CHECK-LABEL: func.func @size(
// CHECK:         %[[C:.+]] = arith.constant 3 : i64
// CHECK:         return %[[C]]
func.func @size() -> i64 {
  %n = hone.constant dense<2.5> : tensor<f16>
  %e = tensor.extract %n[] : tensor<f16>
  %w = arith.extf %e : f16 to f32
  %c = math.ceil %w : f32
  %s = arith.fptosi %c : f32 to i64
  return %s : i64
}

// -----

// A wrong index is reported by the run, not by the compiler.
// CHECK-LABEL: func.func @wrong_index(
// CHECK:         hone.gather
func.func @wrong_index() -> tensor<1xf32> {
  %a = hone.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %i = hone.constant dense<2> : tensor<1xi64>
  %g = hone.gather %a[%i] axis 0 : tensor<2xf32>, tensor<1xi64> -> tensor<1xf32>
  return %g : tensor<1xf32>
}

// -----

// CHECK-LABEL: func.func @would_grow(
// CHECK:         hone.map
func.func @would_grow() -> tensor<1024x1024xf32> {
  %a = hone.constant dense<"0x0000803F000000400000803F00000040"> : tensor<4x1xf32>
  %b = hone.reshape %a : tensor<4x1xf32> -> tensor<4xf32>
  %c = arith.constant 0 : index
  %r = hone.map -> tensor<1024x1024xf32> {
    %x = tensor.extract %b[%c] : tensor<4xf32>
    hone.yield %x : f32
  }
  return %r : tensor<1024x1024xf32>
}

// -----

// As many elements as there were, though larger ones: quantized weights.
// NONE-LABEL: func.func @dequantized(
// NONE:         hone.constant dense<[-2.500000e-01, 5.000000e-01, 7.500000e-01]> : tensor<3xf32>
func.func @dequantized() -> tensor<3xf32> {
  %a = hone.constant dense<[-1, 2, 3]> : tensor<3xi8>
  %r = hone.map ins(%a : tensor<3xi8>) -> tensor<3xf32> {
  ^bb0(%x: i8):
    %f = arith.sitofp %x : i8 to f32
    %c = arith.constant 0.25 : f32
    %y = arith.mulf %f, %c : f32
    hone.yield %y : f32
  }
  return %r : tensor<3xf32>
}
