// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(hone-form-byte-products))' | FileCheck %s

// Signed bytes on the left become unsigned ones, which moves their zero point from -3 to 125; column sums are known.
// CHECK-LABEL: func.func @matmul(
// CHECK-SAME:    %[[X:.+]]: tensor<?x4xi8>
// CHECK:         %[[U:.+]] = hone.map ins(%[[X]] : tensor<?x4xi8>) dims(%{{.+}}) -> tensor<?x4xi8>
// CHECK:           arith.xori %{{.+}}, %c-128_i8
// CHECK:         %[[SUMS:.+]] = hone.constant dense<{{\[}}[1250, -1250]]> : tensor<1x2xi32>
// CHECK:         %[[SCALE:.+]] = hone.constant dense<[5.000000e-01, 1.000000e+00]> : tensor<2xf32>
// CHECK:         %[[P:.+]] = hone.matmul %[[U]], %{{.+}} dims(%{{.+}}) : tensor<?x4xi8>, tensor<4x2xi8> -> tensor<?x2xi32>
// CHECK:         hone.map ins(%[[P]], %[[SUMS]], %[[SCALE]] : tensor<?x2xi32>, tensor<1x2xi32>, tensor<2xf32>)
// CHECK:           arith.subi
// CHECK:           arith.sitofp
// CHECK:           arith.mulf
// Behind the product a division by a scale is a multiplication.
// CHECK:         hone.map {{.+}} -> tensor<?x2xi8>
// CHECK:           %[[R:.+]] = arith.constant 4.000000e+00 : f32
// CHECK-NEXT:      arith.mulf %{{.+}}, %[[R]]
func.func @matmul(%x: tensor<?x4xi8>, %n: index) -> tensor<?x2xi8> {
  %w = hone.constant dense<[[1, -1], [2, -2], [3, -3], [4, -4]]> : tensor<4x2xi8>
  %scales = hone.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %a = hone.map ins(%x : tensor<?x4xi8>) dims(%n) -> tensor<?x4xf32> {
  ^bb0(%e: i8):
    %f = arith.sitofp %e : i8 to f32
    %zero = arith.constant -3.0 : f32
    %scale = arith.constant 0.5 : f32
    %d = arith.subf %f, %zero : f32
    %s = arith.mulf %d, %scale : f32
    hone.yield %s : f32
  }
  %b = hone.map ins(%w, %scales : tensor<4x2xi8>, tensor<2xf32>) -> tensor<4x2xf32> {
  ^bb0(%e: i8, %scale: f32):
    %f = arith.sitofp %e : i8 to f32
    %s = arith.mulf %f, %scale : f32
    hone.yield %s : f32
  }
  %p = hone.matmul %a, %b dims(%n) : tensor<?x4xf32>, tensor<4x2xf32> -> tensor<?x2xf32>
  %q = hone.map ins(%p : tensor<?x2xf32>) dims(%n) -> tensor<?x2xi8> {
  ^bb0(%e: f32):
    %scale = arith.constant 0.25 : f32
    %d = arith.divf %e, %scale : f32
    %r = math.roundeven %d : f32
    %i = arith.fptosi %r : f32 to i8
    hone.yield %i : i8
  }
  return %q : tensor<?x2xi8>
}

// -----

// Padding holds the zero point. Unsigned weights become signed, and their zero points vanish.
// CHECK-LABEL: func.func @convolution(
// CHECK-SAME:    %[[X:.+]]: tensor<1x4x5xi8>
// CHECK:         %[[W:.+]] = hone.constant dense<3> : tensor<2x4x3xi8>
// CHECK:         %[[Z:.+]] = arith.constant 9 : i8
// CHECK:         %[[P:.+]] = hone.pad %[[X]] with %[[Z]] low [0, 0, 1] high [0, 0, 1]
// CHECK:         %[[C:.+]] = hone.conv %[[P]], %[[W]] {{.+}} pads [0, 0] group 1 : tensor<1x4x7xi8>, tensor<2x4x3xi8> -> tensor<1x2x5xi32>
// CHECK:         hone.map ins(%[[C]], %{{.+}} : tensor<1x2x5xi32>, tensor<2x1xi32>)
func.func @convolution(%x: tensor<1x4x5xi8>) -> tensor<1x2x5xi32> {
  %w = hone.constant dense<128> : tensor<2x4x3xi8>
  %zeros = hone.constant dense<[[[125]], [[125]]]> : tensor<2x1x1xi8>
  %a = hone.map ins(%x : tensor<1x4x5xi8>) -> tensor<1x4x5xi32> {
  ^bb0(%e: i8):
    %i = arith.extui %e : i8 to i32
    %zero = arith.constant 9 : i32
    %d = arith.subi %i, %zero : i32
    hone.yield %d : i32
  }
  %b = hone.map ins(%w, %zeros : tensor<2x4x3xi8>, tensor<2x1x1xi8>) -> tensor<2x4x3xi32> {
  ^bb0(%e: i8, %z: i8):
    %i = arith.extui %e : i8 to i32
    %zero = arith.extui %z : i8 to i32
    %d = arith.subi %i, %zero : i32
    hone.yield %d : i32
  }
  %r = hone.conv %a, %b kernel [3] strides [1] dilations [1] pads [1, 1] group 1
    : tensor<1x4x5xi32>, tensor<2x4x3xi32> -> tensor<1x2x5xi32>
  return %r : tensor<1x2x5xi32>
}

