// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(hone-narrow-movements))' | FileCheck %s

// CHECK-LABEL: func.func @sink(
// CHECK-SAME:      %[[X:.+]]: tensor<2x?xi8>
// CHECK:         %[[T:.+]] = hone.transpose %[[X]] [1, 0] : tensor<2x?xi8> -> tensor<?x2xi8>
// CHECK:         %[[R:.+]] = hone.reshape %[[T]] {{.*}} : tensor<?x2xi8> -> tensor<?xi8>
// CHECK:         %[[Y:.+]] = hone.map ins(%[[R]] : tensor<?xi8>) dims({{.+}}) -> tensor<?xf32>
// CHECK:         return %[[Y]]
func.func @sink(%x: tensor<2x?xi8>, %n: index, %m: index) -> tensor<?xf32> {
  %a = hone.map ins(%x : tensor<2x?xi8>) dims(%n) -> tensor<2x?xf32> {
  ^bb0(%e: i8):
    %zero = arith.constant 3.0 : f32
    %scale = arith.constant 0.1 : f32
    %f = arith.uitofp %e : i8 to f32
    %d = arith.subf %f, %zero : f32
    %p = arith.mulf %d, %scale : f32
    hone.yield %p : f32
  }
  %t = hone.transpose %a [1, 0] : tensor<2x?xf32> -> tensor<?x2xf32>
  %r = hone.reshape %t dims(%m) : tensor<?x2xf32> -> tensor<?xf32>
  return %r : tensor<?xf32>
}

// -----

// A pad with zero is one with the zero point; bytes are compared as what they are.
// CHECK-LABEL: func.func @pad_and_pool(
// CHECK:         %[[ZERO:.+]] = arith.constant -56 : i8
// CHECK:         %[[P:.+]] = hone.pad %{{.+}} with %[[ZERO]]
// CHECK:         %[[M:.+]] = hone.pool max %[[P]] {{.+}} unsigned : tensor<1x1x8xi8> -> tensor<1x1x4xi8>
// CHECK:         hone.map ins(%[[M]]
func.func @pad_and_pool(%x: tensor<1x1x6xi8>) -> tensor<1x1x4xf32> {
  %nothing = arith.constant 0.0 : f32
  %a = hone.map ins(%x : tensor<1x1x6xi8>) -> tensor<1x1x6xf32> {
  ^bb0(%e: i8):
    %zero = arith.constant 200.0 : f32
    %scale = arith.constant 0.1 : f32
    %f = arith.uitofp %e : i8 to f32
    %d = arith.subf %f, %zero : f32
    %p = arith.mulf %d, %scale : f32
    hone.yield %p : f32
  }
  %b = hone.pad %a with %nothing low [0, 0, 1] high [0, 0, 1] : tensor<1x1x6xf32>, f32 -> tensor<1x1x8xf32>
  %r = hone.pool max %b kernel [2] strides [2] dilations [1] pads [0, 0] : tensor<1x1x8xf32> -> tensor<1x1x4xf32>
  return %r : tensor<1x1x4xf32>
}

// -----

// A negative scale turns the order around.
// CHECK-LABEL: func.func @negative_scale(
// CHECK:         hone.pool max {{.+}} -> tensor<1x1x4xf32>
func.func @negative_scale(%x: tensor<1x1x8xi8>) -> tensor<1x1x4xf32> {
  %a = hone.map ins(%x : tensor<1x1x8xi8>) -> tensor<1x1x8xf32> {
  ^bb0(%e: i8):
    %scale = arith.constant -0.1 : f32
    %f = arith.uitofp %e : i8 to f32
    %p = arith.mulf %f, %scale : f32
    hone.yield %p : f32
  }
  %r = hone.pool max %a kernel [2] strides [2] dilations [1] pads [0, 0] : tensor<1x1x8xf32> -> tensor<1x1x4xf32>
  return %r : tensor<1x1x4xf32>
}

// -----

// Bytes with unequal scales are quantized anew, and then joined.
// CHECK-LABEL: func.func @concat(
// CHECK-COUNT-4: hone.map
// CHECK:         hone.concat {{.+}} : tensor<2xi8>, tensor<2xi8> -> tensor<4xi8>
func.func @concat(%x: tensor<2xi8>, %y: tensor<2xi8>) -> tensor<4xi8> {
  %a = hone.map ins(%x : tensor<2xi8>) -> tensor<2xf32> {
  ^bb0(%e: i8):
    %scale = arith.constant 0.1 : f32
    %f = arith.uitofp %e : i8 to f32
    %p = arith.mulf %f, %scale : f32
    hone.yield %p : f32
  }
  %b = hone.map ins(%y : tensor<2xi8>) -> tensor<2xf32> {
  ^bb0(%e: i8):
    %scale = arith.constant 0.2 : f32
    %f = arith.uitofp %e : i8 to f32
    %p = arith.mulf %f, %scale : f32
    hone.yield %p : f32
  }
  %c = hone.concat %a, %b axis 0 : tensor<2xf32>, tensor<2xf32> -> tensor<4xf32>
  %r = hone.map ins(%c : tensor<4xf32>) -> tensor<4xi8> {
  ^bb0(%e: f32):
    %scale = arith.constant 0.3 : f32
    %q = arith.divf %e, %scale : f32
    %i = math.roundeven %q : f32
    %p = arith.fptoui %i : f32 to i8
    hone.yield %p : i8
  }
  return %r : tensor<4xi8>
}
