// RUN: hone-opt %s --hone-raise-to-graph --split-input-file | FileCheck %s

// Names come from attributes and locations; free dimensions are named after their argument.
// CHECK-LABEL: func.func @names(
// CHECK-SAME:    tensor<?x4xf32> {hone.dims = ["rows", 4], hone.name = "x"}
// CHECK-SAME:    tensor<?xi8> {hone.dims = ["mask_0"], hone.name = "mask", hone.type = "bool"}
// CHECK-SAME:    tensor<i64> {hone.dims = [], hone.name = "arg2"})
// CHECK-SAME:    -> (tensor<?x4xf32> {hone.dims = ["rows", 4], hone.name = "y"}
// CHECK-SAME:        tensor<?xi8> {hone.dims = ["mask_0"], hone.name = "result1", hone.type = "bool"}
// CHECK-SAME:        tensor<i64> {hone.dims = [], hone.name = "result2"})
func.func @names(%a: tensor<?x4xf32> {hone.name = "x", hone.dims = ["rows", 4]}, %b: tensor<?xi1> loc("mask"), %n: i64)
    -> (tensor<?x4xf32> {hone.name = "y"}, tensor<?xi1>, i64) {
  return %a, %b, %n : tensor<?x4xf32>, tensor<?xi1>, i64
}

// -----

// Permuted and broadcast operands are aligned; unknown sizes are compared.
// CHECK-LABEL: func.func @map(
// CHECK-SAME:    %[[X:.+]]: tensor<8x?xf32> {{.*}}, %[[B:.+]]: tensor<?xf32>
// CHECK-DAG:     %[[M:.+]] = hone.dim "arg0_1"
// CHECK-DAG:     %[[N:.+]] = hone.dim "arg1_0"
// CHECK:         %[[SAME:.+]] = arith.cmpi eq, %[[M]], %[[N]]
// CHECK:         cf.assert %[[SAME]], "sizes agree"
// CHECK:         %[[T:.+]] = hone.transpose %[[X]] [1, 0] : tensor<8x?xf32> -> tensor<?x8xf32>
// CHECK:         %[[C:.+]] = hone.reshape %[[B]] dims(%[[M]]) : tensor<?xf32> -> tensor<?x1xf32>
// CHECK:         hone.map ins(%[[T]], %[[C]] : tensor<?x8xf32>, tensor<?x1xf32>) dims(%[[M]]) -> tensor<?x8xf32>
// CHECK:           %[[I:.+]] = hone.index 1
// CHECK:           arith.index_cast %[[I]]
func.func @map(%x: tensor<8x?xf32>, %b: tensor<?xf32>, %out: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %0 = linalg.generic {
      indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0, d1)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%x, %b : tensor<8x?xf32>, tensor<?xf32>) outs(%out : tensor<?x8xf32>) {
  ^bb0(%i: f32, %j: f32, %o: f32):
    %k = linalg.index 1 : index
    %l = arith.index_cast %k : index to i32
    %f = arith.sitofp %l : i32 to f32
    %s = arith.addf %i, %j : f32
    %t = arith.mulf %s, %f : f32
    linalg.yield %t : f32
  } -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// -----

// Elements read by index: checked, unless they are known to be inside.
// CHECK-LABEL: func.func @read(
// CHECK:         hone.map ins(%{{.+}} : tensor<3x1xi64>) -> tensor<3x6xf32>
// CHECK:           %[[J:.+]] = hone.index 1
// CHECK:           %[[I:.+]] = arith.index_cast
// CHECK:           %[[CHECKED:.+]] = hone.checked_index %[[I]] of
// CHECK:           tensor.extract %{{.+}}[%[[CHECKED]], %[[J]]]
func.func @read(%table: tensor<10x6xf32>, %rows: tensor<3xi64>) -> tensor<3x6xf32> {
  %e = tensor.empty() : tensor<3x6xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0, d1)>],
      iterator_types = ["parallel", "parallel"]} ins(%rows : tensor<3xi64>) outs(%e : tensor<3x6xf32>) {
  ^bb0(%row: i64, %o: f32):
    %i = arith.index_cast %row : i64 to index
    %j = linalg.index 1 : index
    %v = tensor.extract %table[%i, %j] : tensor<10x6xf32>
    linalg.yield %v : f32
  } -> tensor<3x6xf32>
  return %0 : tensor<3x6xf32>
}

