// RUN: hone-opt %s --split-input-file --hone-fuse-attention | FileCheck %s

// A scale and a mask become the region of the scores.
// CHECK-LABEL: func.func @masked(
// CHECK-SAME:    %[[Q:.+]]: tensor<2x?x8xf32>, %[[K:.+]]: tensor<2x?x8xf32>, %[[V:.+]]: tensor<2x?x4xf32>, %[[M:.+]]: tensor<2x1x?xf32>, %[[ROWS:.+]]: index,
// CHECK-NEXT:    %[[R:.+]] = hone.attention %[[Q]], %[[K]], %[[V]] extras(%[[M]] : tensor<2x1x?xf32>) dims(%[[ROWS]]) :
// CHECK-NEXT:    ^bb0(%[[S:.+]]: f32, %{{.+}}: index, %{{.+}}: index, %[[X:.+]]: f32):
// CHECK:           %[[T:.+]] = arith.mulf %[[S]]
// CHECK:           %[[U:.+]] = arith.addf %[[T]], %[[X]]
// CHECK:           hone.yield %[[U]]
// CHECK-NOT:     hone.matmul
// CHECK-NOT:     hone.reduce
// CHECK:         return %[[R]]
func.func @masked(%q: tensor<2x?x8xf32>, %k: tensor<2x?x8xf32>, %v: tensor<2x?x4xf32>, %mask: tensor<2x1x?xf32>, %m: index, %n: index) -> tensor<2x?x4xf32> {
  %product = hone.matmul %q, %k dims(%m, %n) transpose_rhs : tensor<2x?x8xf32>, tensor<2x?x8xf32> -> tensor<2x?x?xf32>
  %scores = hone.map ins(%product, %mask : tensor<2x?x?xf32>, tensor<2x1x?xf32>) dims(%m, %n) -> tensor<2x?x?xf32> {
  ^bb0(%s: f32, %x: f32):
    %scale = arith.constant 5.000000e-01 : f32
    %0 = arith.mulf %s, %scale : f32
    %1 = arith.addf %0, %x : f32
    hone.yield %1 : f32
  }
  %top = hone.reduce max %scores axes [2] keepdims : tensor<2x?x?xf32> -> tensor<2x?x1xf32>
  %powers = hone.map ins(%scores, %top : tensor<2x?x?xf32>, tensor<2x?x1xf32>) dims(%m, %n) -> tensor<2x?x?xf32> {
  ^bb0(%s: f32, %t: f32):
    %0 = arith.subf %s, %t : f32
    %1 = math.exp %0 : f32
    hone.yield %1 : f32
  }
  %total = hone.reduce sum %powers axes [2] keepdims : tensor<2x?x?xf32> -> tensor<2x?x1xf32>
  %inverse = hone.map ins(%total : tensor<2x?x1xf32>) dims(%m) -> tensor<2x?x1xf32> {
  ^bb0(%t: f32):
    %one = arith.constant 1.000000e+00 : f32
    %0 = arith.divf %one, %t : f32
    hone.yield %0 : f32
  }
  %softmax = hone.map ins(%powers, %inverse : tensor<2x?x?xf32>, tensor<2x?x1xf32>) dims(%m, %n) -> tensor<2x?x?xf32> {
  ^bb0(%p: f32, %i: f32):
    %0 = arith.mulf %p, %i : f32
    hone.yield %0 : f32
  }
  %r = hone.matmul %softmax, %v dims(%m) : tensor<2x?x?xf32>, tensor<2x?x4xf32> -> tensor<2x?x4xf32>
  return %r : tensor<2x?x4xf32>
}

// -----

