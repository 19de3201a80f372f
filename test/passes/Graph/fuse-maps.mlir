// RUN: hone-opt %s --split-input-file --hone-fuse-maps | FileCheck %s

// CHECK-LABEL: func.func @chain(
// CHECK-SAME:    %[[X:.+]]: tensor<4x8xf32>, %[[Y:.+]]: tensor<8xf32>
// CHECK:         %[[R:.+]] = hone.map ins(%[[X]], %[[Y]] : tensor<4x8xf32>, tensor<8xf32>)
// CHECK-NEXT:    ^bb0(%[[E:.+]]: f32, %[[F:.+]]: f32):
// CHECK-NEXT:      %[[A:.+]] = math.exp %[[E]]
// CHECK-NEXT:      %[[B:.+]] = arith.mulf %[[A]], %[[F]]
// CHECK-NEXT:      %[[C:.+]] = arith.addf %[[B]], %[[E]]
// CHECK:         return %[[R]]
func.func @chain(%x: tensor<4x8xf32>, %y: tensor<8xf32>) -> tensor<4x8xf32> {
  %a = hone.map ins(%x : tensor<4x8xf32>) -> tensor<4x8xf32> {
  ^bb0(%e: f32):
    %0 = math.exp %e : f32
    hone.yield %0 : f32
  }
  %b = hone.map ins(%a, %y : tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32> {
  ^bb0(%e: f32, %f: f32):
    %0 = arith.mulf %e, %f : f32
    hone.yield %0 : f32
  }
  %c = hone.map ins(%b, %x : tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32> {
  ^bb0(%e: f32, %f: f32):
    %0 = arith.addf %e, %f : f32
    hone.yield %0 : f32
  }
  return %c : tensor<4x8xf32>
}

// -----

// Coordinates are those of the result; along a broadcast dimension, 0.
// CHECK-LABEL: func.func @coordinates(
// CHECK:         hone.map -> tensor<2x4x8xi64>
// CHECK-DAG:       hone.index 1
// CHECK-DAG:       arith.constant 0 : index
func.func @coordinates() -> tensor<2x4x8xi64> {
  %a = hone.map -> tensor<4x1xi64> {
    %i = hone.index 0
    %j = hone.index 1
    %k = arith.addi %i, %j : index
    %0 = arith.index_cast %k : index to i64
    hone.yield %0 : i64
  }
  %b = hone.map ins(%a : tensor<4x1xi64>) -> tensor<2x4x8xi64> {
  ^bb0(%e: i64):
    hone.yield %e : i64
  }
  return %b : tensor<2x4x8xi64>
}

// -----

// A cast is cheap: every user has its own.
// CHECK-LABEL: func.func @cheap_twice(
// CHECK-COUNT-2: hone.map ins(%{{.+}} : tensor<4xi8>) -> tensor<4xf32>
// CHECK-NOT:     hone.map
func.func @cheap_twice(%x: tensor<4xi8>) -> (tensor<4xf32>, tensor<4xf32>) {
  %a = hone.map ins(%x : tensor<4xi8>) -> tensor<4xf32> {
  ^bb0(%e: i8):
    %0 = arith.sitofp %e : i8 to f32
    hone.yield %0 : f32
  }
  %b = hone.map ins(%a : tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%e: f32):
    %0 = math.exp %e : f32
    hone.yield %0 : f32
  }
  %c = hone.map ins(%a : tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%e: f32):
    %0 = math.log %e : f32
    hone.yield %0 : f32
  }
  return %b, %c : tensor<4xf32>, tensor<4xf32>
}

// -----

// Dear, and needed by a later map: one map with two results.
// CHECK-LABEL: func.func @two_results(
// CHECK:         %[[R:.+]]:2 = hone.map ins(%{{.+}} : tensor<4xf32>) -> tensor<4xf32>, tensor<4xf32>
// CHECK:         %[[T:.+]] = hone.transpose %[[R]]#0
// CHECK:         hone.map ins(%[[R]]#1, %[[T]]
func.func @two_results(%x: tensor<4xf32>) -> tensor<4xf32> {
  %dear = hone.map ins(%x : tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%e: f32):
    %0 = math.exp %e : f32
    hone.yield %0 : f32
  }
  %a = hone.map ins(%dear : tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%e: f32):
    %0 = math.log %e : f32
    hone.yield %0 : f32
  }
  %t = hone.transpose %a [0] : tensor<4xf32> -> tensor<4xf32>
  %b = hone.map ins(%dear, %t : tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%e: f32, %f: f32):
    %0 = arith.addf %e, %f : f32
    hone.yield %0 : f32
  }
  return %b : tensor<4xf32>
}

// -----