// -----

// A division cannot trap, casts to integers saturate, and flags are dropped.
// CHECK-LABEL: func.func @safe(
// CHECK:         hone.checked_divisor
// CHECK:         arith.divsi
// CHECK:         arith.addi %{{.+}}, %{{.+}} : i32
// CHECK:         arith.cmpf olt
// CHECK:         arith.fptosi
func.func @safe(%x: tensor<4xi32>, %y: tensor<4xi32>, %z: tensor<4xf32>) -> (tensor<4xi32>, tensor<4xi32>) {
  %0:2 = linalg.generic {
      indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>,
                       affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>],
      iterator_types = ["parallel"]}
      ins(%x, %y, %z : tensor<4xi32>, tensor<4xi32>, tensor<4xf32>) outs(%x, %y : tensor<4xi32>, tensor<4xi32>) {
  ^bb0(%a: i32, %b: i32, %c: f32, %o: i32, %p: i32):
    %q = arith.divsi %a, %b : i32
    %r = arith.addi %q, %a overflow<nsw> : i32
    %s = arith.fptosi %c : f32 to i32
    linalg.yield %r, %s : i32, i32
  } -> (tensor<4xi32>, tensor<4xi32>)
  return %0#0, %0#1 : tensor<4xi32>, tensor<4xi32>
}

// -----

// CHECK-LABEL: func.func @product(
// CHECK-SAME:    %[[X:.+]]: tensor<4x8xf32> {{.*}}, %[[W:.+]]: tensor<8x16xf32> {{.*}}, %[[B:.+]]: tensor<4x16xf32>
// CHECK:         %[[M:.+]] = hone.matmul %[[X]], %[[W]] : tensor<4x8xf32>, tensor<8x16xf32> -> tensor<4x16xf32>
// CHECK:         hone.map ins(%[[B]], %[[M]] :
// CHECK:           arith.addf
func.func @product(%x: tensor<4x8xf32>, %w: tensor<8x16xf32>, %b: tensor<4x16xf32>) -> tensor<4x16xf32> {
  %0 = linalg.matmul ins(%x, %w : tensor<4x8xf32>, tensor<8x16xf32>) outs(%b : tensor<4x16xf32>) -> tensor<4x16xf32>
  return %0 : tensor<4x16xf32>
}

// -----

// Any product of two operands along loops that they share is one of matrices; f16 is multiplied as it is.
// CHECK-LABEL: func.func @contraction(
// CHECK-SAME:    %[[X:.+]]: tensor<2x3x4x5xf16> {{.*}}, %[[Y:.+]]: tensor<6x4x2x5xf16>
// CHECK-NOT:     hone.map
// CHECK-DAG:     %[[XT:.+]] = hone.transpose %[[X]] [0, 2, 1, 3]
// CHECK-DAG:     %[[YT:.+]] = hone.transpose %[[Y]] [2, 1, 0, 3]
// CHECK:         hone.matmul %{{.+}}, %{{.+}} transpose_rhs : tensor<2x4x3x5xf16>, tensor<2x4x6x5xf16> -> tensor<2x4x3x6xf32>
func.func @contraction(%x: tensor<2x3x4x5xf16>, %y: tensor<6x4x2x5xf16>) -> tensor<2x4x3x6xf32> {
  %c0 = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x4x3x6xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<2x4x3x6xf32>) -> tensor<2x4x3x6xf32>
  %0 = linalg.generic {
      indexing_maps = [affine_map<(b, h, m, n, k) -> (b, m, h, k)>, affine_map<(b, h, m, n, k) -> (n, h, b, k)>,
                       affine_map<(b, h, m, n, k) -> (b, h, m, n)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %y : tensor<2x3x4x5xf16>, tensor<6x4x2x5xf16>) outs(%f : tensor<2x4x3x6xf32>) {
  ^bb0(%a: f16, %b: f16, %s: f32):
    %l = arith.extf %a : f16 to f32
    %r = arith.extf %b : f16 to f32
    %p = arith.mulf %l, %r : f32
    %t = arith.addf %s, %p : f32
    linalg.yield %t : f32
  } -> tensor<2x4x3x6xf32>
  return %0 : tensor<2x4x3x6xf32>
}

