// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(hone-convert-to-linalg,canonicalize))' | FileCheck %s

// A dimension of size 1 is read at 0.
// CHECK-DAG: #[[WHOLE:.+]] = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-DAG: #[[ROW:.+]] = affine_map<(d0, d1) -> (d0, 0)>
// CHECK-DAG: #[[COLUMN:.+]] = affine_map<(d0, d1) -> (d1)>
// CHECK-LABEL: func.func @broadcast(
// CHECK-SAME:    %[[N:[a-z0-9]+]]: index
// CHECK:         %[[INIT:.+]] = tensor.empty(%[[N]]) : tensor<?x8xf32>
// CHECK:         linalg.generic {indexing_maps = [#[[WHOLE]], #[[ROW]], #[[COLUMN]], #[[WHOLE]]]
// CHECK-SAME:      outs(%[[INIT]]
// CHECK:           linalg.index 1
// CHECK:           linalg.yield
func.func @broadcast(%x: tensor<?x8xf32>, %y: tensor<?x1xf32>, %z: tensor<8xf32>, %n: index) -> tensor<?x8xf32> {
  %r = hone.map ins(%x, %y, %z : tensor<?x8xf32>, tensor<?x1xf32>, tensor<8xf32>) dims(%n) -> tensor<?x8xf32> {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %i = hone.index 1
    %j = arith.index_cast %i : index to i32
    %k = arith.sitofp %j : i32 to f32
    %s = arith.addf %a, %b : f32
    %t = arith.addf %s, %c : f32
    %u = arith.addf %t, %k : f32
    hone.yield %u : f32
  }
  return %r : tensor<?x8xf32>
}

// -----

// Sums of f16 are kept in f32 and narrowed at the end.
// CHECK-DAG: #[[KEPT:.+]] = affine_map<(d0, d1) -> (d0, 0)>
// CHECK-LABEL: func.func @reduce_f16(
// CHECK:         %[[INIT:.+]] = linalg.fill {{.*}} -> tensor<4x1xf32>
// CHECK:         linalg.generic {indexing_maps = [{{.*}}, #[[KEPT]]], iterator_types = ["parallel", "reduction"]}
// CHECK-SAME:      outs(%[[INIT]] : tensor<4x1xf32>)
// CHECK:           arith.extf
// CHECK:           arith.addf {{.*}} : f32
// CHECK:         linalg.generic
// CHECK:           arith.truncf
func.func @reduce_f16(%x: tensor<4x8xf16>) -> tensor<4x1xf16> {
  %r = hone.reduce sum %x axes [1] keepdims : tensor<4x8xf16> -> tensor<4x1xf16>
  return %r : tensor<4x1xf16>
}

// -----

// Along the innermost axis, the best element comes first, and then the index of one that equals it.
// CHECK-LABEL: func.func @arg_max(
// CHECK-SAME:    %[[X:.+]]: tensor<4x8xf32>)
// CHECK:         %[[BEST:.+]] = linalg.generic {{.*}} ins(%[[X]]
// CHECK:           arith.maximumf
// CHECK:         %[[PLACE:.+]] = linalg.generic {{.*}} ins(%[[X]], %[[BEST]]
// CHECK:           arith.cmpf oeq
// CHECK:           arith.cmpf uno
// CHECK:           arith.index_cast %{{.+}} : index to i32
// CHECK:           arith.minsi
// CHECK:         %[[INDEX:.+]] = linalg.generic {{.*}} ins(%[[PLACE]]
// CHECK:           arith.extui %{{.+}} : i32 to i64
// CHECK:         return %[[INDEX]]
func.func @arg_max(%x: tensor<4x8xf32>) -> tensor<4xi64> {
  %r = hone.arg_reduce max %x axis 1 : tensor<4x8xf32> -> tensor<4xi64>
  return %r : tensor<4xi64>
}

// -----

// The last index of an unknown number, and 0 where there is none.
// CHECK-LABEL: func.func @last_arg_min(
// CHECK:           arith.minui
// CHECK:           arith.cmpi eq
// CHECK:           arith.maxsi %{{.+}}, %{{.+}} : i64
// CHECK:           arith.select %{{.+}}, %c0_i64
func.func @last_arg_min(%x: tensor<4x?x1xi8>) -> tensor<4x1xi64> {
  %r = hone.arg_reduce umin %x axis 1 last : tensor<4x?x1xi8> -> tensor<4x1xi64>
  return %r : tensor<4x1xi64>
}

// -----

// Along another axis the best value and its index are found together; only the index is used.
// CHECK-LABEL: func.func @outer_arg_max(
// CHECK-DAG:     linalg.fill ins(%{{.+}} : f32)
// CHECK-DAG:     linalg.fill ins(%{{.+}} : i64)
// CHECK:         %[[BEST:.+]]:2 = linalg.generic
// CHECK:           arith.cmpf ugt
// CHECK:         return %[[BEST]]#1
func.func @outer_arg_max(%x: tensor<4x8xf32>) -> tensor<8xi64> {
  %r = hone.arg_reduce max %x axis 0 : tensor<4x8xf32> -> tensor<8xi64>
  return %r : tensor<8xi64>
}

// -----

// The check keeps the node that errors are reported for.
// CHECK-LABEL: func.func @gather(
// CHECK:         linalg.generic
// CHECK:           hone.checked_index {{.*}} wrap {hone.node = 7 : i32}
// CHECK:           tensor.extract
func.func @gather(%x: tensor<10x8xf32>, %i: tensor<3xi64>) -> tensor<3x8xf32> {
  %r = hone.gather %x[%i] axis 0 {hone.node = 7 : i32} : tensor<10x8xf32>, tensor<3xi64> -> tensor<3x8xf32>
  return %r : tensor<3x8xf32>
}

// -----

// CHECK-DAG: #[[FROM:.+]] = affine_map<(d0, d1, d2) -> (d1, d2, d0)>
// CHECK-LABEL: func.func @transpose(
// CHECK:         linalg.generic {indexing_maps = [#[[FROM]]
func.func @transpose(%x: tensor<2x3x4xi8>) -> tensor<4x2x3xi8> {
  %r = hone.transpose %x [2, 0, 1] : tensor<2x3x4xi8> -> tensor<4x2x3xi8>
  return %r : tensor<4x2x3xi8>
}

// -----

// Views, and operations that write parts of their result, are bufferized directly.
// CHECK-LABEL: func.func @left_alone(
// CHECK:         hone.slice
// CHECK:         hone.concat
// CHECK:         hone.reshape
func.func @left_alone(%x: tensor<4x8xf32>) -> tensor<32xf32> {
  %s = hone.slice %x at [0, 4] steps [1, 1] : tensor<4x8xf32> -> tensor<4x4xf32>
  %c = hone.concat %s, %s axis 1 : tensor<4x4xf32>, tensor<4x4xf32> -> tensor<4x8xf32>
  %r = hone.reshape %c : tensor<4x8xf32> -> tensor<32xf32>
  return %r : tensor<32xf32>
}