// -----

// Zero points that only the run knows take sums of rows and columns.
// CHECK-LABEL: func.func @run_time(
// CHECK-COUNT-2: hone.reduce sum
// CHECK:         hone.matmul %{{.+}}, %{{.+}} : tensor<3x4xi8>, tensor<4x2xi8> -> tensor<3x2xi32>
func.func @run_time(%x: tensor<3x4xi8>, %w: tensor<4x2xi8>, %zx: tensor<i8>, %zw: tensor<2xi8>) -> tensor<3x2xi32> {
  %a = hone.map ins(%x, %zx : tensor<3x4xi8>, tensor<i8>) -> tensor<3x4xi32> {
  ^bb0(%e: i8, %z: i8):
    %i = arith.extui %e : i8 to i32
    %zero = arith.extui %z : i8 to i32
    %d = arith.subi %i, %zero : i32
    hone.yield %d : i32
  }
  %b = hone.map ins(%w, %zw : tensor<4x2xi8>, tensor<2xi8>) -> tensor<4x2xi32> {
  ^bb0(%e: i8, %z: i8):
    %i = arith.extsi %e : i8 to i32
    %zero = arith.extsi %z : i8 to i32
    %d = arith.subi %i, %zero : i32
    hone.yield %d : i32
  }
  %r = hone.matmul %a, %b : tensor<3x4xi32>, tensor<4x2xi32> -> tensor<3x2xi32>
  return %r : tensor<3x2xi32>
}

// -----

// Two channels in a group are no product of bytes; integers are exact in f32.
// CHECK-LABEL: func.func @few_channels(
// CHECK:         hone.conv {{.+}} group 2 : tensor<1x4x9xf32>, tensor<2x2x3xf32> -> tensor<1x2x7xf32>
// CHECK:         arith.fptosi
func.func @few_channels(%x: tensor<1x4x9xi8>, %w: tensor<2x2x3xi8>) -> tensor<1x2x7xi32> {
  %a = hone.map ins(%x : tensor<1x4x9xi8>) -> tensor<1x4x9xi32> {
  ^bb0(%e: i8):
    %i = arith.extui %e : i8 to i32
    hone.yield %i : i32
  }
  %b = hone.map ins(%w : tensor<2x2x3xi8>) -> tensor<2x2x3xi32> {
  ^bb0(%e: i8):
    %i = arith.extsi %e : i8 to i32
    hone.yield %i : i32
  }
  %r = hone.conv %a, %b kernel [3] strides [1] dilations [1] pads [0, 0] group 2
    : tensor<1x4x9xi32>, tensor<2x2x3xi32> -> tensor<1x2x7xi32>
  return %r : tensor<1x2x7xi32>
}

// -----

// One is.
// CHECK-LABEL: func.func @depthwise(
// CHECK:         hone.conv {{.+}} group 2 : tensor<1x2x9xi8>, tensor<2x1x3xi8> -> tensor<1x2x7xi32>
func.func @depthwise(%x: tensor<1x2x9xi8>, %w: tensor<2x1x3xi8>) -> tensor<1x2x7xi32> {
  %a = hone.map ins(%x : tensor<1x2x9xi8>) -> tensor<1x2x9xi32> {
  ^bb0(%e: i8):
    %i = arith.extui %e : i8 to i32
    hone.yield %i : i32
  }
  %b = hone.map ins(%w : tensor<2x1x3xi8>) -> tensor<2x1x3xi32> {
  ^bb0(%e: i8):
    %i = arith.extsi %e : i8 to i32
    hone.yield %i : i32
  }
  %r = hone.conv %a, %b kernel [3] strides [1] dilations [1] pads [0, 0] group 2
    : tensor<1x2x9xi32>, tensor<2x1x3xi32> -> tensor<1x2x7xi32>
  return %r : tensor<1x2x7xi32>
}

