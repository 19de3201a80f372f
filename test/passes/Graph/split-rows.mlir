// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(hone-set-machine{cpu=x86-64-v3},func.func(hone-split-rows))' | FileCheck %s
// RUN: hone-opt %s --split-input-file --remarks-filter-missed=split-rows --pass-pipeline='builtin.module(hone-set-machine{cpu=x86-64-v3},func.func(hone-split-rows))' 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK

// 6 MB lie between three convolutions, twelve times half the L2 cache: bands of four rows, which divide 56. The first has
// padding above; the row of the input that two bands read is computed for both.
// CHECK-LABEL: func.func @bands(
// CHECK-SAME:    %[[X:.+]]: tensor<1x112x112x16xf32>, %[[R:.+]]: tensor<1x56x56x32xf32>)
// CHECK:         %[[ALL:.+]] = tensor.empty() : tensor<1x56x56x32xf32>
// CHECK:         %[[V:.+]] = tensor.extract_slice %[[X]][0, 0, 0, 0] [1, 8, 112, 16]
// CHECK:         %[[E:.+]] = hone.conv %[[V]], {{.+}} kernel [1, 1] {{.+}} -> tensor<1x8x112x96xf32>
// CHECK:         %[[M:.+]] = hone.map ins(%[[E]] : {{.+}}) -> tensor<1x8x112x96xf32>
// CHECK:         %[[D:.+]] = hone.conv %[[M]], {{.+}} pads [1, 1, 0, 1] {{.+}} -> tensor<1x4x56x96xf32>
// CHECK:         %[[P:.+]] = hone.conv %[[D]], {{.+}} -> tensor<1x4x56x32xf32>
// CHECK:         %[[S:.+]] = tensor.extract_slice %[[R]][0, 0, 0, 0] [1, 4, 56, 32]
// CHECK:         %[[Y:.+]] = hone.map ins(%[[P]], %[[S]] :
// CHECK:         %[[NEXT:.+]] = tensor.insert_slice %[[Y]] into %[[ALL]][0, 0, 0, 0] [1, 4, 56, 32]
// CHECK:         tensor.extract_slice %[[X]][0, 7, 0, 0] [1, 9, 112, 16]
// CHECK:         hone.conv {{.+}} pads [0, 1, 0, 1]
// CHECK:         tensor.insert_slice %{{.+}} into %[[NEXT]][0, 4, 0, 0]
// CHECK:         tensor.extract_slice %[[X]][0, 103, 0, 0] [1, 9, 112, 16]
// CHECK:         %[[LAST:.+]] = tensor.insert_slice %{{.+}} into %{{.+}}[0, 52, 0, 0] [1, 4, 56, 32]
// CHECK-NOT:     hone.conv
// CHECK:         return %[[LAST]]
func.func @bands(%x: tensor<1x112x112x16xf32>, %r: tensor<1x56x56x32xf32>) -> tensor<1x56x56x32xf32> {
  %w = hone.constant dense<1.0> : tensor<96x16x1x1xf32>
  %f = hone.constant dense<1.0> : tensor<3x3x96xf32>
  %p = hone.constant dense<1.0> : tensor<32x96x1x1xf32>
  %0 = hone.conv %x, %w kernel [1, 1] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] group 1 channels_last
    : tensor<1x112x112x16xf32>, tensor<96x16x1x1xf32> -> tensor<1x112x112x96xf32>
  %1 = hone.map ins(%0 : tensor<1x112x112x96xf32>) -> tensor<1x112x112x96xf32> {
  ^bb0(%e: f32):
    %n = arith.negf %e : f32
    hone.yield %n : f32
  }
  %2 = hone.conv %1, %f kernel [3, 3] strides [2, 2] dilations [1, 1] pads [1, 1, 1, 1] group 96 channels_last depthwise
    : tensor<1x112x112x96xf32>, tensor<3x3x96xf32> -> tensor<1x56x56x96xf32>
  %3 = hone.conv %2, %p kernel [1, 1] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] group 1 channels_last
    : tensor<1x56x56x96xf32>, tensor<32x96x1x1xf32> -> tensor<1x56x56x32xf32>
  %4 = hone.map ins(%3, %r : tensor<1x56x56x32xf32>, tensor<1x56x56x32xf32>) -> tensor<1x56x56x32xf32> {
  ^bb0(%e: f32, %g: f32):
    %s = arith.addf %e, %g : f32
    hone.yield %s : f32
  }
  return %4 : tensor<1x56x56x32xf32>
}

// -----

// Left alone: what fits in the cache, two images, and a convolution whose input others read and which has no neighbour.
// REMARK-COUNT-1: "it is no single image of known size"
// REMARK-NOT:     Reason
// CHECK-LABEL: func.func @left_alone(
// CHECK-NOT:     tensor.extract_slice
func.func @left_alone(%x: tensor<1x28x28x96xf32>, %two: tensor<2x112x112x96xf32>, %one: tensor<1x112x112x96xf32>)
    -> (tensor<1x28x28x32xf32>, tensor<2x112x112x32xf32>, tensor<1x112x112x96xf32>) {
  %f = hone.constant dense<1.0> : tensor<3x3x96xf32>
  %p = hone.constant dense<1.0> : tensor<32x96x1x1xf32>
  %0 = hone.conv %x, %f kernel [3, 3] strides [1, 1] dilations [1, 1] pads [1, 1, 1, 1] group 96 channels_last depthwise
    : tensor<1x28x28x96xf32>, tensor<3x3x96xf32> -> tensor<1x28x28x96xf32>
  %1 = hone.conv %0, %p kernel [1, 1] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] group 1 channels_last
    : tensor<1x28x28x96xf32>, tensor<32x96x1x1xf32> -> tensor<1x28x28x32xf32>
  %2 = hone.conv %two, %f kernel [3, 3] strides [1, 1] dilations [1, 1] pads [1, 1, 1, 1] group 96 channels_last depthwise
    : tensor<2x112x112x96xf32>, tensor<3x3x96xf32> -> tensor<2x112x112x96xf32>
  %3 = hone.conv %2, %p kernel [1, 1] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] group 1 channels_last
    : tensor<2x112x112x96xf32>, tensor<32x96x1x1xf32> -> tensor<2x112x112x32xf32>
  %4 = hone.conv %one, %f kernel [3, 3] strides [1, 1] dilations [1, 1] pads [1, 1, 1, 1] group 96 channels_last depthwise
    : tensor<1x112x112x96xf32>, tensor<3x3x96xf32> -> tensor<1x112x112x96xf32>
  return %1, %3, %4 : tensor<1x28x28x32xf32>, tensor<2x112x112x32xf32>, tensor<1x112x112x96xf32>
}
