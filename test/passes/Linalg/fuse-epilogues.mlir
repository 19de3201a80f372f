// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(hone-fuse-epilogues))' | FileCheck %s

// A chain of maps; the residual is a whole operand, the bias one along the columns.
// CHECK-DAG:   #[[COLUMN:.+]] = affine_map<(d0, d1) -> (d1)>
// CHECK-DAG:   #[[WHOLE:.+]] = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-LABEL: func.func @chain(
// CHECK-SAME:    %[[A:.+]]: tensor<?x8xf32>, %[[B:.+]]: tensor<1x8x16xf32>, %[[BIAS:.+]]: tensor<16xf32>, %[[RES:.+]]: tensor<?x16xf32>, %[[N:.+]]: index)
// CHECK:         %[[OUT:.+]] = tensor.empty(%[[N]])
// CHECK:         %[[R:.+]] = hone.kernel.matmul ins(%[[A]], %[[B]]
// CHECK-SAME:      extras(%[[BIAS]], %[[RES]]
// CHECK-SAME:      maps [#[[COLUMN]], #[[WHOLE]]] outs(%[[OUT]] : tensor<?x16xf32>) packed <16, 1> {
// CHECK:         ^bb0(%[[ACC:.+]]: f32, %[[X:.+]]: f32, %[[Y:.+]]: f32):
// CHECK:           %[[S:.+]] = arith.addf %[[ACC]], %[[X]]
// CHECK:           %[[T:.+]] = arith.addf %[[S]], %[[Y]]
// CHECK:           hone.kernel.yield %[[T]]
// CHECK-NOT:     hone.map
// CHECK:         return %[[R]]
func.func @chain(%a: tensor<?x8xf32>, %b: tensor<1x8x16xf32>, %bias: tensor<16xf32>, %res: tensor<?x16xf32>, %n: index) -> tensor<?x16xf32> {
  %0 = hone.matmul %a, %b dims(%n) packed <16, 1> : tensor<?x8xf32>, tensor<1x8x16xf32> -> tensor<?x16xf32>
  %1 = hone.map ins(%0, %bias : tensor<?x16xf32>, tensor<16xf32>) dims(%n) -> tensor<?x16xf32> {
  ^bb0(%x: f32, %y: f32):
    %s = arith.addf %x, %y : f32
    hone.yield %s : f32
  }
  %2 = hone.map ins(%1, %res : tensor<?x16xf32>, tensor<?x16xf32>) dims(%n) -> tensor<?x16xf32> {
  ^bb0(%x: f32, %y: f32):
    %s = arith.addf %x, %y : f32
    hone.yield %s : f32
  }
  return %2 : tensor<?x16xf32>
}

// -----

// A value of the chain that is needed elsewhere is stored too.
// CHECK-LABEL: func.func @also_needed(
// CHECK:         %[[R:.+]]:2 = hone.kernel.matmul
// CHECK:         ^bb0(%[[ACC:.+]]: f32):
// CHECK:           %[[E:.+]] = math.exp %[[ACC]]
// CHECK:           hone.kernel.yield %[[E]], %[[ACC]]
// CHECK:         return %[[R]]#1, %[[R]]#0
func.func @also_needed(%a: tensor<4x8xf32>, %b: tensor<8x16xf32>) -> (tensor<4x16xf32>, tensor<4x16xf32>) {
  %0 = hone.matmul %a, %b : tensor<4x8xf32>, tensor<8x16xf32> -> tensor<4x16xf32>
  %1 = hone.map ins(%0 : tensor<4x16xf32>) -> tensor<4x16xf32> {
  ^bb0(%x: f32):
    %s = math.exp %x : f32
    hone.yield %s : f32
  }
  return %0, %1 : tensor<4x16xf32>, tensor<4x16xf32>
}

// -----

// Sums of f16 are f32; the map sees f16 as before.
// CHECK-LABEL: func.func @half(
// CHECK:         ^bb0(%[[ACC:.+]]: f32):
// CHECK:           %[[H:.+]] = arith.truncf %[[ACC]] : f32 to f16
// CHECK:           hone.kernel.yield %[[H]] : f16
func.func @half(%a: tensor<4x8xf16>, %b: tensor<8x16xf16>) -> tensor<4x16xf16> {
  %0 = hone.matmul %a, %b : tensor<4x8xf16>, tensor<8x16xf16> -> tensor<4x16xf16>
  return %0 : tensor<4x16xf16>
}