// The causal mask asks for row and column; rows without a score give 0; f16 is rounded where the product was.
// CHECK-LABEL: func.func @causal(
// CHECK:         hone.attention {{.*}} masked :
// CHECK-NEXT:    ^bb0(%[[S:.+]]: f32, %[[ROW:.+]]: index, %[[COLUMN:.+]]: index):
// CHECK:           %[[T:.+]] = arith.truncf %[[S]] : f32 to f16
// CHECK:           %[[E:.+]] = arith.extf %[[T]]
// CHECK:           %[[B:.+]] = arith.cmpi sle, %[[COLUMN]], %[[ROW]]
// CHECK:           %[[C:.+]] = arith.select %[[B]], %[[E]]
// CHECK:           hone.yield %[[C]]
func.func @causal(%q: tensor<16x8xf16>, %k: tensor<16x8xf16>, %v: tensor<16x4xf16>) -> tensor<16x4xf16> {
  %product = hone.matmul %q, %k transpose_rhs : tensor<16x8xf16>, tensor<16x8xf16> -> tensor<16x16xf16>
  %scores = hone.map ins(%product : tensor<16x16xf16>) -> tensor<16x16xf32> {
  ^bb0(%s: f16):
    %out = arith.constant 0xFF800000 : f32
    %0 = arith.extf %s : f16 to f32
    %row = hone.index 0
    %column = hone.index 1
    %1 = arith.cmpi sle, %column, %row : index
    %2 = arith.select %1, %0, %out : f32
    hone.yield %2 : f32
  }
  %top = hone.reduce max %scores axes [1] keepdims : tensor<16x16xf32> -> tensor<16x1xf32>
  %powers = hone.map ins(%scores, %top : tensor<16x16xf32>, tensor<16x1xf32>) -> tensor<16x16xf32> {
  ^bb0(%s: f32, %t: f32):
    %out = arith.constant 0xFF800000 : f32
    %zero = arith.constant 0.000000e+00 : f32
    %0 = arith.cmpf oeq, %t, %out : f32
    %1 = arith.select %0, %zero, %t : f32
    %2 = arith.subf %s, %1 : f32
    %3 = math.exp %2 : f32
    hone.yield %3 : f32
  }
  %total = hone.reduce sum %powers axes [1] keepdims : tensor<16x16xf32> -> tensor<16x1xf32>
  %inverse = hone.map ins(%total : tensor<16x1xf32>) -> tensor<16x1xf32> {
  ^bb0(%t: f32):
    %one = arith.constant 1.000000e+00 : f32
    %zero = arith.constant 0.000000e+00 : f32
    %0 = arith.cmpf oeq, %t, %zero : f32
    %1 = arith.divf %one, %t : f32
    %2 = arith.select %0, %t, %1 : f32
    hone.yield %2 : f32
  }
  %softmax = hone.map ins(%powers, %inverse : tensor<16x16xf32>, tensor<16x1xf32>) -> tensor<16x16xf16> {
  ^bb0(%p: f32, %i: f32):
    %0 = arith.mulf %i, %p : f32
    %1 = arith.truncf %0 : f32 to f16
    hone.yield %1 : f16
  }
  %r = hone.matmul %softmax, %v : tensor<16x16xf16>, tensor<16x4xf16> -> tensor<16x4xf16>
  return %r : tensor<16x4xf16>
}

// -----

// A softmax that divides, on products as they are; it stays apart where its result is wanted too.
// CHECK-LABEL: func.func @wanted(
// CHECK:         hone.attention
// CHECK-NEXT:    ^bb0(%[[S:.+]]: f32,
// CHECK-NEXT:      hone.yield %[[S]]
// CHECK:         hone.matmul
// CHECK:         hone.matmul
func.func @wanted(%q: tensor<16x8xf32>, %k: tensor<16x8xf32>, %v: tensor<16x4xf32>) -> (tensor<16x4xf32>, tensor<16x4xf32>, tensor<16x16xf32>) {
  %s0 = hone.matmul %q, %k transpose_rhs : tensor<16x8xf32>, tensor<16x8xf32> -> tensor<16x16xf32>
  %top0 = hone.reduce max %s0 axes [1] keepdims : tensor<16x16xf32> -> tensor<16x1xf32>
  %p0 = hone.map ins(%s0, %top0 : tensor<16x16xf32>, tensor<16x1xf32>) -> tensor<16x16xf32> {
  ^bb0(%s: f32, %t: f32):
    %0 = arith.subf %s, %t : f32
    %1 = math.exp %0 : f32
    hone.yield %1 : f32
  }
  %total0 = hone.reduce sum %p0 axes [1] keepdims : tensor<16x16xf32> -> tensor<16x1xf32>
  %n0 = hone.map ins(%p0, %total0 : tensor<16x16xf32>, tensor<16x1xf32>) -> tensor<16x16xf32> {
  ^bb0(%p: f32, %i: f32):
    %0 = arith.divf %p, %i : f32
    hone.yield %0 : f32
  }
  %r0 = hone.matmul %n0, %v : tensor<16x16xf32>, tensor<16x4xf32> -> tensor<16x4xf32>
  %s1 = hone.matmul %k, %q transpose_rhs : tensor<16x8xf32>, tensor<16x8xf32> -> tensor<16x16xf32>
  %top1 = hone.reduce max %s1 axes [1] keepdims : tensor<16x16xf32> -> tensor<16x1xf32>
  %p1 = hone.map ins(%s1, %top1 : tensor<16x16xf32>, tensor<16x1xf32>) -> tensor<16x16xf32> {
  ^bb0(%s: f32, %t: f32):
    %0 = arith.subf %s, %t : f32
    %1 = math.exp %0 : f32
    hone.yield %1 : f32
  }
  %total1 = hone.reduce sum %p1 axes [1] keepdims : tensor<16x16xf32> -> tensor<16x1xf32>
  %n1 = hone.map ins(%p1, %total1 : tensor<16x16xf32>, tensor<16x1xf32>) -> tensor<16x16xf32> {
  ^bb0(%p: f32, %i: f32):
    %0 = arith.divf %p, %i : f32
    hone.yield %0 : f32
  }
  %r1 = hone.matmul %n1, %v : tensor<16x16xf32>, tensor<16x4xf32> -> tensor<16x4xf32>
  return %r0, %r1, %n1 : tensor<16x4xf32>, tensor<16x4xf32>, tensor<16x16xf32>
}

