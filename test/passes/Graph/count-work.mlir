// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(hone-count-work))' | FileCheck %s

// A product and its sum count two, in the map behind it too, where all other arithmetic counts one and comparisons, selections
// and conversions nothing; each operand is read once, the result written: 24 * (2 * 8 + 8), 4 * (32 + 48 + 24).
// CHECK-LABEL: func.func private @product
// CHECK-SAME:    hone.bytes = {{\[}}array<i64: 416>], hone.flop = {{\[}}array<i64: 576>]
func.func private @product(%x: tensor<4x8xf32>, %w: tensor<8x6xf32>) -> tensor<4x6xf32> attributes {hone.kernel} {
  %0 = hone.matmul %x, %w : tensor<4x8xf32>, tensor<8x6xf32> -> tensor<4x6xf32>
  %1 = hone.map ins(%0 : tensor<4x6xf32>) -> tensor<4x6xf32> {
  ^bb0(%a: f32):
    %zero = arith.constant 0.0 : f32
    %m = arith.mulf %a, %a : f32
    %s = arith.addf %m, %a : f32
    %e = math.exp %s : f32
    %r = arith.maximumf %e, %zero : f32
    %less = arith.cmpf olt, %r, %a : f32
    %t = arith.select %less, %r, %a : f32
    %d = arith.extf %t : f32 to f64
    %b = arith.truncf %d : f64 to f32
    %f = arith.addf %b, %b : f32
    %i = math.fma %f, %f, %f : f32
    %n = arith.negf %i : f32
    hone.yield %n : f32
  }
  return %1 : tensor<4x6xf32>
}

// -----

// Sizes are the numbers that a launch passes: those of operands and results first, then the arguments. The rows of the
// result are the argument, which a launch passes before as the result's dimension.
// CHECK-LABEL: func.func private @free
// CHECK-SAME:    hone.bytes = {{\[}}array<i64: 192>, array<i64: 32, 0>, array<i64: 24, 1>]
// CHECK-SAME:    hone.flop = {{\[}}array<i64: 96, 1>]
func.func private @free(%x: tensor<?x8xf32>, %w: tensor<8x6xf32>, %n: index) -> tensor<?x6xf32> attributes {hone.kernel} {
  %0 = hone.matmul %x, %w dims(%n) : tensor<?x8xf32>, tensor<8x6xf32> -> tensor<?x6xf32>
  return %0 : tensor<?x6xf32>
}

// -----

// A sum over channels of a window, whatever the layout of the filter.
// CHECK-LABEL: func.func private @panels
// CHECK-SAME:    hone.flop = {{\[}}array<i64: 36864>]
func.func private @panels(%x: tensor<1x8x8x4xf32>, %f: tensor<1x3x3x4x16xf32>) -> tensor<1x8x8x8xf32> attributes {hone.kernel} {
  %0 = hone.conv %x, %f kernel [3, 3] strides [1, 1] dilations [1, 1] pads [1, 1, 1, 1] group 1 channels_last packed <16, 1>
    : tensor<1x8x8x4xf32>, tensor<1x3x3x4x16xf32> -> tensor<1x8x8x8xf32>
  return %0 : tensor<1x8x8x8xf32>
}
// CHECK-LABEL: func.func private @depthwise
// CHECK-SAME:    hone.flop = {{\[}}array<i64: 4608>]
func.func private @depthwise(%x: tensor<1x8x8x4xf32>, %f: tensor<3x3x4xf32>) -> tensor<1x8x8x4xf32> attributes {hone.kernel} {
  %0 = hone.conv %x, %f kernel [3, 3] strides [1, 1] dilations [1, 1] pads [1, 1, 1, 1] group 4 channels_last depthwise
    : tensor<1x8x8x4xf32>, tensor<3x3x4xf32> -> tensor<1x8x8x4xf32>
  return %0 : tensor<1x8x8x4xf32>
}

// -----

// For each score two products, and four steps of the softmax; for each result a quotient: 6 * 10 * (2 * (4 + 8) + 4) + 6 * 8.
// CHECK-LABEL: func.func private @attention
// CHECK-SAME:    hone.flop = {{\[}}array<i64: 1728>]
func.func private @attention(%q: tensor<6x4xf32>, %k: tensor<10x4xf32>, %v: tensor<10x8xf32>) -> tensor<6x8xf32> attributes {hone.kernel} {
  %0 = hone.attention %q, %k, %v : tensor<6x4xf32>, tensor<10x4xf32>, tensor<10x8xf32> -> tensor<6x8xf32> {
  ^bb0(%s: f32, %i: index, %j: index):
    hone.yield %s : f32
  }
  return %0 : tensor<6x8xf32>
}

// -----

// Of what is gathered, sliced or read at computed places, the part is read: rows of 8 for each index, and no more than there is.
// CHECK-LABEL: func.func private @parts
// CHECK-SAME:    hone.bytes = {{\[}}array<i64: 72, 0>]
// CHECK-SAME:    hone.flop = []
func.func private @parts(%table: tensor<1000x8xf32>, %i: tensor<?xi64>) -> tensor<?x8xf32> attributes {hone.kernel} {
  %0 = hone.gather %table[%i] axis 0 : tensor<1000x8xf32>, tensor<?xi64> -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}
// CHECK-LABEL: func.func private @few
// CHECK-SAME:    hone.bytes = {{\[}}array<i64: 1616>]
func.func private @few(%table: tensor<4xf32>, %i: tensor<100xi64>, %x: tensor<50x100xf32>) -> tensor<100xf32> attributes {hone.kernel} {
  %row = hone.slice %x at [3, 0] steps [1, 1] : tensor<50x100xf32> -> tensor<1x100xf32>
  %0 = hone.map ins(%i, %row : tensor<100xi64>, tensor<1x100xf32>) -> tensor<1x100xf32> {
  ^bb0(%a: i64, %b: f32):
    %at = arith.index_cast %a : i64 to index
    %e = tensor.extract %table[%at] : tensor<4xf32>
    hone.yield %e : f32
  }
  %1 = hone.reshape %0 : tensor<1x100xf32> -> tensor<100xf32>
  return %1 : tensor<100xf32>
}

// -----

// What is no polynomial of the numbers is not told.
// CHECK-LABEL: func.func private @opaque
// CHECK-SAME:    attributes {hone.kernel}
func.func private @opaque(%x: tensor<?xf32>, %n: index) -> tensor<f32> attributes {hone.kernel} {
  %two = arith.constant 2 : index
  %half = arith.divui %n, %two : index
  %0 = hone.slice %x at [0] dims(%half) steps [2] : tensor<?xf32> -> tensor<?xf32>
  %1 = hone.reduce sum %0 axes [0] : tensor<?xf32> -> tensor<f32>
  return %1 : tensor<f32>
}
