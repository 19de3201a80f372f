// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(hone-set-machine{cpu=x86-64-v3},func.func(hone-split-reductions))' | FileCheck %s
// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(hone-set-machine{cpu=x86-64-v3},func.func(hone-split-reductions))' --remarks-filter-missed=split-reductions 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK

// Both reductions of the formula read it in parts.
// CHECK-LABEL: func.func @whole(
// CHECK-SAME:    %[[X:.+]]: tensor<512x512xf32>, %[[S:.+]]: tensor<f32>)
// CHECK-DAG:     %[[PARTS:.+]] = hone.reshape %[[X]] {{.*}}-> tensor<16x16384xf32>
// CHECK-DAG:     %[[SCALE:.+]] = hone.reshape %[[S]] {{.*}}-> tensor<1x1xf32>
// CHECK:         %[[Y:.+]] = hone.map ins(%[[PARTS]], %[[SCALE]] : {{.+}}) -> tensor<16x16384xf32>
// CHECK:         %[[MIN:.+]] = hone.reduce min %[[Y]] axes [1] : tensor<16x16384xf32> -> tensor<16xf32>
// CHECK:         %[[A:.+]] = hone.reduce min %[[MIN]] axes [0] : tensor<16xf32> -> tensor<f32>
// CHECK:         %[[MAX:.+]] = hone.reduce max %[[Y]] axes [1]
// CHECK:         %[[B:.+]] = hone.reshape %{{.+}} -> tensor<1x1xf32>
// CHECK:         return %[[A]], %[[B]]
func.func @whole(%x: tensor<512x512xf32>, %s: tensor<f32>) -> (tensor<f32>, tensor<1x1xf32>) {
  %y = hone.map ins(%x, %s : tensor<512x512xf32>, tensor<f32>) -> tensor<512x512xf32> {
  ^bb0(%e: f32, %f: f32):
    %0 = arith.mulf %e, %f : f32
    hone.yield %0 : f32
  }
  %a = hone.reduce min %y axes [0, 1] : tensor<512x512xf32> -> tensor<f32>
  %b = hone.reduce max %y axes [0, 1] keepdims : tensor<512x512xf32> -> tensor<1x1xf32>
  return %a, %b : tensor<f32>, tensor<1x1xf32>
}

// -----

// Few columns are kept in each part; 99999 is 41 * 2439.
// CHECK-LABEL: func.func @columns(
// CHECK:         hone.reduce sum %{{.+}} axes [1] : tensor<41x2439x4xf32> -> tensor<41x4xf32>
// CHECK:         hone.reduce sum %{{.+}} axes [0] : tensor<41x4xf32> -> tensor<4xf32>
func.func @columns(%x: tensor<99999x4xf32>) -> tensor<4xf32> {
  %a = hone.reduce sum %x axes [0] : tensor<99999x4xf32> -> tensor<4xf32>
  return %a : tensor<4xf32>
}

// -----

// From two pieces of a map on, a row is divided as the maps around it are.
// CHECK-LABEL: func.func @two_pieces(
// CHECK:         hone.reduce max %{{.+}} axes [1] : tensor<16x2048xf32> -> tensor<16xf32>
// CHECK:         hone.reduce max %{{.+}} : tensor<1x32736xf32> -> tensor<1xf32>
func.func @two_pieces(%x: tensor<1x32768xf32>, %y: tensor<1x32736xf32>) -> (tensor<1xf32>, tensor<1xf32>) {
  %a = hone.reduce max %x axes [1] : tensor<1x32768xf32> -> tensor<1xf32>
  %b = hone.reduce max %y axes [1] : tensor<1x32736xf32> -> tensor<1xf32>
  return %a, %b : tensor<1xf32>, tensor<1xf32>
}

// -----

// Rows are divided as they are; little is not worth it; halves are summed up in f32; a prime has no parts.
// CHECK-LABEL: func.func @left_alone(
// CHECK-NOT:     hone.reshape
// CHECK:         return
// REMARK: Reason="a sum of narrow floats is the work of one thread"
// REMARK: Reason="what has no equal parts is reduced by one thread"
func.func @left_alone(%x: tensor<8x65536xf32>, %y: tensor<1024xf32>, %h: tensor<1048576xf16>, %p: tensor<1048573xf32>)
    -> (tensor<8xf32>, tensor<f32>, tensor<f16>, tensor<f32>) {
  %a = hone.reduce sum %x axes [1] : tensor<8x65536xf32> -> tensor<8xf32>
  %b = hone.reduce sum %y axes [0] : tensor<1024xf32> -> tensor<f32>
  %c = hone.reduce sum %h axes [0] : tensor<1048576xf16> -> tensor<f16>
  %d = hone.reduce sum %p axes [0] : tensor<1048573xf32> -> tensor<f32>
  return %a, %b, %c, %d : tensor<8xf32>, tensor<f32>, tensor<f16>, tensor<f32>
}