// -----

// Few rows are left alone.
// CHECK-LABEL: func.func @few_rows(
// CHECK-NOT:     hone.attention
func.func @few_rows(%q: tensor<1x8xf32>, %k: tensor<16x8xf32>, %v: tensor<16x4xf32>) -> tensor<1x4xf32> {
  %s0 = hone.matmul %q, %k transpose_rhs : tensor<1x8xf32>, tensor<16x8xf32> -> tensor<1x16xf32>
  %top0 = hone.reduce max %s0 axes [1] keepdims : tensor<1x16xf32> -> tensor<1x1xf32>
  %p0 = hone.map ins(%s0, %top0 : tensor<1x16xf32>, tensor<1x1xf32>) -> tensor<1x16xf32> {
  ^bb0(%s: f32, %t: f32):
    %0 = arith.subf %s, %t : f32
    %1 = math.exp %0 : f32
    hone.yield %1 : f32
  }
  %total0 = hone.reduce sum %p0 axes [1] keepdims : tensor<1x16xf32> -> tensor<1x1xf32>
  %n0 = hone.map ins(%p0, %total0 : tensor<1x16xf32>, tensor<1x1xf32>) -> tensor<1x16xf32> {
  ^bb0(%p: f32, %i: f32):
    %0 = arith.divf %p, %i : f32
    hone.yield %0 : f32
  }
  %r0 = hone.matmul %n0, %v : tensor<1x16xf32>, tensor<16x4xf32> -> tensor<1x4xf32>
  return %r0 : tensor<1x4xf32>
}

// -----

// Heads that transposes brought in front of the rows stay behind them; a transposed value with another user is kept.
// CHECK-LABEL: func.func @by_row(
// CHECK-SAME:    %[[Q:.+]]: tensor<1x?x2x8xf32>, %[[K:.+]]: tensor<1x16x2x8xf32>, %[[V:.+]]: tensor<1x16x2x4xf32>, %[[ROWS:.+]]: index)
// CHECK-NEXT:    %[[T:.+]] = hone.transpose %[[V]]
// CHECK-NEXT:    %[[R:.+]] = hone.attention %[[Q]], %[[K]], %[[V]] dims(%[[ROWS]]) query_by_row key_by_row value_by_row result_by_row
// CHECK-SAME:      -> tensor<1x?x2x4xf32>
// CHECK:         return %[[R]], %[[T]]
func.func @by_row(%q: tensor<1x?x2x8xf32>, %k: tensor<1x16x2x8xf32>, %v: tensor<1x16x2x4xf32>, %m: index) -> (tensor<1x?x2x4xf32>, tensor<1x2x16x4xf32>) {
  %qt = hone.transpose %q [0, 2, 1, 3] : tensor<1x?x2x8xf32> -> tensor<1x2x?x8xf32>
  %kt = hone.transpose %k [0, 2, 1, 3] : tensor<1x16x2x8xf32> -> tensor<1x2x16x8xf32>
  %vt = hone.transpose %v [0, 2, 1, 3] : tensor<1x16x2x4xf32> -> tensor<1x2x16x4xf32>
  %scores = hone.matmul %qt, %kt dims(%m) transpose_rhs : tensor<1x2x?x8xf32>, tensor<1x2x16x8xf32> -> tensor<1x2x?x16xf32>
  %top = hone.reduce max %scores axes [3] keepdims : tensor<1x2x?x16xf32> -> tensor<1x2x?x1xf32>
  %powers = hone.map ins(%scores, %top : tensor<1x2x?x16xf32>, tensor<1x2x?x1xf32>) dims(%m) -> tensor<1x2x?x16xf32> {
  ^bb0(%s: f32, %t: f32):
    %0 = arith.subf %s, %t : f32
    %1 = math.exp %0 : f32
    hone.yield %1 : f32
  }
  %total = hone.reduce sum %powers axes [3] keepdims : tensor<1x2x?x16xf32> -> tensor<1x2x?x1xf32>
  %softmax = hone.map ins(%powers, %total : tensor<1x2x?x16xf32>, tensor<1x2x?x1xf32>) dims(%m) -> tensor<1x2x?x16xf32> {
  ^bb0(%p: f32, %i: f32):
    %0 = arith.divf %p, %i : f32
    hone.yield %0 : f32
  }
  %r = hone.matmul %softmax, %vt dims(%m) : tensor<1x2x?x16xf32>, tensor<1x2x16x4xf32> -> tensor<1x2x?x4xf32>
  %rt = hone.transpose %r [0, 2, 1, 3] : tensor<1x2x?x4xf32> -> tensor<1x?x2x4xf32>
  return %rt, %vt : tensor<1x?x2x4xf32>, tensor<1x2x16x4xf32>
}