// -----

// The map broadcasts the result: it stays.
// CHECK-LABEL: func.func @other_shape(
// CHECK:         hone.kernel.matmul
// CHECK:         hone.map
func.func @other_shape(%a: tensor<4x8xf32>, %b: tensor<8x16xf32>, %c: tensor<3x4x16xf32>) -> tensor<3x4x16xf32> {
  %0 = hone.matmul %a, %b : tensor<4x8xf32>, tensor<8x16xf32> -> tensor<4x16xf32>
  %1 = hone.map ins(%0, %c : tensor<4x16xf32>, tensor<3x4x16xf32>) -> tensor<3x4x16xf32> {
  ^bb0(%x: f32, %y: f32):
    %s = arith.addf %x, %y : f32
    hone.yield %s : f32
  }
  return %1 : tensor<3x4x16xf32>
}

// -----

// A body that is more than arithmetic stays a map.
// CHECK-LABEL: func.func @coordinates(
// CHECK:         hone.kernel.matmul
// CHECK:         hone.map
func.func @coordinates(%a: tensor<4x8xf32>, %b: tensor<8x16xf32>) -> tensor<4x16xindex> {
  %0 = hone.matmul %a, %b : tensor<4x8xf32>, tensor<8x16xf32> -> tensor<4x16xf32>
  %1 = hone.map ins(%0 : tensor<4x16xf32>) -> tensor<4x16xindex> {
  ^bb0(%x: f32):
    %i = hone.index 0
    hone.yield %i : index
  }
  return %1 : tensor<4x16xindex>
}

// -----

// CHECK-LABEL: func.func @windows(
// CHECK:         hone.kernel.conv ins({{.*}}) maps [] outs({{.*}}) kernel [3] strides [1] dilations [1] pads [1, 1] group 1 transposed {
// CHECK:         hone.kernel.pool max ins
// CHECK-SAME:      indices {
// CHECK:         ^bb0(%[[ACC:.+]]: f32, %[[I:.+]]: i64):
func.func @windows(%x: tensor<1x4x9xf32>, %f: tensor<4x6x3xf32>) -> (tensor<1x6x3xf32>, tensor<1x6x3xi64>) {
  %0 = hone.conv_transpose %x, %f strides [1] dilations [1] pads [1, 1] group 1 : tensor<1x4x9xf32>, tensor<4x6x3xf32> -> tensor<1x6x9xf32>
  %1, %2 = hone.pool max %0 kernel [3] strides [3] dilations [1] pads [0, 0] : tensor<1x6x9xf32> -> tensor<1x6x3xf32>, tensor<1x6x3xi64>
  return %1, %2 : tensor<1x6x3xf32>, tensor<1x6x3xi64>
}

// -----

// The epilogue of attention applies to its scores.
// CHECK-DAG:   #[[KEYS:.+]] = affine_map<(d0, d1, d2) -> (d2)>
// CHECK-LABEL: func.func @attention(
// CHECK:         hone.kernel.attention ins(%{{.+}}, %{{.+}}, %{{.+}} : tensor<2x?x8xf32>, tensor<7x2x8xf32>, tensor<1x7x4xf32>)
// CHECK-SAME:      maps [#[[KEYS]]] outs(%{{.+}} : tensor<2x?x4xf32>) masked key_by_row {
// CHECK:         ^bb0(%[[SCORE:.+]]: f32, %{{.+}}: index, %{{.+}}: index, %[[X:.+]]: f32):
// CHECK:           %[[S:.+]] = arith.addf %[[SCORE]], %[[X]]
// CHECK:           hone.kernel.yield %[[S]]
func.func @attention(%q: tensor<2x?x8xf32>, %k: tensor<7x2x8xf32>, %v: tensor<1x7x4xf32>, %m: tensor<7xf32>, %n: index) -> tensor<2x?x4xf32> {
  %0 = hone.attention %q, %k, %v extras(%m : tensor<7xf32>) dims(%n) masked key_by_row : tensor<2x?x8xf32>, tensor<7x2x8xf32>, tensor<1x7x4xf32> -> tensor<2x?x4xf32> {
  ^bb0(%s: f32, %row: index, %column: index, %x: f32):
    %y = arith.addf %s, %x : f32
    hone.yield %y : f32
  }
  return %0 : tensor<2x?x4xf32>
}
