// RUN: hone-opt %s --split-input-file --hone-lower-precision=format=auto | FileCheck %s
// RUN: hone-opt %s --split-input-file --hone-lower-precision=format=auto --remarks-filter-missed=.* -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: hone-opt %s --split-input-file --hone-lower-precision='format=auto fast-bf16' | FileCheck %s --check-prefix=FAST

// One row reads its weights from memory, and f16 loses less than bf16; 100 rows take as long in 16 bits unless they
// are multiplied faster.
// CHECK-LABEL: func.func @rows(
// CHECK-SAME:    hone.rounded_weights = ["f16"]
// CHECK:         hone.matmul {{.+}} : tensor<1x256xf32>, tensor<256x256xf16>
// CHECK:         hone.matmul {{.+}} : tensor<100x256xf32>, tensor<256x256xf32>
// REMARK:      Category:lower-precision | Reason="16 bits would not make it faster"
// FAST-LABEL:  func.func @rows(
// FAST-SAME:     hone.rounded_weights = ["f16", "bf16"]
// FAST:          hone.matmul {{.+}} : tensor<1x256xf32>, tensor<256x256xf16>
// FAST:          hone.matmul {{.+}} : tensor<100x256xf32>, tensor<256x256xbf16>
func.func @rows(%x: tensor<1x256xf32>, %y: tensor<100x256xf32>) -> (tensor<1x256xf32>, tensor<100x256xf32>) {
  %v = hone.constant dense<0.301> : tensor<256x256xf32>
  %w = hone.constant dense<0.3011> : tensor<256x256xf32>
  %a = hone.matmul %x, %v : tensor<1x256xf32>, tensor<256x256xf32> -> tensor<1x256xf32>
  %b = hone.matmul %y, %w : tensor<100x256xf32>, tensor<256x256xf32> -> tensor<100x256xf32>
  return %a, %b : tensor<1x256xf32>, tensor<100x256xf32>
}

// -----

// A weight has one type for all its users.
// CHECK-LABEL: func.func @shared(
// CHECK-NOT:     f16
// FAST-LABEL:  func.func @shared(
// FAST-NOT:      xf16
// FAST-COUNT-2:  tensor<256x256xbf16> ->
func.func @shared(%x: tensor<1x256xf32>, %y: tensor<100x256xf32>) -> (tensor<1x256xf32>, tensor<100x256xf32>) {
  %v = hone.constant dense<0.301> : tensor<256x256xf32>
  %a = hone.matmul %x, %v : tensor<1x256xf32>, tensor<256x256xf32> -> tensor<1x256xf32>
  %b = hone.matmul %y, %v : tensor<100x256xf32>, tensor<256x256xf32> -> tensor<100x256xf32>
  return %a, %b : tensor<1x256xf32>, tensor<100x256xf32>
}

// -----

// What is out of the range of f16, or below it, is bf16; what errs in one direction stays.
// CHECK-LABEL: func.func @ranges(
// CHECK-SAME:    hone.rounded_weights = ["bf16"]
// CHECK:         hone.matmul {{.+}} tensor<256x256xbf16> ->
// CHECK:         hone.matmul {{.+}} tensor<256x256xbf16> ->
// CHECK:         hone.matmul {{.+}} tensor<256x256xf32> ->
// REMARK:      Category:lower-precision | Reason="its weights would lose too much in 16 bits"
func.func @ranges(%x: tensor<1x256xf32>) -> tensor<1x256xf32> {
  %large = hone.constant dense<1.0e5> : tensor<256x256xf32>
  %small = hone.constant dense<1.0e-8> : tensor<256x256xf32>
  %between = hone.constant dense<0x47808000> : tensor<256x256xf32>
  %a = hone.matmul %x, %large : tensor<1x256xf32>, tensor<256x256xf32> -> tensor<1x256xf32>
  %b = hone.matmul %a, %small : tensor<1x256xf32>, tensor<256x256xf32> -> tensor<1x256xf32>
  %c = hone.matmul %b, %between : tensor<1x256xf32>, tensor<256x256xf32> -> tensor<1x256xf32>
  return %c : tensor<1x256xf32>
}

// -----

// Filters have a column for each output channel; weights that are not large stay in a cache.
// CHECK-LABEL: func.func @small(
// CHECK-NOT:     f16
// FAST-LABEL:  func.func @small(
// FAST:          hone.conv {{.+}} tensor<4x4x1x1xbf16> ->
// FAST:          hone.matmul {{.+}} tensor<4x4xbf16> ->
func.func @small(%x: tensor<1x2x2x4xf32>, %y: tensor<1x4xf32>) -> (tensor<1x2x2x4xf32>, tensor<1x4xf32>) {
  %f = hone.constant dense<0.301> : tensor<4x4x1x1xf32>
  %w = hone.constant dense<0.301> : tensor<4x4xf32>
  %a = hone.conv %x, %f kernel [1, 1] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] group 1 channels_last : tensor<1x2x2x4xf32>, tensor<4x4x1x1xf32> -> tensor<1x2x2x4xf32>
  %b = hone.matmul %y, %w transpose_rhs : tensor<1x4xf32>, tensor<4x4xf32> -> tensor<1x4xf32>
  return %a, %b : tensor<1x2x2x4xf32>, tensor<1x4xf32>
}
