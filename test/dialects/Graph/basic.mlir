// RUN: hone-opt %s --split-input-file | hone-opt --split-input-file | FileCheck %s
// RUN: hone-opt %s --split-input-file --mlir-print-op-generic | hone-opt --split-input-file | FileCheck %s

// CHECK-LABEL: func.func @values(
// CHECK:         hone.constant dense<1.000000e+00> : tensor<2xf32>
// CHECK:         hone.dim "n"
// CHECK:         hone.map ins(%{{.+}}, %{{.+}} : tensor<4x?xf32>, tensor<?xf32>) dims(%{{.+}}) -> tensor<4x?xf32>
// CHECK:           hone.index 1
// CHECK:           hone.checked_index %{{.+}} of %{{.+}} wrap
// CHECK:           hone.checked_divisor %{{.+}} : i64
// CHECK:           hone.yield %{{.+}} : f32
func.func @values(%x: tensor<4x?xf32>, %y: tensor<?xf32>, %d: i64) -> (tensor<2xf32>, tensor<4x?xf32>) {
  %c = hone.constant dense<1.0> : tensor<2xf32>
  %n = hone.dim "n"
  %m = hone.map ins(%x, %y : tensor<4x?xf32>, tensor<?xf32>) dims(%n) -> tensor<4x?xf32> {
  ^bb0(%a: f32, %b: f32):
    %i = hone.index 1
    %j = hone.checked_index %i of %n wrap
    %k = hone.checked_divisor %d : i64
    %s = arith.addf %a, %b : f32
    hone.yield %s : f32
  }
  return %c, %m : tensor<2xf32>, tensor<4x?xf32>
}

// -----

// CHECK-LABEL: func.func @types(
// CHECK-SAME:    !hone.sequence<tensor<?xf32>>, %{{.+}}: !hone.optional<tensor<?xf32>>, %{{.+}}: tensor<2x!hone.string>
func.func @types(%s: !hone.sequence<tensor<?xf32>>, %o: !hone.optional<tensor<?xf32>>, %t: tensor<2x!hone.string>) {
  return
}

// -----

// CHECK-LABEL: func.func @reductions(
// CHECK:         hone.reduce{{ +}}sum %{{.+}} axes [0, 1] : tensor<4x5xf32> -> tensor<f32>
// CHECK:         hone.reduce{{ +}}umax %{{.+}} axes [1] keepdims : tensor<4x5xf32> -> tensor<4x1xf32>
// CHECK:         hone.arg_reduce{{ +}}min %{{.+}} axis 1 keepdims last : tensor<4x5xf32> -> tensor<4x1xi64>
// CHECK:         hone.cumulate{{ +}}prod %{{.+}} axis 0 exclusive reverse : tensor<4x5xf32>
// CHECK:         hone.top_k %{{.+}} dims(%{{.+}}) axis 1 smallest unsigned : tensor<4x5xf32> -> tensor<4x?xf32>, tensor<4x?xi64>
func.func @reductions(%x: tensor<4x5xf32>, %k: index) {
  %a = hone.reduce sum %x axes [0, 1] : tensor<4x5xf32> -> tensor<f32>
  %b = hone.reduce umax %x axes [1] keepdims : tensor<4x5xf32> -> tensor<4x1xf32>
  %c = hone.arg_reduce min %x axis 1 keepdims last : tensor<4x5xf32> -> tensor<4x1xi64>
  %d = hone.cumulate prod %x axis 0 exclusive reverse : tensor<4x5xf32>
  %v, %i = hone.top_k %x dims(%k) axis 1 smallest unsigned : tensor<4x5xf32> -> tensor<4x?xf32>, tensor<4x?xi64>
  return
}

// -----