// -----

// Zeros around the input are what bytes without a zero point stand for; with one the sums would have unequal numbers
// of terms.
// CHECK-LABEL: func.func @transposed(
// CHECK:         hone.conv_transpose {{.+}} : tensor<1x2x9xi8>, tensor<2x3x2xi8> -> tensor<1x3x18xi32>
// CHECK:         hone.conv_transpose {{.+}} : tensor<1x2x9xf32>, tensor<2x3x2xf32> -> tensor<1x3x18xf32>
func.func @transposed(%x: tensor<1x2x9xi8>) -> (tensor<1x3x18xf32>, tensor<1x3x18xf32>) {
  %w = hone.constant dense<3> : tensor<2x3x2xi8>
  %a = hone.map ins(%x : tensor<1x2x9xi8>) -> tensor<1x2x9xf32> {
  ^bb0(%e: i8):
    %f = arith.uitofp %e : i8 to f32
    %scale = arith.constant 0.5 : f32
    %p = arith.mulf %f, %scale : f32
    hone.yield %p : f32
  }
  %b = hone.map ins(%x : tensor<1x2x9xi8>) -> tensor<1x2x9xf32> {
  ^bb0(%e: i8):
    %f = arith.uitofp %e : i8 to f32
    %scale = arith.constant 0.5 : f32
    %zero = arith.constant 7.0 : f32
    %d = arith.subf %f, %zero : f32
    %p = arith.mulf %d, %scale : f32
    hone.yield %p : f32
  }
  %c = hone.map ins(%w : tensor<2x3x2xi8>) -> tensor<2x3x2xf32> {
  ^bb0(%e: i8):
    %f = arith.sitofp %e : i8 to f32
    %scale = arith.constant 0.5 : f32
    %p = arith.mulf %f, %scale : f32
    hone.yield %p : f32
  }
  %r = hone.conv_transpose %a, %c strides [2] dilations [1] pads [0, 0] group 1
    : tensor<1x2x9xf32>, tensor<2x3x2xf32> -> tensor<1x3x18xf32>
  %s = hone.conv_transpose %b, %c strides [2] dilations [1] pads [0, 0] group 1
    : tensor<1x2x9xf32>, tensor<2x3x2xf32> -> tensor<1x3x18xf32>
  return %r, %s : tensor<1x3x18xf32>, tensor<1x3x18xf32>
}

// -----

// Scales along K cannot be taken out of the sum.
// CHECK-LABEL: func.func @along_k(
// CHECK:         hone.matmul {{.+}} -> tensor<3x2xf32>
func.func @along_k(%x: tensor<3x4xi8>, %s: tensor<4x1xf32>) -> tensor<3x2xf32> {
  %w = hone.constant dense<3> : tensor<4x2xi8>
  %a = hone.map ins(%x : tensor<3x4xi8>) -> tensor<3x4xf32> {
  ^bb0(%e: i8):
    %f = arith.uitofp %e : i8 to f32
    %scale = arith.constant 0.5 : f32
    %p = arith.mulf %f, %scale : f32
    hone.yield %p : f32
  }
  %b = hone.map ins(%w, %s : tensor<4x2xi8>, tensor<4x1xf32>) -> tensor<4x2xf32> {
  ^bb0(%e: i8, %scale: f32):
    %f = arith.sitofp %e : i8 to f32
    %p = arith.mulf %f, %scale : f32
    hone.yield %p : f32
  }
  %r = hone.matmul %a, %b : tensor<3x4xf32>, tensor<4x2xf32> -> tensor<3x2xf32>
  return %r : tensor<3x2xf32>
}

// -----

