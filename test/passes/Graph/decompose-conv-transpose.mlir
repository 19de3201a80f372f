// RUN: hone-opt %s --pass-pipeline='builtin.module(func.func(hone-decompose-conv-transpose))' | FileCheck %s

// A kernel of the size of its stride: one tap, four phases of five channels.
// CHECK-LABEL: func.func @kernel_is_stride(
// CHECK-SAME:    %[[X:.+]]: tensor<1x3x4x4xf32>)
// CHECK:         %[[IN:.+]] = hone.transpose %[[X]] [0, 2, 3, 1]
// CHECK:         %[[C:.+]] = hone.conv %[[IN]], %{{.+}} kernel [1, 1] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] group 1 channels_last
// CHECK-SAME:      tensor<20x3x1x1xf32> -> tensor<1x4x4x20xf32>
// CHECK:         %[[P:.+]] = hone.reshape %[[C]] : tensor<1x4x4x20xf32> -> tensor<1x4x4x2x2x5xf32>
// CHECK:         %[[T:.+]] = hone.transpose %[[P]] [0, 1, 3, 2, 4, 5]
// CHECK:         %[[F:.+]] = hone.reshape %[[T]] : {{.*}} -> tensor<1x8x8x5xf32>
// CHECK-NOT:     hone.slice
// CHECK:         hone.transpose %[[F]] [0, 3, 1, 2]
func.func @kernel_is_stride(%x: tensor<1x3x4x4xf32>) -> tensor<1x5x8x8xf32> {
  %w = hone.constant dense<1.0> : tensor<3x5x2x2xf32>
  %r = hone.conv_transpose %x, %w strides [2, 2] dilations [1, 1] pads [0, 0, 0, 0] group 1
    : tensor<1x3x4x4xf32>, tensor<3x5x2x2xf32> -> tensor<1x5x8x8xf32>
  return %r : tensor<1x5x8x8xf32>
}

// A bias is added to each phase, and what is quantized behind it is moved as bytes.
// CHECK-LABEL: func.func @map_behind(
// CHECK:         %[[C:.+]] = hone.conv {{.*}} -> tensor<1x4x4x20xf32>
// CHECK:         %[[B:.+]] = hone.reshape %{{.+}} : tensor<5x1x1xf32> -> tensor<1x1x5xf32>
// CHECK:         %[[S:.+]] = hone.map ins(%[[B]] : tensor<1x1x5xf32>) -> tensor<1x4x5xf32>
// CHECK:         %[[A:.+]] = hone.reshape %[[S]] : tensor<1x4x5xf32> -> tensor<20xf32>
// CHECK:         %[[M:.+]] = hone.map ins(%[[C]], %[[A]] : tensor<1x4x4x20xf32>, tensor<20xf32>) -> tensor<1x4x4x20xi8>
// CHECK:         hone.reshape %[[M]] : tensor<1x4x4x20xi8> -> tensor<1x4x4x2x2x5xi8>
// CHECK-NOT:     hone.map
func.func @map_behind(%x: tensor<1x3x4x4xf32>) -> tensor<1x5x8x8xi8> {
  %w = hone.constant dense<1.0> : tensor<3x5x2x2xf32>
  %r = hone.conv_transpose %x, %w strides [2, 2] dilations [1, 1] pads [0, 0, 0, 0] group 1
    : tensor<1x3x4x4xf32>, tensor<3x5x2x2xf32> -> tensor<1x5x8x8xf32>
  %bias = hone.constant dense<[[[1.0]], [[2.0]], [[3.0]], [[4.0]], [[5.0]]]> : tensor<5x1x1xf32>
  %q = hone.map ins(%r, %bias : tensor<1x5x8x8xf32>, tensor<5x1x1xf32>) -> tensor<1x5x8x8xi8> {
  ^bb0(%e: f32, %b: f32):
    %s = arith.addf %e, %b : f32
    %y = arith.fptoui %s : f32 to i8
    hone.yield %y : i8
  }
  return %q : tensor<1x5x8x8xi8>
}

// A residual would have to be taken apart, and wider elements be moved.
// CHECK-LABEL: func.func @map_after_movement(
// CHECK:         hone.transpose %{{.+}} [0, 3, 1, 2]
// CHECK:         hone.map
// CHECK:         hone.transpose %{{.+}} [0, 3, 1, 2]
// CHECK:         hone.map
func.func @map_after_movement(%x: tensor<1x3x4x4xf32>, %z: tensor<1x5x8x8xf32>) -> (tensor<1x5x8x8xf32>, tensor<1x5x8x8xf64>) {
  %w = hone.constant dense<1.0> : tensor<3x5x2x2xf32>
  %r = hone.conv_transpose %x, %w strides [2, 2] dilations [1, 1] pads [0, 0, 0, 0] group 1
    : tensor<1x3x4x4xf32>, tensor<3x5x2x2xf32> -> tensor<1x5x8x8xf32>
  %a = hone.map ins(%r, %z : tensor<1x5x8x8xf32>, tensor<1x5x8x8xf32>) -> tensor<1x5x8x8xf32> {
  ^bb0(%e: f32, %f: f32):
    %s = arith.addf %e, %f : f32
    hone.yield %s : f32
  }
  %t = hone.conv_transpose %x, %w strides [2, 2] dilations [1, 1] pads [0, 0, 0, 0] group 1
    : tensor<1x3x4x4xf32>, tensor<3x5x2x2xf32> -> tensor<1x5x8x8xf32>
  %b = hone.map ins(%t : tensor<1x5x8x8xf32>) -> tensor<1x5x8x8xf64> {
  ^bb0(%e: f32):
    %d = arith.extf %e : f32 to f64
    hone.yield %d : f64
  }
  return %a, %b : tensor<1x5x8x8xf32>, tensor<1x5x8x8xf64>
}