// CHECK-LABEL: func.func @quantized(
// CHECK:         hone.dequantize {{.+}} bits 4 block 32 axis 1 zero 8 unsigned : tensor<6x20xi8>, tensor<6x2xf32> -> tensor<6x40xf32>
// CHECK:         hone.dequantize {{.+}} zeros {{.+}} bits 8 block 20 axis 0 : tensor<40x6xi8>, tensor<2x6xf16>, tensor<2x6xi8> -> tensor<40x6xf32>
// CHECK:         hone.matmul {{.+}} packed <16, 8> quantized <block = 32, scale = f32, zero = 8> :
// CHECK:         hone.matmul {{.+}} packed <16, 8> quantized <block = 32, scale = f16> :
// CHECK:         hone.dequantize {{.+}} bits 4 block 32 axis 1 unsigned bytes :
// CHECK:         hone.matmul {{.+}} packed <16, 8> quantized <block = 32, scale = f32, zero = 8, bytes = true> :
func.func @quantized(%x: tensor<3x40xf32>, %c: tensor<6x20xi8>, %s: tensor<6x2xf32>, %b: tensor<40x6xi8>,
                     %t: tensor<2x6xf16>, %z: tensor<2x6xi8>, %p: tensor<1x2x80xi32>) {
  %d = hone.dequantize %c, %s bits 4 block 32 axis 1 zero 8 unsigned : tensor<6x20xi8>, tensor<6x2xf32> -> tensor<6x40xf32>
  %e = hone.dequantize %b, %t zeros %z bits 8 block 20 axis 0 : tensor<40x6xi8>, tensor<2x6xf16>, tensor<2x6xi8> -> tensor<40x6xf32>
  %y = hone.matmul %x, %p packed <16, 8> quantized <block = 32, scale = f32, zero = 8> : tensor<3x40xf32>, tensor<1x2x80xi32> -> tensor<3x6xf32>
  %w = hone.matmul %x, %p packed <16, 8> quantized <block = 32, scale = f16> : tensor<3x40xf32>, tensor<1x2x80xi32> -> tensor<3x6xf32>
  %f = hone.dequantize %c, %s bits 4 block 32 axis 1 unsigned bytes : tensor<6x20xi8>, tensor<6x2xf32> -> tensor<6x40xf32>
  %v = hone.matmul %x, %p packed <16, 8> quantized <block = 32, scale = f32, zero = 8, bytes = true> : tensor<3x40xf32>, tensor<1x2x80xi32> -> tensor<3x6xf32>
  return
}

// -----

// CHECK-LABEL: func.func @contractions(
// CHECK:         hone.matmul %{{.+}}, %{{.+}} dims(%{{.+}}) transpose_rhs : tensor<2x?x4xf32>, tensor<6x4xf32> -> tensor<2x?x6xf32>
// CHECK:         hone.matmul %{{.+}}, %{{.+}} dims(%{{.+}}) packed <16, 1> : tensor<2x?x4xf32>, tensor<1x4x16xf32> -> tensor<2x?x6xf32>
// CHECK:         hone.conv %{{.+}}, %{{.+}} kernel [3, 3] strides [1, 2] dilations [1, 1] pads [1, 0, 1, 0] group 2 :
// CHECK:         hone.conv {{.+}} channels_last packed <16, 1> :
// CHECK:         hone.conv_transpose {{.+}} strides [2, 2] dilations [1, 1] pads [0, 0, 0, 0] group 1 :
// CHECK:         hone.pool{{ +}}average {{.+}} count_include_pad channels_last :
// CHECK:         hone.pool{{ +}}max {{.+}} column_major unsigned : tensor<1x4x8x9xf32> -> tensor<1x4x7x8xf32>, tensor<1x4x7x8xi64>
func.func @contractions(%x: tensor<2x?x4xf32>, %w: tensor<6x4xf32>, %p: tensor<1x4x16xf32>, %n: index,
                        %i: tensor<1x4x8x9xf32>, %f: tensor<6x2x3x3xf32>, %l: tensor<1x8x9x4xf32>,
                        %q: tensor<1x3x3x4x16xf32>, %t: tensor<4x6x2x2xf32>) {
  %a = hone.matmul %x, %w dims(%n) transpose_rhs : tensor<2x?x4xf32>, tensor<6x4xf32> -> tensor<2x?x6xf32>
  %b = hone.matmul %x, %p dims(%n) packed <16, 1> : tensor<2x?x4xf32>, tensor<1x4x16xf32> -> tensor<2x?x6xf32>
  %c = hone.conv %i, %f kernel [3, 3] strides [1, 2] dilations [1, 1] pads [1, 0, 1, 0] group 2
    : tensor<1x4x8x9xf32>, tensor<6x2x3x3xf32> -> tensor<1x6x8x4xf32>
  %d = hone.conv %l, %q kernel [3, 3] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] group 1 channels_last packed <16, 1>
    : tensor<1x8x9x4xf32>, tensor<1x3x3x4x16xf32> -> tensor<1x6x7x6xf32>
  %e = hone.conv_transpose %i, %t strides [2, 2] dilations [1, 1] pads [0, 0, 0, 0] group 1
    : tensor<1x4x8x9xf32>, tensor<4x6x2x2xf32> -> tensor<1x6x16x18xf32>
  %g = hone.pool average %l kernel [2, 2] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] count_include_pad
    channels_last : tensor<1x8x9x4xf32> -> tensor<1x7x8x4xf32>
  %h, %k = hone.pool max %i kernel [2, 2] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] column_major unsigned
    : tensor<1x4x8x9xf32> -> tensor<1x4x7x8xf32>, tensor<1x4x7x8xi64>
  return
}