// A byte that is extended as a signed one may be negative.
// CHECK-LABEL: func.func @mixed_signs(
// CHECK:         hone.matmul {{.+}} -> tensor<3x2xf32>
func.func @mixed_signs(%x: tensor<3x4xi8>) -> tensor<3x2xf32> {
  %w = hone.constant dense<3> : tensor<4x2xi8>
  %a = hone.map ins(%x : tensor<3x4xi8>) -> tensor<3x4xf32> {
  ^bb0(%e: i8):
    %i = arith.extsi %e : i8 to i16
    %f = arith.uitofp %i : i16 to f32
    hone.yield %f : f32
  }
  %b = hone.map ins(%w : tensor<4x2xi8>) -> tensor<4x2xf32> {
  ^bb0(%e: i8):
    %f = arith.sitofp %e : i8 to f32
    hone.yield %f : f32
  }
  %r = hone.matmul %a, %b : tensor<3x4xf32>, tensor<4x2xf32> -> tensor<3x2xf32>
  return %r : tensor<3x2xf32>
}

// -----

// Scales whose product overflows stay apart.
// CHECK-LABEL: func.func @large_scales(
// CHECK:         hone.matmul {{.+}} -> tensor<3x2xf32>
func.func @large_scales(%x: tensor<3x4xi8>) -> tensor<3x2xf32> {
  %w = hone.constant dense<3> : tensor<4x2xi8>
  %a = hone.map ins(%x : tensor<3x4xi8>) -> tensor<3x4xf32> {
  ^bb0(%e: i8):
    %f = arith.uitofp %e : i8 to f32
    %scale = arith.constant 1.0e30 : f32
    %p = arith.mulf %f, %scale : f32
    hone.yield %p : f32
  }
  %b = hone.map ins(%w : tensor<4x2xi8>) -> tensor<4x2xf32> {
  ^bb0(%e: i8):
    %f = arith.sitofp %e : i8 to f32
    %scale = arith.constant 1.0e20 : f32
    %p = arith.mulf %f, %scale : f32
    hone.yield %p : f32
  }
  %r = hone.matmul %a, %b : tensor<3x4xf32>, tensor<4x2xf32> -> tensor<3x2xf32>
  return %r : tensor<3x2xf32>
}

// -----

// A scale of 1 has left no multiplication.
// CHECK-LABEL: func.func @no_scale(
// CHECK:         hone.matmul {{.+}} -> tensor<3x2xi32>
func.func @no_scale(%x: tensor<3x4xi8>) -> tensor<3x2xf32> {
  %w = hone.constant dense<3> : tensor<4x2xi8>
  %a = hone.map ins(%x : tensor<3x4xi8>) -> tensor<3x4xf32> {
  ^bb0(%e: i8):
    %f = arith.uitofp %e : i8 to f32
    hone.yield %f : f32
  }
  %b = hone.map ins(%w : tensor<4x2xi8>) -> tensor<4x2xf32> {
  ^bb0(%e: i8):
    %f = arith.sitofp %e : i8 to f32
    hone.yield %f : f32
  }
  %r = hone.matmul %a, %b : tensor<3x4xf32>, tensor<4x2xf32> -> tensor<3x2xf32>
  return %r : tensor<3x2xf32>
}

// -----

// A difference that is no byte is no zero point, and floats of so many products do not fit into i32.
// CHECK-LABEL: func.func @left_alone(
// CHECK:         hone.matmul {{.+}} -> tensor<3x2xf32>
// CHECK:         hone.matmul {{.+}} -> tensor<1x2xf32>
func.func @left_alone(%x: tensor<3x4xi8>, %y: tensor<1x40000xi8>) -> (tensor<3x2xf32>, tensor<1x2xf32>) {
  %w = hone.constant dense<3> : tensor<4x2xi8>
  %v = hone.constant dense<3> : tensor<40000x2xi8>
  %a = hone.map ins(%x : tensor<3x4xi8>) -> tensor<3x4xf32> {
  ^bb0(%e: i8):
    %f = arith.uitofp %e : i8 to f32
    %half = arith.constant 0.5 : f32
    %d = arith.subf %f, %half : f32
    %p = arith.mulf %d, %half : f32
    hone.yield %p : f32
  }
  %b = hone.map ins(%w : tensor<4x2xi8>) -> tensor<4x2xf32> {
  ^bb0(%e: i8):
    %f = arith.sitofp %e : i8 to f32
    %scale = arith.constant 0.5 : f32
    %p = arith.mulf %f, %scale : f32
    hone.yield %p : f32
  }
  %r = hone.matmul %a, %b : tensor<3x4xf32>, tensor<4x2xf32> -> tensor<3x2xf32>
  %c = hone.map ins(%y : tensor<1x40000xi8>) -> tensor<1x40000xf32> {
  ^bb0(%e: i8):
    %f = arith.uitofp %e : i8 to f32
    %scale = arith.constant 0.5 : f32
    %p = arith.mulf %f, %scale : f32
    hone.yield %p : f32
  }
  %d = hone.map ins(%v : tensor<40000x2xi8>) -> tensor<40000x2xf32> {
  ^bb0(%e: i8):
    %f = arith.sitofp %e : i8 to f32
    %scale = arith.constant 0.5 : f32
    %p = arith.mulf %f, %scale : f32
    hone.yield %p : f32
  }
  %s = hone.matmul %c, %d : tensor<1x40000xf32>, tensor<40000x2xf32> -> tensor<1x2xf32>
  return %r, %s : tensor<3x2xf32>, tensor<1x2xf32>
}