// Overlapping windows: two taps for the first phase and one for the second, none of them the zeros of the filled-up filter,
// and the pads crop.
// CHECK-LABEL: func.func @overlap(
// CHECK:         hone.pad
// CHECK:         hone.slice %{{.+}} at [0, 0, 1, 0] steps [1, 1, -1, 1]
// CHECK:         hone.slice %{{.+}} at [0, 0, 0, 0] steps [1, 1, 1, 1] : {{.*}} -> tensor<3x5x2x1xf32>
// CHECK:         hone.conv {{.*}} kernel [2] strides [1] dilations [1] pads [1, 1]
// CHECK:         hone.slice %{{.+}} at [0, 0, 1, 1] steps [1, 1, 1, 1] : {{.*}} -> tensor<3x5x1x1xf32>
// CHECK:         hone.conv {{.*}} kernel [1] strides [1] dilations [1] pads [0, 1]
// CHECK:         hone.concat {{.*}} axis 2
// CHECK:         hone.slice %{{.+}} at [0, 1, 0]
func.func @overlap(%x: tensor<1x3x4xf32>) -> tensor<1x5x7xf32> {
  %w = hone.constant dense<1.0> : tensor<3x5x3xf32>
  %r = hone.conv_transpose %x, %w strides [2] dilations [1] pads [1, 1] group 1
    : tensor<1x3x4xf32>, tensor<3x5x3xf32> -> tensor<1x5x7xf32>
  return %r : tensor<1x5x7xf32>
}

// Each group has channels for its phases.
// CHECK-LABEL: func.func @groups(
// CHECK:         hone.conv {{.*}} group 2 channels_last {{.*}}: tensor<1x4x4xf32>, tensor<12x2x1xf32> -> tensor<1x4x12xf32>
// CHECK:         hone.reshape {{.*}} : tensor<1x4x12xf32> -> tensor<1x4x2x2x3xf32>
// CHECK:         hone.transpose {{.*}} [0, 1, 3, 2, 4]
// CHECK:         hone.reshape {{.*}} -> tensor<1x4x2x6xf32>
func.func @groups(%x: tensor<1x4x4xf32>) -> tensor<1x6x8xf32> {
  %w = hone.constant dense<1.0> : tensor<4x3x2xf32>
  %r = hone.conv_transpose %x, %w strides [2] dilations [1] pads [0, 0] group 2
    : tensor<1x4x4xf32>, tensor<4x3x2xf32> -> tensor<1x6x8xf32>
  return %r : tensor<1x6x8xf32>
}

// Free sizes, and a filter that the run gives.
// CHECK-LABEL: func.func @free(
// CHECK:         hone.conv {{.*}} -> tensor<?x?x10xf32>
// CHECK:         hone.slice {{.*}} -> tensor<?x?x5xf32>
// CHECK:         hone.transpose {{.*}} [0, 2, 1] : tensor<?x?x5xf32> -> tensor<?x5x?xf32>
func.func @free(%x: tensor<?x3x?xf32> {hone.dims = ["n", 3, "l"]}, %w: tensor<3x5x4xf32>) -> tensor<?x5x?xf32> {
  %n = hone.dim "n"
  %l = hone.dim "l"
  %c2 = arith.constant 2 : index
  %d = arith.muli %l, %c2 : index
  %r = hone.conv_transpose %x, %w dims(%n, %d) strides [2] dilations [1] pads [1, 1] group 1
    : tensor<?x3x?xf32>, tensor<3x5x4xf32> -> tensor<?x5x?xf32>
  return %r : tensor<?x5x?xf32>
}

// Sums of another type than the input's.
// CHECK-LABEL: func.func @half(
// CHECK:         hone.conv {{.*}}: tensor<1x4x3xf16>, tensor<10x3x1xf16> -> tensor<1x4x10xf32>
func.func @half(%x: tensor<1x3x4xf16>, %w: tensor<3x5x2xf16>) -> tensor<1x5x8xf32> {
  %r = hone.conv_transpose %x, %w strides [2] dilations [1] pads [0, 0] group 1
    : tensor<1x3x4xf16>, tensor<3x5x2xf16> -> tensor<1x5x8xf32>
  return %r : tensor<1x5x8xf32>
}

// How much of the result is kept is not known.
// CHECK-LABEL: func.func @unknown_size(
// CHECK:         hone.conv_transpose
func.func @unknown_size(%x: tensor<?x3x?xf32> {hone.dims = ["n", 3, "l"]}, %w: tensor<3x5x4xf32>) -> tensor<?x5x?xf32> {
  %n = hone.dim "n"
  %m = hone.dim "m"
  %r = hone.conv_transpose %x, %w dims(%n, %m) strides [2] dilations [1] pads [1, 1] group 1
    : tensor<?x3x?xf32>, tensor<3x5x4xf32> -> tensor<?x5x?xf32>
  return %r : tensor<?x5x?xf32>
}

// CHECK-LABEL: func.func @kernel_below_stride(
// CHECK:         hone.conv_transpose
func.func @kernel_below_stride(%x: tensor<1x4x4xf32>) -> tensor<1x2x11xf32> {
  %w = hone.constant dense<1.0> : tensor<4x2x2xf32>
  %r = hone.conv_transpose %x, %w strides [3] dilations [1] pads [0, 0] group 1
    : tensor<1x4x4xf32>, tensor<4x2x2xf32> -> tensor<1x2x11xf32>
  return %r : tensor<1x2x11xf32>
}