// -----

// CHECK-LABEL: func.func @movement(
// CHECK:         hone.reshape %{{.+}} dims(%{{.+}}) : tensor<?x4xf32> -> tensor<2x?xf32>
// CHECK:         hone.transpose %{{.+}} [1, 0] : tensor<?x4xf32> -> tensor<4x?xf32>
// CHECK:         hone.slice %{{.+}} at [%{{.+}}, 3] dims(%{{.+}}) steps [1, -2] : tensor<?x4xf32> -> tensor<?x2xf32>
// CHECK:         hone.concat %{{.+}}, %{{.+}} dims(%{{.+}}) axis 1 : tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x8xf32>
// CHECK:         hone.pad %{{.+}} with %{{.+}} low [0, -1] high [2, 1] : tensor<?x4xf32>, f32 -> tensor<?x4xf32>
// CHECK:         hone.gather %{{.+}}[%{{.+}}] axis 1 : tensor<?x4xf32>, tensor<2x3xi64> -> tensor<?x2x3xf32>
// CHECK:         hone.scatter{{ +}}sum %{{.+}} into %{{.+}}[%{{.+}}] axis 0 : tensor<?x4xf32>, tensor<2x3xi64>, tensor<2x3xf32>
// CHECK:         hone.scatter{{ +}}assign %{{.+}} into %{{.+}}[%{{.+}}] : tensor<?x4xf32>, tensor<2x1xi64>, tensor<2x4xf32>
func.func @movement(%x: tensor<?x4xf32>, %n: index, %v: f32, %i: tensor<2x3xi64>, %j: tensor<2x1xi64>,
                    %u: tensor<2x3xf32>, %w: tensor<2x4xf32>) {
  %a = hone.reshape %x dims(%n) : tensor<?x4xf32> -> tensor<2x?xf32>
  %b = hone.transpose %x [1, 0] : tensor<?x4xf32> -> tensor<4x?xf32>
  %c = hone.slice %x at [%n, 3] dims(%n) steps [1, -2] : tensor<?x4xf32> -> tensor<?x2xf32>
  %d = hone.concat %x, %x dims(%n) axis 1 : tensor<?x4xf32>, tensor<?x4xf32> -> tensor<?x8xf32>
  %e = hone.pad %x with %v low [0, -1] high [2, 1] : tensor<?x4xf32>, f32 -> tensor<?x4xf32>
  %f = hone.gather %x[%i] axis 1 : tensor<?x4xf32>, tensor<2x3xi64> -> tensor<?x2x3xf32>
  %g = hone.scatter sum %u into %x[%i] axis 0 : tensor<?x4xf32>, tensor<2x3xi64>, tensor<2x3xf32>
  %h = hone.scatter assign %w into %x[%j] : tensor<?x4xf32>, tensor<2x1xi64>, tensor<2x4xf32>
  return
}

// -----

// CHECK-LABEL: func.func @library(
// CHECK:         hone.library "nonzero"(%{{.+}}) : (tensor<4x5xf32>) -> tensor<2x?xi64>
// CHECK:         hone.library "tokenize"(%{{.+}}) {width = 3 : i64} : (tensor<4x5xf32>) -> tensor<?xi64>
func.func @library(%x: tensor<4x5xf32>) {
  %a = hone.library "nonzero"(%x) : (tensor<4x5xf32>) -> tensor<2x?xi64>
  %b = hone.library "tokenize"(%x) {width = 3 : i64} : (tensor<4x5xf32>) -> tensor<?xi64>
  return
}