// -----

// Bytes on both sides of which nothing is known. The signs of those on the right change before they are transposed, and
// sums are transposed instead of bytes.
// CHECK-LABEL: func.func @two_inputs(
// CHECK-SAME:    %[[X:.+]]: tensor<3x4xi8>, %[[W:.+]]: tensor<2x4xi8>
// CHECK:         %[[F:.+]] = hone.map ins(%[[W]] : tensor<2x4xi8>) -> tensor<2x4xi8>
// CHECK:           arith.xori
// CHECK:         %[[T:.+]] = hone.transpose %[[F]] [1, 0] : tensor<2x4xi8> -> tensor<4x2xi8>
// CHECK:         hone.reduce sum %{{.+}} axes [1] keepdims : tensor<2x4xi32> -> tensor<2x1xi32>
// CHECK:         %[[COLUMNS:.+]] = hone.transpose {{.+}} : tensor<2x1xi32> -> tensor<1x2xi32>
// CHECK:         %[[ROWS:.+]] = hone.reduce sum %{{.+}} axes [1] keepdims : tensor<3x4xi32> -> tensor<3x1xi32>
// CHECK:         %[[P:.+]] = hone.matmul %[[X]], %[[T]] : tensor<3x4xi8>, tensor<4x2xi8> -> tensor<3x2xi32>
// CHECK:         hone.map ins(%[[P]], %[[COLUMNS]], %[[ROWS]], {{.+}} -> tensor<3x2xf32>
func.func @two_inputs(%x: tensor<3x4xi8>, %w: tensor<2x4xi8>) -> tensor<3x2xf32> {
  %a = hone.map ins(%x : tensor<3x4xi8>) -> tensor<3x4xf32> {
  ^bb0(%e: i8):
    %f = arith.uitofp %e : i8 to f32
    %zero = arith.constant 7.0 : f32
    %d = arith.subf %f, %zero : f32
    hone.yield %d : f32
  }
  %t = hone.transpose %w [1, 0] : tensor<2x4xi8> -> tensor<4x2xi8>
  %b = hone.map ins(%t : tensor<4x2xi8>) -> tensor<4x2xf32> {
  ^bb0(%e: i8):
    %f = arith.uitofp %e : i8 to f32
    %zero = arith.constant 120.0 : f32
    %scale = arith.constant 0.5 : f32
    %d = arith.subf %f, %zero : f32
    %p = arith.mulf %d, %scale : f32
    hone.yield %p : f32
  }
  %r = hone.matmul %a, %b : tensor<3x4xf32>, tensor<4x2xf32> -> tensor<3x2xf32>
  return %r : tensor<3x2xf32>
}

// -----

// Sums of a free number of products may not fit in i32.
// CHECK-LABEL: func.func @free_sums(
// CHECK:         hone.matmul {{.+}} -> tensor<3x2xf32>
func.func @free_sums(%x: tensor<3x?xi8>, %w: tensor<?x2xi8>, %k: index) -> tensor<3x2xf32> {
  %a = hone.map ins(%x : tensor<3x?xi8>) dims(%k) -> tensor<3x?xf32> {
  ^bb0(%e: i8):
    %f = arith.uitofp %e : i8 to f32
    hone.yield %f : f32
  }
  %b = hone.map ins(%w : tensor<?x2xi8>) dims(%k) -> tensor<?x2xf32> {
  ^bb0(%e: i8):
    %f = arith.sitofp %e : i8 to f32
    hone.yield %f : f32
  }
  %r = hone.matmul %a, %b : tensor<3x?xf32>, tensor<?x2xf32> -> tensor<3x2xf32>
  return %r : tensor<3x2xf32>
}
