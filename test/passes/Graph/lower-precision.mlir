// RUN: hone-opt %s --split-input-file --hone-lower-precision | FileCheck %s
// RUN: hone-opt %s --split-input-file --hone-lower-precision --remarks-filter-missed=.* -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

// RUN: hone-opt %s --split-input-file --hone-lower-precision=format=f16 | FileCheck %s --check-prefix=F16
// RUN: hone-opt %s --split-input-file --hone-lower-precision=format=f16 --remarks-filter-missed=.* -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK16
// RUN: not hone-opt %s --split-input-file --hone-lower-precision=format=f8 -o /dev/null 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// UNKNOWN: error: there is no format 'f8'; there are bf16, f16 and auto

// To nearest, halves to even; infinity and NaN stay.
// CHECK-LABEL: func.func @values(
// CHECK:         %[[W:.+]] = hone.constant dense<{{\[\[}}1.000000e+00, 1.015630e+00, 0x7F80, 0x7FC0]]> : tensor<1x4xbf16>
// CHECK:         hone.matmul %{{.+}}, %[[W]] : tensor<5x1xf32>, tensor<1x4xbf16> -> tensor<5x4xf32>
func.func @values(%x: tensor<5x1xf32>) -> tensor<5x4xf32> {
  %w = hone.constant dense<[[1.00390625, 1.01171875, 0x7F800000, 0x7F800001]]> : tensor<1x4xf32>
  %r = hone.matmul %x, %w : tensor<5x1xf32>, tensor<1x4xf32> -> tensor<5x4xf32>
  return %r : tensor<5x4xf32>
}

// -----

// A constant is rounded once, and stays for others.
// CHECK-LABEL: func.func @shared(
// CHECK:         %[[F:.+]] = hone.constant dense<2.000000e+00> : tensor<2x2xf32>
// CHECK:         %[[W:.+]] = hone.constant dense<2.000000e+00> : tensor<2x2xbf16>
// CHECK-NOT:     hone.constant
// CHECK:         hone.matmul %{{.+}}, %[[W]] :
// CHECK:         hone.matmul %{{.+}}, %[[W]] transpose_rhs :
// CHECK:         hone.matmul %[[F]], %{{.+}} : tensor<2x2xf32>, tensor<2x2xf32>
func.func @shared(%x: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %w = hone.constant dense<2.0> : tensor<2x2xf32>
  %a = hone.matmul %x, %w : tensor<2x2xf32>, tensor<2x2xf32> -> tensor<2x2xf32>
  %b = hone.matmul %a, %w transpose_rhs : tensor<2x2xf32>, tensor<2x2xf32> -> tensor<2x2xf32>
  %c = hone.matmul %w, %b : tensor<2x2xf32>, tensor<2x2xf32> -> tensor<2x2xf32>
  return %c : tensor<2x2xf32>
}

// -----

// CHECK-LABEL: func.func @convolutions(
// CHECK:         hone.conv {{.*}} : tensor<1x4x4x4xf32>, tensor<4x4x1x1xbf16> -> tensor<1x4x4x4xf32>
// CHECK:         hone.conv {{.*}} : tensor<1x4x4x4xf32>, tensor<4x1x1x1xf32> -> tensor<1x4x4x4xf32>
// CHECK:         hone.conv {{.*}} : tensor<1x4x4x4xf32>, tensor<4x4x1x1xf32> -> tensor<1x4x4x4xf32>
func.func @convolutions(%x: tensor<1x4x4x4xf32>) -> tensor<1x4x4x4xf32> {
  %full = hone.constant dense<2.0> : tensor<4x4x1x1xf32>
  %depthwise = hone.constant dense<2.0> : tensor<4x1x1x1xf32>
  %a = hone.conv %x, %full kernel [1, 1] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] group 1 channels_last : tensor<1x4x4x4xf32>, tensor<4x4x1x1xf32> -> tensor<1x4x4x4xf32>
  %b = hone.conv %a, %depthwise kernel [1, 1] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] group 4 channels_last : tensor<1x4x4x4xf32>, tensor<4x1x1x1xf32> -> tensor<1x4x4x4xf32>
  %c = hone.conv %b, %full kernel [1, 1] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] group 1 : tensor<1x4x4x4xf32>, tensor<4x4x1x1xf32> -> tensor<1x4x4x4xf32>
  return %c : tensor<1x4x4x4xf32>
}

// -----

// Batched, not known, of another type, or too large.
// CHECK-LABEL: func.func @left_alone(
// CHECK-NOT:     bf16
// REMARK16: {{.Missed.}} slow | Category:lower-precision | Reason="a weight is too large for f16"
// REMARK: {{.Missed.}} slow | Category:lower-precision | Reason="a weight is too large for bf16"
func.func @left_alone(%x: tensor<2x2x2xf32>, %w: tensor<2x2xf32>, %h: tensor<2x2xf16>) -> (tensor<2x2x2xf32>, tensor<2x2xf16>) {
  %batched = hone.constant dense<2.0> : tensor<2x2x2xf32>
  %large = hone.constant dense<3.4e38> : tensor<2x2xf32>
  %half = hone.constant dense<2.0> : tensor<2x2xf16>
  %a = hone.matmul %x, %batched : tensor<2x2x2xf32>, tensor<2x2x2xf32> -> tensor<2x2x2xf32>
  %b = hone.matmul %a, %w : tensor<2x2x2xf32>, tensor<2x2xf32> -> tensor<2x2x2xf32>
  %c = hone.matmul %b, %large : tensor<2x2x2xf32>, tensor<2x2xf32> -> tensor<2x2x2xf32>
  %d = hone.matmul %h, %half : tensor<2x2xf16>, tensor<2x2xf16> -> tensor<2x2xf16>
  return %c, %d : tensor<2x2x2xf32>, tensor<2x2xf16>
}

// -----

// Normal and subnormal numbers of half precision, ties on both sides, the largest number and what becomes 0.
// CHECK-LABEL: func.func @halves(
// F16-LABEL:   func.func @halves(
// F16:         hone.constant dense<{{\[\[}}1.000000e+00, 1.001950e+00, 5.960460e-08, 1.192090e-07, 6.550400e+04, 0.000000e+00, -0.000000e+00, 6.103520e-05]]> : tensor<1x8xf16>
func.func @halves(%x: tensor<5x1xf32>) -> tensor<5x8xf32> {
  %w = hone.constant dense<[[1.00048828125, 1.00146484375, 0x33000001, 0x33C00000, 65519.0, 0x33000000, -1.0e-9, 0x387FF000]]> : tensor<1x8xf32>
  %r = hone.matmul %x, %w : tensor<5x1xf32>, tensor<1x8xf32> -> tensor<5x8xf32>
  return %r : tensor<5x8xf32>
}