// -----

// Channels come first; the pad is moved behind the transpose, where it can join the convolution.
// CHECK-LABEL: func.func @convolution(
// CHECK:         %[[T:.+]] = hone.transpose %{{.+}} [0, 3, 1, 2] : tensor<1x9x9x3xf32> -> tensor<1x3x9x9xf32>
// CHECK:         %[[P:.+]] = hone.pad %[[T]] with %{{.+}} low [0, 0, 1, 1] high [0, 0, 1, 1]
// CHECK:         %[[W:.+]] = hone.transpose %{{.+}} [3, 2, 0, 1] : tensor<3x3x3x8xf32> -> tensor<8x3x3x3xf32>
// CHECK:         %[[C:.+]] = hone.conv %[[P]], %[[W]] kernel [3, 3] strides [2, 2] dilations [1, 1] pads [0, 0, 0, 0] group 1
// CHECK:         hone.transpose %[[C]] [0, 2, 3, 1] : tensor<1x8x5x5xf32> -> tensor<1x5x5x8xf32>
func.func @convolution(%x: tensor<1x9x9x3xf32>, %w: tensor<3x3x3x8xf32>) -> tensor<1x5x5x8xf32> {
  %c0 = arith.constant 0.0 : f32
  %p = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 1, 0] {
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %c0 : f32
  } : tensor<1x9x9x3xf32> to tensor<1x11x11x3xf32>
  %e = tensor.empty() : tensor<1x5x5x8xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<1x5x5x8xf32>) -> tensor<1x5x5x8xf32>
  %0 = linalg.conv_2d_nhwc_hwcf {strides = dense<2> : tensor<2xi64>, dilations = dense<1> : tensor<2xi64>}
      ins(%p, %w : tensor<1x11x11x3xf32>, tensor<3x3x3x8xf32>) outs(%f : tensor<1x5x5x8xf32>) -> tensor<1x5x5x8xf32>
  return %0 : tensor<1x5x5x8xf32>
}

// -----

// CHECK-LABEL: func.func @depthwise(
// CHECK:         hone.conv %{{.+}} group 4 : tensor<2x4x8x8xf32>, tensor<8x1x3x3xf32> -> tensor<2x8x6x6xf32>
func.func @depthwise(%x: tensor<2x8x8x4xf32>, %w: tensor<3x3x4x2xf32>, %o: tensor<2x6x6x4x2xf32>) -> tensor<2x6x6x4x2xf32> {
  %0 = linalg.depthwise_conv_2d_nhwc_hwcm {strides = dense<1> : tensor<2xi64>, dilations = dense<1> : tensor<2xi64>}
      ins(%x, %w : tensor<2x8x8x4xf32>, tensor<3x3x4x2xf32>) outs(%o : tensor<2x6x6x4x2xf32>) -> tensor<2x6x6x4x2xf32>
  return %0 : tensor<2x6x6x4x2xf32>
}

// -----

// A pad with the initial value is padding of the windows.
// CHECK-LABEL: func.func @pool(
// CHECK:         hone.pool max %{{.+}} kernel [3, 3] strides [2, 2] dilations [1, 1] pads [1, 1, 1, 1] : tensor<1x4x8x8xf32> -> tensor<1x4x4x4xf32>
func.func @pool(%x: tensor<1x4x8x8xf32>) -> tensor<1x4x4x4xf32> {
  %low = arith.constant 0xFF800000 : f32
  %p = tensor.pad %x low[0, 0, 1, 1] high[0, 0, 1, 1] {
  ^bb0(%i: index, %j: index, %k: index, %l: index):
    tensor.yield %low : f32
  } : tensor<1x4x8x8xf32> to tensor<1x4x10x10xf32>
  %w = tensor.empty() : tensor<3x3xf32>
  %e = tensor.empty() : tensor<1x4x4x4xf32>
  %f = linalg.fill ins(%low : f32) outs(%e : tensor<1x4x4x4xf32>) -> tensor<1x4x4x4xf32>
  %0 = linalg.pooling_nchw_max {strides = dense<2> : tensor<2xi64>, dilations = dense<1> : tensor<2xi64>}
      ins(%p, %w : tensor<1x4x10x10xf32>, tensor<3x3xf32>) outs(%f : tensor<1x4x4x4xf32>) -> tensor<1x4x4x4xf32>
  return %0 : tensor<1x4x4x4xf32>
}