// Left alone: dear and broadcast; dear, with a user in front of the second; needed by others; read at computed places.
// CHECK-LABEL: func.func @left_alone(
// CHECK-COUNT-7: hone.map
func.func @left_alone(%x: tensor<4xf32>) -> (tensor<2x4xf32>, tensor<f32>, tensor<4xf32>, tensor<4xf32>, tensor<1xf32>) {
  %c0 = arith.constant 0 : index
  %dear = hone.map ins(%x : tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%e: f32):
    %0 = math.exp %e : f32
    hone.yield %0 : f32
  }
  %a = hone.map ins(%dear : tensor<4xf32>) -> tensor<2x4xf32> {
  ^bb0(%e: f32):
    %0 = arith.negf %e : f32
    hone.yield %0 : f32
  }
  %twice = hone.map ins(%x : tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%e: f32):
    %0 = math.log %e : f32
    hone.yield %0 : f32
  }
  %b = hone.reduce sum %twice axes [0] : tensor<4xf32> -> tensor<f32>
  %c = hone.map ins(%twice : tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%e: f32):
    %0 = math.sqrt %e : f32
    hone.yield %0 : f32
  }
  %shared = hone.map ins(%x : tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%e: f32):
    %0 = arith.negf %e : f32
    hone.yield %0 : f32
  }
  %r = hone.reduce sum %shared axes [0] keepdims : tensor<4xf32> -> tensor<1xf32>
  %d = hone.map ins(%shared : tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%e: f32):
    %0 = math.sqrt %e : f32
    hone.yield %0 : f32
  }
  %f = hone.map ins(%r : tensor<1xf32>) -> tensor<1xf32> {
  ^bb0(%e: f32):
    %g = tensor.extract %d[%c0] : tensor<4xf32>
    %0 = arith.addf %e, %g : f32
    hone.yield %0 : f32
  }
  return %a, %b, %c, %d, %f : tensor<2x4xf32>, tensor<f32>, tensor<4xf32>, tensor<4xf32>, tensor<1xf32>
}

// -----

// Two read what is dequantized: both read the bytes.
// CHECK-LABEL: func.func @dequantized_twice(
// CHECK:         %[[BYTES:.+]] = hone.map {{.+}} -> tensor<4x8xi8>
// CHECK:         %[[REALS:.+]] = hone.map ins(%[[BYTES]] : tensor<4x8xi8>) -> tensor<4x8xf32>
// CHECK:         hone.reduce sum %[[REALS]]
// CHECK:         hone.map ins(%[[BYTES]] : tensor<4x8xi8>) -> tensor<4x8xf32>
func.func @dequantized_twice(%x: tensor<4x8xf32>) -> (tensor<4xf32>, tensor<4x8xf32>) {
  %a = hone.map ins(%x : tensor<4x8xf32>) -> tensor<4x8xi8> {
  ^bb0(%e: f32):
    %inverse = arith.constant 10.0 : f32
    %q = arith.mulf %e, %inverse : f32
    %i = math.roundeven %q : f32
    %b = arith.fptoui %i : f32 to i8
    hone.yield %b : i8
  }
  %b = hone.map ins(%a : tensor<4x8xi8>) -> tensor<4x8xf32> {
  ^bb0(%e: i8):
    %scale = arith.constant 0.1 : f32
    %f = arith.uitofp %e : i8 to f32
    %p = arith.mulf %f, %scale : f32
    hone.yield %p : f32
  }
  %r = hone.reduce sum %b axes [1] : tensor<4x8xf32> -> tensor<4xf32>
  %c = hone.map ins(%b : tensor<4x8xf32>) -> tensor<4x8xf32> {
  ^bb0(%e: f32):
    %p = math.exp %e : f32
    hone.yield %p : f32
  }
  return %r, %c : tensor<4xf32>, tensor<4x8xf32>
}

// -----

// Bytes made of one product are stored, and read behind the other: its sums are four times as large.
// CHECK-LABEL: func.func @two_products(
// CHECK:         %[[FIRST:.+]] = hone.matmul
// CHECK:         %[[BYTES:.+]] = hone.map ins(%[[FIRST]] : tensor<8x8xi32>) -> tensor<8x8xi8>
// CHECK:         %[[SECOND:.+]] = hone.matmul
// CHECK:         hone.map ins({{.*}}%[[SECOND]]{{.*}} : {{.+}}) -> tensor<8x8xf32>
// CHECK-NOT:     hone.map
func.func @two_products(%x: tensor<8x4xi8>, %y: tensor<8x4xi8>, %w: tensor<4x8xi8>) -> tensor<8x8xf32> {
  %a = hone.matmul %x, %w : tensor<8x4xi8>, tensor<4x8xi8> -> tensor<8x8xi32>
  %b = hone.map ins(%a : tensor<8x8xi32>) -> tensor<8x8xi8> {
  ^bb0(%e: i32):
    %f = arith.sitofp %e : i32 to f32
    %i = math.roundeven %f : f32
    %b = arith.fptoui %i : f32 to i8
    hone.yield %b : i8
  }
  %c = hone.map ins(%b : tensor<8x8xi8>) -> tensor<8x8xf32> {
  ^bb0(%e: i8):
    %scale = arith.constant 0.1 : f32
    %f = arith.uitofp %e : i8 to f32
    %p = arith.mulf %f, %scale : f32
    hone.yield %p : f32
  }
  %d = hone.matmul %y, %w : tensor<8x4xi8>, tensor<4x8xi8> -> tensor<8x8xi32>
  %r = hone.map ins(%c, %d : tensor<8x8xf32>, tensor<8x8xi32>) -> tensor<8x8xf32> {
  ^bb0(%e: f32, %f: i32):
    %g = arith.sitofp %f : i32 to f32
    %p = arith.addf %e, %g : f32
    hone.yield %p : f32
  }
  return %r : tensor<8x8xf32>
}