// A factor without dimensions is no sum of powers.
// CHECK-LABEL: func.func @scalar_factor(
// CHECK-NOT:     hone.attention
// CHECK:         hone.matmul
func.func @scalar_factor(%x: tensor<4x8xf32>, %s: tensor<f32>, %w: tensor<8x4xf32>) -> tensor<4x4xf32> {
  %0 = hone.map ins(%x, %s : tensor<4x8xf32>, tensor<f32>) -> tensor<4x8xf32> {
  ^bb0(%a: f32, %b: f32):
    %p = arith.mulf %a, %b : f32
    hone.yield %p : f32
  }
  %1 = hone.matmul %0, %w : tensor<4x8xf32>, tensor<8x4xf32> -> tensor<4x4xf32>
  return %1 : tensor<4x4xf32>
}

// -----

// Rows without a score give 0, by a flag for each of them.
// CHECK-LABEL: func.func @flagged(
// CHECK-SAME:    %[[Q:.+]]: tensor<2x16x8xf32>, %[[K:.+]]: tensor<2x16x8xf32>, %[[V:.+]]: tensor<2x16x4xf32>)
// CHECK-NEXT:    %[[R:.+]] = hone.attention %[[Q]], %[[K]], %[[V]] masked :
// CHECK-NOT:     hone.reduce
// CHECK:         return %[[R]]
func.func @flagged(%q: tensor<2x16x8xf32>, %k: tensor<2x16x8xf32>, %v: tensor<2x16x4xf32>) -> tensor<2x16x4xf32> {
  %scores = hone.matmul %q, %k transpose_rhs : tensor<2x16x8xf32>, tensor<2x16x8xf32> -> tensor<2x16x16xf32>
  %top = hone.reduce max %scores axes [2] keepdims : tensor<2x16x16xf32> -> tensor<2x16x1xf32>
  %powers = hone.map ins(%scores, %top : tensor<2x16x16xf32>, tensor<2x16x1xf32>) -> tensor<2x16x16xf32> {
  ^bb0(%s: f32, %t: f32):
    %0 = arith.subf %s, %t : f32
    %1 = math.exp %0 : f32
    hone.yield %1 : f32
  }
  %total = hone.reduce sum %powers axes [2] keepdims : tensor<2x16x16xf32> -> tensor<2x16x1xf32>
  %lowest = hone.map ins(%scores : tensor<2x16x16xf32>) -> tensor<2x16x16xi8> {
  ^bb0(%s: f32):
    %c = arith.constant 0xFF800000 : f32
    %0 = arith.cmpf oeq, %s, %c : f32
    %1 = arith.extui %0 : i1 to i8
    hone.yield %1 : i8
  }
  %none = hone.reduce umin %lowest axes [2] keepdims : tensor<2x16x16xi8> -> tensor<2x16x1xi8>
  %softmax = hone.map ins(%none, %powers, %total : tensor<2x16x1xi8>, tensor<2x16x16xf32>, tensor<2x16x1xf32>) -> tensor<2x16x16xf32> {
  ^bb0(%f: i8, %p: f32, %t: f32):
    %c0 = arith.constant 0 : i8
    %zero = arith.constant 0.0 : f32
    %0 = arith.divf %p, %t : f32
    %1 = arith.cmpi ne, %f, %c0 : i8
    %2 = arith.select %1, %zero, %0 : f32
    hone.yield %2 : f32
  }
  %r = hone.matmul %softmax, %v : tensor<2x16x16xf32>, tensor<2x16x4xf32> -> tensor<2x16x4xf32>
  return %r : tensor<2x16x4xf32>
}