// -----

// CHECK-LABEL: func.func @reduction(
// CHECK:         %[[SQUARES:.+]] = hone.map ins(%{{.+}} : tensor<4x8xf32>) -> tensor<4x8xf32>
// CHECK:         %[[SUM:.+]] = hone.reduce sum %[[SQUARES]] axes [1] keepdims : tensor<4x8xf32> -> tensor<4x1xf32>
// CHECK:         %[[DROPPED:.+]] = hone.reshape %[[SUM]] : tensor<4x1xf32> -> tensor<4xf32>
// CHECK:         return %[[DROPPED]]
func.func @reduction(%x: tensor<4x8xf32>) -> tensor<4xf32> {
  %z = arith.constant dense<0.0> : tensor<4xf32>
  %0 = linalg.reduce ins(%x : tensor<4x8xf32>) outs(%z : tensor<4xf32>) dimensions = [1]
    (%a: f32, %s: f32) {
      %q = arith.mulf %a, %a : f32
      %t = arith.addf %q, %s : f32
      linalg.yield %t : f32
    }
  return %0 : tensor<4xf32>
}

// -----

// Results that nobody needs are not computed: the maximum is one without its place.
// CHECK-LABEL: func.func @unused(
// CHECK-SAME:    %[[X:.+]]: tensor<4x8xf32>
// CHECK-NOT:     hone.map
// CHECK:         hone.reduce max %[[X]] axes [1] keepdims
func.func @unused(%x: tensor<4x8xf32>) -> tensor<4x1xf32> {
  %low = arith.constant 0xFF800000 : f32
  %c0 = arith.constant 0 : i64
  %e = tensor.empty() : tensor<4x1xf32>
  %g = tensor.empty() : tensor<4x1xi64>
  %f = linalg.fill ins(%low : f32) outs(%e : tensor<4x1xf32>) -> tensor<4x1xf32>
  %h = linalg.fill ins(%c0 : i64) outs(%g : tensor<4x1xi64>) -> tensor<4x1xi64>
  %0:2 = linalg.generic {
      indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, 0)>, affine_map<(d0, d1) -> (d0, 0)>],
      iterator_types = ["parallel", "reduction"]} ins(%x : tensor<4x8xf32>) outs(%f, %h : tensor<4x1xf32>, tensor<4x1xi64>) {
  ^bb0(%a: f32, %m: f32, %i: i64):
    %k = linalg.index 1 : index
    %l = arith.index_cast %k : index to i64
    %n = arith.maximumf %a, %m : f32
    %o = arith.cmpf ogt, %a, %m : f32
    %p = arith.select %o, %l, %i : i64
    linalg.yield %n, %p : f32, i64
  } -> (tensor<4x1xf32>, tensor<4x1xi64>)
  return %0#0 : tensor<4x1xf32>
}

// -----

// Heads that were joined with the batch for a product of matrices are not.
// CHECK-LABEL: func.func @heads(
// CHECK:         hone.matmul %{{.+}}, %{{.+}} : tensor<2x3x4x5xf32>, tensor<2x3x5x6xf32> -> tensor<2x3x4x6xf32>
func.func @heads(%x: tensor<2x3x4x5xf32>, %y: tensor<2x3x5x6xf32>) -> tensor<6x4x6xf32> {
  %a = tensor.collapse_shape %x [[0, 1], [2], [3]] : tensor<2x3x4x5xf32> into tensor<6x4x5xf32>
  %b = tensor.collapse_shape %y [[0, 1], [2], [3]] : tensor<2x3x5x6xf32> into tensor<6x5x6xf32>
  %c0 = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<6x4x6xf32>
  %f = linalg.fill ins(%c0 : f32) outs(%e : tensor<6x4x6xf32>) -> tensor<6x4x6xf32>
  %0 = linalg.batch_matmul ins(%a, %b : tensor<6x4x5xf32>, tensor<6x5x6xf32>) outs(%f : tensor<6x4x6xf32>) -> tensor<6x4x6xf32>
  return %0 : tensor<6x4x6xf32>
}

