// RUN: hone-opt %s --split-input-file --hone-form-groups | FileCheck %s
// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(hone-set-machine{cpu=x86-64-v4},func.func(hone-form-groups{store-transposed}))' | FileCheck %s --check-prefix=STORE
// RUN: hone-opt %s --split-input-file --hone-form-groups --remarks-filter-missed=form-groups 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK

// The residual operand comes from elsewhere; a value that others need is no obstacle.
// CHECK-LABEL: func.func @behind_matmul(
// CHECK:         hone.map{{.*}}-> tensor<4x8xf32> {
// CHECK:         hone.matmul {{.+}} {hone.group = 0 : i64}
// CHECK:         hone.map ins(%{{.+}}, %{{.+}} : {{.+}}) -> tensor<4x8xf32> attributes {hone.group = 0 : i64}
// CHECK:         hone.map ins(%{{.+}} : {{.+}}) -> tensor<4x8xf32> attributes {hone.group = 0 : i64}
func.func @behind_matmul(%x: tensor<4x8xf32>, %w: tensor<8x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>) {
  %n = hone.map ins(%x : tensor<4x8xf32>) -> tensor<4x8xf32> {
  ^bb0(%e: f32):
    %0 = math.exp %e : f32
    hone.yield %0 : f32
  }
  %m = hone.matmul %x, %w : tensor<4x8xf32>, tensor<8x8xf32> -> tensor<4x8xf32>
  %a = hone.map ins(%m, %n : tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32> {
  ^bb0(%e: f32, %f: f32):
    %0 = arith.addf %e, %f : f32
    hone.yield %0 : f32
  }
  %b = hone.map ins(%a : tensor<4x8xf32>) -> tensor<4x8xf32> {
  ^bb0(%e: f32):
    %0 = arith.negf %e : f32
    hone.yield %0 : f32
  }
  return %a, %b : tensor<4x8xf32>, tensor<4x8xf32>
}

// -----

// A size that is not 1 is that of the result, whether the type tells it or not.
// CHECK-LABEL: func.func @known_size(
// CHECK:         hone.matmul {{.+}} {hone.group = 0 : i64}
// CHECK:         hone.map {{.+}} attributes {hone.group = 0 : i64}
func.func @known_size(%x: tensor<?x8xf32> {hone.dims = ["n", 8]}, %w: tensor<8x8xf32>, %y: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %n = hone.dim "n"
  %m = hone.matmul %x, %w dims(%n) : tensor<?x8xf32>, tensor<8x8xf32> -> tensor<?x8xf32>
  %a = hone.map ins(%m, %y : tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32> {
  ^bb0(%e: f32, %f: f32):
    %0 = arith.addf %e, %f : f32
    hone.yield %0 : f32
  }
  return %a : tensor<4x8xf32>
}

// -----

// Rows of a sum along leading axes are none, but what it sums up is not stored.
// CHECK-LABEL: func.func @along_leading_axes(
// CHECK:         hone.map {{.*}} attributes {hone.group = 0 : i64}
// CHECK:         hone.reduce sum {{.+}} {hone.group = 0 : i64}
func.func @along_leading_axes(%x: tensor<64x32xf16>) -> tensor<32xf32> {
  %w = hone.map ins(%x : tensor<64x32xf16>) -> tensor<64x32xf32> {
  ^bb0(%e: f16):
    %0 = arith.extf %e : f16 to f32
    hone.yield %0 : f32
  }
  %s = hone.reduce sum %w axes [0] : tensor<64x32xf32> -> tensor<32xf32>
  return %s : tensor<32xf32>
}

// -----

// Others need the formula as well, or it is no formula of its element alone.
// CHECK-LABEL: func.func @stored_anyway(
// CHECK-NOT:     hone.group
// REMARK:        [[#@LINE+8]]:{{.+}} not-fused {{.+}} Reason="others need the result"
// REMARK:        [[#@LINE+13]]:{{.+}} not-fused {{.+}} Reason="it is more than arithmetic on elements"
func.func @stored_anyway(%x: tensor<64x32xf32>) -> (tensor<64x32xf32>, tensor<32xf32>, tensor<32xf32>) {
  %w = hone.map ins(%x : tensor<64x32xf32>) -> tensor<64x32xf32> {
  ^bb0(%e: f32):
    %0 = arith.mulf %e, %e : f32
    hone.yield %0 : f32
  }
  %s = hone.reduce sum %w axes [0] : tensor<64x32xf32> -> tensor<32xf32>
  %m = hone.map -> tensor<64x32xf32> {
    %i = hone.index 0
    %0 = tensor.extract %x[%i, %i] : tensor<64x32xf32>
    hone.yield %0 : f32
  }
  %t = hone.reduce sum %m axes [0] : tensor<64x32xf32> -> tensor<32xf32>
  return %w, %s, %t : tensor<64x32xf32>, tensor<32xf32>, tensor<32xf32>
}

// -----

// The map needs something that is computed from the product: no group.
// CHECK-LABEL: func.func @not_convex(
// CHECK-NOT:     hone.group
func.func @not_convex(%x: tensor<4x8xf32>, %w: tensor<8x8xf32>) -> tensor<4x8xf32> {
  %m = hone.matmul %x, %w : tensor<4x8xf32>, tensor<8x8xf32> -> tensor<4x8xf32>
  %t = hone.reshape %m : tensor<4x8xf32> -> tensor<8x4xf32>
  %u = hone.transpose %t [1, 0] : tensor<8x4xf32> -> tensor<4x8xf32>
  %a = hone.map ins(%m, %u : tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32> {
  ^bb0(%e: f32, %f: f32):
    %0 = arith.addf %e, %f : f32
    hone.yield %0 : f32
  }
  return %a : tensor<4x8xf32>
}

// -----

// CHECK-LABEL: func.func @softmax(
// CHECK:         hone.map {{.*}} attributes {hone.group = 0 : i64}
// CHECK:         hone.reduce max {{.+}} {hone.group = 0 : i64}
// CHECK:         hone.map {{.*}} attributes {hone.group = 0 : i64}
// CHECK:         hone.reduce sum {{.+}} {hone.group = 0 : i64}
// CHECK:         hone.map {{.*}} attributes {hone.group = 0 : i64}
func.func @softmax(%x: tensor<?x8x16xf32> {hone.dims = ["n", 8, 16]}) -> tensor<?x8x16xf32> {
  %n = hone.dim "n"
  %scaled = hone.map ins(%x : tensor<?x8x16xf32>) dims(%n) -> tensor<?x8x16xf32> {
  ^bb0(%e: f32):
    %0 = math.exp %e : f32
    hone.yield %0 : f32
  }
  %max = hone.reduce max %scaled axes [2] keepdims : tensor<?x8x16xf32> -> tensor<?x8x1xf32>
  %exp = hone.map ins(%scaled, %max : tensor<?x8x16xf32>, tensor<?x8x1xf32>) dims(%n) -> tensor<?x8x16xf32> {
  ^bb0(%e: f32, %f: f32):
    %0 = arith.subf %e, %f : f32
    %1 = math.exp %0 : f32
    hone.yield %1 : f32
  }
  %sum = hone.reduce sum %exp axes [2] keepdims : tensor<?x8x16xf32> -> tensor<?x8x1xf32>
  %r = hone.map ins(%exp, %sum : tensor<?x8x16xf32>, tensor<?x8x1xf32>) dims(%n) -> tensor<?x8x16xf32> {
  ^bb0(%e: f32, %f: f32):
    %0 = arith.divf %e, %f : f32
    hone.yield %0 : f32
  }
  return %r : tensor<?x8x16xf32>
}

// -----

// Two groups that would wait for each other: the second map stays out.
// CHECK-LABEL: func.func @two_groups(
// CHECK:         hone.matmul {{.+}} {hone.group = 0 : i64}
// CHECK:         hone.map {{.+}} attributes {hone.group = 0 : i64}
// CHECK:         hone.matmul {{.+}} {hone.group = 1 : i64}
// CHECK:         hone.map {{.+}} attributes {hone.group = 1 : i64}
// CHECK:         hone.map
// CHECK-NOT:     hone.group
func.func @two_groups(%x: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %m = hone.matmul %x, %x : tensor<4x4xf32>, tensor<4x4xf32> -> tensor<4x4xf32>
  %a = hone.map ins(%m : tensor<4x4xf32>) -> tensor<4x4xf32> {
  ^bb0(%e: f32):
    %0 = arith.negf %e : f32
    hone.yield %0 : f32
  }
  %p = hone.matmul %a, %x : tensor<4x4xf32>, tensor<4x4xf32> -> tensor<4x4xf32>
  %b = hone.map ins(%p : tensor<4x4xf32>) -> tensor<4x4xf32> {
  ^bb0(%e: f32):
    %0 = math.exp %e : f32
    hone.yield %0 : f32
  }
  %q = hone.transpose %b [1, 0] : tensor<4x4xf32> -> tensor<4x4xf32>
  %c = hone.map ins(%a, %q : tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32> {
  ^bb0(%e: f32, %f: f32):
    %0 = arith.addf %e, %f : f32
    hone.yield %0 : f32
  }
  return %c : tensor<4x4xf32>
}

// -----

// A slice that maps read is a view in the kernel of each.
// CHECK-LABEL: func.func @slices(
// CHECK:         %[[B:.+]] = hone.slice {{.+}} {hone.group = 1 : i64}
// CHECK:         %[[A:.+]] = hone.slice {{.+}} {hone.group = 0 : i64}
// CHECK:         hone.map ins(%[[A]] {{.+}} attributes {hone.group = 0 : i64}
// CHECK:         hone.map ins(%[[B]] {{.+}} attributes {hone.group = 1 : i64}
func.func @slices(%x: tensor<4x8xf32>) -> (tensor<4x2xf32>, tensor<4x2xf32>) {
  %s = hone.slice %x at [0, 2] steps [1, 1] : tensor<4x8xf32> -> tensor<4x2xf32>
  %a = hone.map ins(%s : tensor<4x2xf32>) -> tensor<4x2xf32> {
  ^bb0(%e: f32):
    %0 = math.exp %e : f32
    hone.yield %0 : f32
  }
  %b = hone.map ins(%s : tensor<4x2xf32>) -> tensor<4x2xf32> {
  ^bb0(%e: f32):
    %0 = math.log %e : f32
    hone.yield %0 : f32
  }
  return %a, %b : tensor<4x2xf32>, tensor<4x2xf32>
}

// -----

// Rows that are too short, reductions along other axes, and single rows have no group.
// CHECK-LABEL: func.func @left_alone(
// CHECK-NOT:     hone.group
func.func @left_alone(%x: tensor<8x2xf32>, %y: tensor<8x16xf32>, %z: tensor<1x16xf32>)
    -> (tensor<8x1xf32>, tensor<1x16xf32>, tensor<1x1xf32>) {
  %a = hone.reduce sum %x axes [1] keepdims : tensor<8x2xf32> -> tensor<8x1xf32>
  %b = hone.map ins(%a : tensor<8x1xf32>) -> tensor<8x1xf32> {
  ^bb0(%e: f32):
    %0 = math.exp %e : f32
    hone.yield %0 : f32
  }
  %c = hone.reduce sum %y axes [0] keepdims : tensor<8x16xf32> -> tensor<1x16xf32>
  %d = hone.map ins(%c : tensor<1x16xf32>) -> tensor<1x16xf32> {
  ^bb0(%e: f32):
    %0 = math.exp %e : f32
    hone.yield %0 : f32
  }
  %f = hone.reduce sum %z axes [1] keepdims : tensor<1x16xf32> -> tensor<1x1xf32>
  %g = hone.map ins(%f : tensor<1x1xf32>) -> tensor<1x1xf32> {
  ^bb0(%e: f32):
    %0 = math.exp %e : f32
    hone.yield %0 : f32
  }
  return %b, %d, %g : tensor<8x1xf32>, tensor<1x16xf32>, tensor<1x1xf32>
}

// -----

// Reductions of one input along the same axes sweep it once, and what precedes both of them is not stored.
// CHECK-LABEL: func.func @siblings(
// CHECK:         hone.map {{.*}} attributes {hone.group = 0 : i64}
// CHECK:         hone.reduce min {{.+}} {hone.group = 0 : i64}
// CHECK:         hone.reduce max {{.+}} {hone.group = 0 : i64}
// CHECK:         hone.reduce sum %{{.+}} axes [0] : tensor
// CHECK:         hone.reduce sum %{{.+}} axes [1] : tensor
// REMARK: Reason="it reduces along other axes"
func.func @siblings(%x: tensor<64x32xf32>) -> (tensor<f32>, tensor<f32>, tensor<32xf32>, tensor<64xf32>) {
  %y = hone.map ins(%x : tensor<64x32xf32>) -> tensor<64x32xf32> {
  ^bb0(%e: f32):
    %0 = math.exp %e : f32
    hone.yield %0 : f32
  }
  %a = hone.reduce min %y axes [0, 1] : tensor<64x32xf32> -> tensor<f32>
  %b = hone.reduce max %y axes [0, 1] : tensor<64x32xf32> -> tensor<f32>
  %s = hone.reduce sum %x axes [0] : tensor<64x32xf32> -> tensor<32xf32>
  %t = hone.reduce sum %x axes [1] : tensor<64x32xf32> -> tensor<64xf32>
  return %a, %b, %s, %t : tensor<f32>, tensor<f32>, tensor<32xf32>, tensor<64xf32>
}

// -----

// The transposition to channels first joins the convolution and the map, where that is allowed.
// CHECK-LABEL: func.func @channels_first(
// CHECK:         hone.conv {{.+}} {hone.group = 0 : i64}
// CHECK-NOT:     hone.transpose {{.+}} {hone.group
// STORE-LABEL: func.func @channels_first(
// STORE:         hone.conv {{.+}} {hone.group = 0 : i64}
// STORE:         hone.map {{.+}} attributes {hone.group = 0 : i64}
// STORE:         hone.transpose {{.+}} {hone.group = 0 : i64}
func.func @channels_first(%x: tensor<1x8x8x4xf32>, %w: tensor<2x3x3x4x16xf32>) -> tensor<1x32x8x8xf32> {
  %c = hone.conv %x, %w kernel [3, 3] strides [1, 1] dilations [1, 1] pads [1, 1, 1, 1] group 1 channels_last packed <16, 1> : tensor<1x8x8x4xf32>, tensor<2x3x3x4x16xf32> -> tensor<1x8x8x32xf32>
  %m = hone.map ins(%c : tensor<1x8x8x32xf32>) -> tensor<1x8x8x32xf32> {
  ^bb0(%e: f32):
    %0 = arith.negf %e : f32
    hone.yield %0 : f32
  }
  %t = hone.transpose %m [0, 3, 1, 2] : tensor<1x8x8x32xf32> -> tensor<1x32x8x8xf32>
  return %t : tensor<1x32x8x8xf32>
}

// -----

// A product of the pixels of two images has no uniform distance between them.
// STORE-LABEL: func.func @two_images(
// STORE-NOT:     hone.group
func.func @two_images(%x: tensor<2x8x8x4xf32>, %w: tensor<2x1x1x4x16xf32>) -> tensor<2x32x8x8xf32> {
  %c = hone.conv %x, %w kernel [1, 1] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] group 1 channels_last packed <16, 1> : tensor<2x8x8x4xf32>, tensor<2x1x1x4x16xf32> -> tensor<2x8x8x32xf32>
  %t = hone.transpose %c [0, 3, 1, 2] : tensor<2x8x8x32xf32> -> tensor<2x32x8x8xf32>
  return %t : tensor<2x32x8x8xf32>
}

// -----

// Neither has one of every second pixel.
// STORE-LABEL: func.func @two_images_with_strides(
// STORE-NOT:     hone.group
func.func @two_images_with_strides(%x: tensor<2x8x8x4xf32>, %w: tensor<2x1x1x4x16xf32>) -> tensor<2x32x4x4xf32> {
  %c = hone.conv %x, %w kernel [1, 1] strides [2, 2] dilations [1, 1] pads [0, 0, 0, 0] group 1 channels_last packed <16, 1> : tensor<2x8x8x4xf32>, tensor<2x1x1x4x16xf32> -> tensor<2x4x4x32xf32>
  %t = hone.transpose %c [0, 3, 1, 2] : tensor<2x4x4x32xf32> -> tensor<2x32x4x4xf32>
  return %t : tensor<2x32x4x4xf32>
}

// -----

// Others need the result with channels last.
// STORE-LABEL: func.func @both_layouts(
// STORE-NOT:     hone.group
func.func @both_layouts(%x: tensor<1x8x8x4xf32>, %w: tensor<2x3x3x4x16xf32>) -> (tensor<1x32x8x8xf32>, tensor<1x8x8x32xf32>) {
  %c = hone.conv %x, %w kernel [3, 3] strides [1, 1] dilations [1, 1] pads [1, 1, 1, 1] group 1 channels_last packed <16, 1> : tensor<1x8x8x4xf32>, tensor<2x3x3x4x16xf32> -> tensor<1x8x8x32xf32>
  %t = hone.transpose %c [0, 3, 1, 2] : tensor<1x8x8x32xf32> -> tensor<1x32x8x8xf32>
  return %t, %c : tensor<1x32x8x8xf32>, tensor<1x8x8x32xf32>
}
