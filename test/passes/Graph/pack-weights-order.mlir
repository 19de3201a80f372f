// RUN: hone-opt %s --split-input-file --hone-pack-weights=order-bytes --mlir-print-elementsattrs-with-hex-if-larger=-1 | FileCheck %s
// RUN: hone-opt %s --split-input-file --hone-pack-weights=order-bytes --remarks-filter-missed=.* -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
// REMARK: Category:pack-weights | Reason="bytes are widened: too many pairs of weights exceed 16 bits in any order"

// 100 and -100, or 28, go together; so the rows 0 to 7 have the partners 8 to 15.
// CHECK-LABEL: func.func @matmul(
// CHECK:         %[[W:.+]] = hone.constant dense<{{\[\[\[}}[100, -100, {{(100, -100|100, 28|28, .*)}}], [0, 0, 0, 0],
// CHECK:         hone.matmul %{{.+}}, %[[W]] packed <16, 4, corrections = 0> : tensor<8x16xi8>, tensor<1x5x16x4xi8> -> tensor<8x1xi32>
func.func @matmul(%x: tensor<8x16xi8>) -> tensor<8x1xi32> {
  %w = hone.constant dense<[[100], [100], [100], [100], [100], [100], [100], [100], [-100], [-100], [-100], [-100], [-100], [-100], [-100], [-100]]> : tensor<16x1xi8>
  %r = hone.matmul %x, %w : tensor<8x16xi8>, tensor<16x1xi8> -> tensor<8x1xi32>
  return %r : tensor<8x1xi32>
}

// -----

// Nine of 16 cannot all have partners: what one of them lacks is a correction.
// CHECK-LABEL: func.func @corrected(
// CHECK:         hone.matmul {{.+}} packed <16, 4, corrections = 1> : tensor<8x32xi8>, tensor<1x11x16x4xi8> -> tensor<8x1xi32>
func.func @corrected(%x: tensor<8x32xi8>) -> tensor<8x1xi32> {
  %w = hone.constant dense<[[100], [100], [100], [100], [100], [100], [100], [100], [100], [0], [0], [0], [0], [0], [0], [0],
      [1], [1], [1], [1], [1], [1], [1], [1], [1], [1], [1], [1], [1], [1], [1], [1]]> : tensor<32x1xi8>
  %r = hone.matmul %x, %w : tensor<8x32xi8>, tensor<32x1xi8> -> tensor<8x1xi32>
  return %r : tensor<8x1xi32>
}

// -----

// Positions of a filter are rows, too.
// CHECK-LABEL: func.func @convolution(
// CHECK:         hone.conv {{.+}} channels_last packed <16, 4, corrections = 0> : tensor<1x9x9x16xi8>, tensor<1x41x16x4xi8> -> tensor<1x9x9x8xi32>
func.func @convolution(%x: tensor<1x9x9x16xi8>) -> tensor<1x9x9x8xi32> {
  %w = hone.constant dense<64> : tensor<8x16x3x3xi8>
  %r = hone.conv %x, %w kernel [3, 3] strides [1, 1] dilations [1, 1] pads [1, 1, 1, 1] group 1 channels_last
    : tensor<1x9x9x16xi8>, tensor<8x16x3x3xi8> -> tensor<1x9x9x8xi32>
  return %r : tensor<1x9x9x8xi32>
}

// -----

// CHECK-LABEL: func.func @left_alone(
// CHECK:         packed <16, 4> : tensor<8x16xi8>
// CHECK:         packed <16, 4> : tensor<8x20xi8>
// CHECK:         packed <16, 4> : tensor<7x16xi8>
func.func @left_alone(%x: tensor<8x16xi8>, %y: tensor<8x20xi8>, %z: tensor<7x16xi8>)
    -> (tensor<8x3xi32>, tensor<8x3xi32>, tensor<7x3xi32>) {
  %large = hone.constant dense<100> : tensor<16x3xi8>
  %a = hone.matmul %x, %large : tensor<8x16xi8>, tensor<16x3xi8> -> tensor<8x3xi32>
  %odd = hone.constant dense<1> : tensor<20x3xi8>
  %b = hone.matmul %y, %odd : tensor<8x20xi8>, tensor<20x3xi8> -> tensor<8x3xi32>
  %few = hone.constant dense<2> : tensor<16x3xi8>
  %c = hone.matmul %z, %few : tensor<7x16xi8>, tensor<16x3xi8> -> tensor<7x3xi32>
  return %a, %b, %c : tensor<8x3xi32>, tensor<8x3xi32>, tensor<7x3xi32>
}