// -----

// What combines elements in another way is a loop for each element of the result.
// CHECK-LABEL: func.func @loops(
// CHECK:         hone.map ins(%{{.+}} : tensor<4xf32>) -> tensor<4xf32>
// CHECK:           scf.for %[[I:.+]] = {{.*}} iter_args(%[[S:.+]] = %{{.+}}) -> (f32)
// CHECK:             %[[E:.+]] = tensor.extract %{{.+}}[%{{.+}}, %[[I]]] : tensor<4x8xf32>
// CHECK:             %[[D:.+]] = arith.subf %[[E]], %[[S]]
// CHECK:             scf.yield %[[D]]
func.func @loops(%x: tensor<4x8xf32>, %init: tensor<4xf32>) -> tensor<4xf32> {
  %0 = linalg.reduce ins(%x : tensor<4x8xf32>) outs(%init : tensor<4xf32>) dimensions = [1]
    (%a: f32, %s: f32) {
      %t = arith.subf %a, %s : f32
      linalg.yield %t : f32
    }
  return %0 : tensor<4xf32>
}

// -----

// CHECK-LABEL: func.func @movement(
// CHECK-SAME:    %[[X:.+]]: tensor<2x6xf32>
// CHECK:         %[[S:.+]] = hone.slice %[[X]] at [0, 1] steps [1, 2] : tensor<2x6xf32> -> tensor<2x2xf32>
// CHECK:         %[[R:.+]] = hone.reshape %[[S]] : tensor<2x2xf32> -> tensor<4xf32>
// CHECK:         hone.concat %[[R]], %{{.+}} axis 0 : tensor<4xf32>, tensor<4xf32> -> tensor<8xf32>
// CHECK:         hone.map ins(%[[X]] : tensor<2x6xf32>) -> tensor<2x6xf32>
// CHECK:           scf.if
// CHECK:             tensor.extract
func.func @movement(%x: tensor<2x6xf32>) -> (tensor<8xf32>, tensor<2x6xf32>) {
  %s = tensor.extract_slice %x[0, 1] [2, 2] [1, 2] : tensor<2x6xf32> to tensor<2x2xf32>
  %r = tensor.collapse_shape %s [[0, 1]] : tensor<2x2xf32> into tensor<4xf32>
  %c = tensor.concat dim(0) %r, %r : (tensor<4xf32>, tensor<4xf32>) -> tensor<8xf32>
  %i = tensor.insert_slice %s into %x[0, 2] [2, 2] [1, 1] : tensor<2x2xf32> into tensor<2x6xf32>
  return %c, %i : tensor<8xf32>, tensor<2x6xf32>
}

// -----

// CHECK-LABEL: func.func @loop(
// CHECK:         scf.for %[[I:.+]] = {{.*}} iter_args(%[[A:.+]] = %{{.+}}) -> (tensor<6x4xf32>)
// CHECK:           tensor.insert_slice %{{.+}} into %[[A]][%[[I]], 0] [1, 4] [1, 1]
func.func @loop(%x: tensor<4xf32>, %all: tensor<6x4xf32>) -> tensor<6x4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c6 = arith.constant 6 : index
  %0 = scf.for %i = %c0 to %c6 step %c1 iter_args(%a = %all) -> tensor<6x4xf32> {
    %1 = tensor.insert_slice %x into %a[%i, 0] [1, 4] [1, 1] : tensor<4xf32> into tensor<6x4xf32>
    scf.yield %1 : tensor<6x4xf32>
  }
  return %0 : tensor<6x4xf32>
}
