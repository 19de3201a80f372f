// RUN: hone-opt %s --split-input-file --hone-simplify --cse | FileCheck %s

// CHECK-LABEL: func.func @identity_map(
// CHECK-SAME:    %[[X:.+]]: tensor<?x4xf32>
// CHECK-NEXT:    return %[[X]]
func.func @identity_map(%x: tensor<?x4xf32>, %n: index) -> tensor<?x4xf32> {
  %one = hone.constant dense<1.0> : tensor<4xf32>
  %r = hone.map ins(%x, %one : tensor<?x4xf32>, tensor<4xf32>) dims(%n) -> tensor<?x4xf32> {
  ^bb0(%e: f32, %f: f32):
    %m = arith.mulf %e, %f : f32
    hone.yield %m : f32
  }
  return %r : tensor<?x4xf32>
}

// -----

// CHECK-LABEL: func.func @inputs_and_results(
// CHECK-SAME:    %[[X:.+]]: tensor<4xf32>, %[[Y:.+]]: tensor<4xf32>
// CHECK:         %[[R:.+]] = hone.map ins(%[[X]] : tensor<4xf32>) -> tensor<4xf32>
// CHECK-NEXT:    ^bb0(%[[E:.+]]: f32):
// CHECK-NEXT:      arith.mulf %[[E]], %[[E]]
// CHECK:         return %[[R]], %[[R]]
func.func @inputs_and_results(%x: tensor<4xf32>, %y: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %a, %b, %c = hone.map ins(%x, %y, %x : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>)
    -> tensor<4xf32>, tensor<4xf32>, tensor<4xf32> {
  ^bb0(%e: f32, %f: f32, %g: f32):
    %m = arith.mulf %e, %g : f32
    hone.yield %m, %f, %m : f32, f32, f32
  }
  return %a, %c : tensor<4xf32>, tensor<4xf32>
}

// -----

// The part that hangs on constants only becomes a map of its own.
// CHECK-LABEL: func.func @constant_part(
// CHECK-DAG:     %[[C:.+]] = hone.constant dense<[1.000000e+00, 2.000000e+00]>
// CHECK:         %[[P:.+]] = hone.map ins(%[[C]] : tensor<2xf32>) -> tensor<2xf32>
// CHECK:           math.sqrt
// CHECK:         hone.map ins(%{{.+}}, %[[P]] :
// CHECK-NOT:       math.sqrt
func.func @constant_part(%x: tensor<3x2xf32>) -> tensor<3x2xf32> {
  %c = hone.constant dense<[[1.0, 2.0]]> : tensor<1x2xf32>
  %r = hone.map ins(%x, %c : tensor<3x2xf32>, tensor<1x2xf32>) -> tensor<3x2xf32> {
  ^bb0(%e: f32, %f: f32):
    %s = math.sqrt %f : f32
    %m = arith.addf %e, %s : f32
    hone.yield %m : f32
  }
  return %r : tensor<3x2xf32>
}

// -----

// CHECK-LABEL: func.func @divide(
// CHECK-DAG:     arith.constant 2.500000e-01 : f32
// CHECK:         arith.mulf
// CHECK:         arith.divf
func.func @divide(%x: tensor<4xf32>) -> tensor<4xf32> {
  %four = arith.constant 4.0 : f32
  %three = arith.constant 3.0 : f32
  %r = hone.map ins(%x : tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%e: f32):
    %a = arith.divf %e, %four : f32
    %b = arith.divf %a, %three : f32
    hone.yield %b : f32
  }
  return %r : tensor<4xf32>
}

// -----

// CHECK-LABEL: func.func @movement(
// CHECK-SAME:    %[[X:.+]]: tensor<?x1x6xf32>, %[[N:.+]]: index
// CHECK-DAG:     %[[T:.+]] = hone.reshape %[[X]] dims(%{{.+}}) : tensor<?x1x6xf32> -> tensor<1x?x6xf32>
// CHECK-DAG:     %[[S:.+]] = hone.slice %[[X]] at [0, 0, 4] dims(%{{.+}}) steps [1, 1, -2] : tensor<?x1x6xf32> -> tensor<?x1x2xf32>
// CHECK-DAG:     %[[R:.+]] = hone.reshape %[[X]] dims(%{{.+}}) : tensor<?x1x6xf32> -> tensor<?x6xf32>
// CHECK:         return %[[T]], %[[S]], %[[R]]
func.func @movement(%x: tensor<?x1x6xf32>, %n: index) -> (tensor<1x?x6xf32>, tensor<?x1x2xf32>, tensor<?x6xf32>) {
  %t = hone.transpose %x [1, 0, 2] : tensor<?x1x6xf32> -> tensor<1x?x6xf32>
  %s = hone.slice %x at [0, 0, 0] dims(%n) steps [1, 1, 2] : tensor<?x1x6xf32> -> tensor<?x1x3xf32>
  %s2 = hone.slice %s at [0, 0, 2] dims(%n) steps [1, 1, -1] : tensor<?x1x3xf32> -> tensor<?x1x2xf32>
  %r = hone.reduce sum %x axes [1] : tensor<?x1x6xf32> -> tensor<?x6xf32>
  return %t, %s2, %r : tensor<1x?x6xf32>, tensor<?x1x2xf32>, tensor<?x6xf32>
}

// -----

// CHECK-LABEL: func.func @concat(
// CHECK-SAME:    %[[X:.+]]: tensor<2x3xf32>, %[[Y:.+]]: tensor<2x4xf32>
// CHECK-DAG:     %[[C:.+]] = hone.concat %[[X]], %[[Y]], %[[X]] axis 1
// CHECK-DAG:     %[[S:.+]] = hone.slice %[[Y]] at [0, 1] steps [1, 1]
// CHECK:         return %[[C]], %[[S]]
func.func @concat(%x: tensor<2x3xf32>, %y: tensor<2x4xf32>) -> (tensor<2x10xf32>, tensor<2x2xf32>) {
  %empty = hone.constant dense<> : tensor<2x0xf32>
  %a = hone.concat %x, %empty, %y axis 1 : tensor<2x3xf32>, tensor<2x0xf32>, tensor<2x4xf32> -> tensor<2x7xf32>
  %s = hone.slice %a at [0, 4] steps [1, 1] : tensor<2x7xf32> -> tensor<2x2xf32>
  %b = hone.concat %a, %x axis 1 : tensor<2x7xf32>, tensor<2x3xf32> -> tensor<2x10xf32>
  return %b, %s : tensor<2x10xf32>, tensor<2x2xf32>
}

// -----

// CHECK-LABEL: func.func @gather(
// CHECK-DAG:     %[[S:.+]] = hone.slice %{{.+}} at [0, 5] steps [1, 1] : tensor<4x6xf32> -> tensor<4x1xf32>
// CHECK-DAG:     %[[A:.+]] = hone.reshape %[[S]] : tensor<4x1xf32> -> tensor<4xf32>
// CHECK-DAG:     %[[B:.+]] = hone.slice %{{.+}} at [1, 0] steps [2, 1] : tensor<4x6xf32> -> tensor<2x6xf32>
// CHECK-DAG:     %[[C:.+]] = hone.gather
// CHECK:         return %[[A]], %[[B]], %[[C]]
func.func @gather(%x: tensor<4x6xf32>) -> (tensor<4xf32>, tensor<2x6xf32>, tensor<2x6xf32>) {
  %last = hone.constant dense<-1> : tensor<i64>
  %odd = hone.constant dense<[1, 3]> : tensor<2xi64>
  %wrong = hone.constant dense<[1, 4]> : tensor<2xi64>
  %a = hone.gather %x[%last] axis 1 : tensor<4x6xf32>, tensor<i64> -> tensor<4xf32>
  %b = hone.gather %x[%odd] axis 0 : tensor<4x6xf32>, tensor<2xi64> -> tensor<2x6xf32>
  %c = hone.gather %x[%wrong] axis 0 : tensor<4x6xf32>, tensor<2xi64> -> tensor<2x6xf32>
  return %a, %b, %c : tensor<4xf32>, tensor<2x6xf32>, tensor<2x6xf32>
}

// -----

// CHECK-LABEL: func.func @pad_conv(
// CHECK-SAME:    %[[X:.+]]: tensor<1x2x5xf32>
// CHECK:         hone.conv %[[X]], {{.+}} pads [1, 2]
func.func @pad_conv(%x: tensor<1x2x5xf32>, %w: tensor<4x2x3xf32>) -> tensor<1x4x6xf32> {
  %zero = arith.constant 0.0 : f32
  %p = hone.pad %x with %zero low [0, 0, 1] high [0, 0, 1] : tensor<1x2x5xf32>, f32 -> tensor<1x2x7xf32>
  %c = hone.conv %p, %w kernel [3] strides [1] dilations [1] pads [0, 1] group 1
    : tensor<1x2x7xf32>, tensor<4x2x3xf32> -> tensor<1x4x6xf32>
  return %c : tensor<1x4x6xf32>
}

// -----

// Batch normalisation: the scale goes into the filter, one addition stays.
// CHECK-LABEL: func.func @scaled_conv(
// CHECK:         %[[BIAS:.+]] = hone.map ins(%{{.+}}, %{{.+}}, %{{.+}} : tensor<2x1xf32>, tensor<2x1xf32>, tensor<2x1xf32>)
// CHECK:         %[[W:.+]] = hone.map ins(%{{.+}}, %{{.+}} : tensor<2x1x1xf32>, tensor<2x1x1xf32>) -> tensor<2x1x1xf32>
// CHECK:         %[[C:.+]] = hone.conv %{{.+}}, %[[W]]
// CHECK:         hone.map ins(%[[C]], %[[BIAS]] :
// CHECK-NEXT:    ^bb0(%[[E:.+]]: f32, %[[B:.+]]: f32):
// CHECK-NEXT:      %[[S:.+]] = arith.addf %[[E]], %[[B]]
// CHECK-NEXT:      hone.yield %[[S]]
func.func @scaled_conv(%x: tensor<1x1x5xf32>) -> tensor<1x2x5xf32> {
  %w = hone.constant dense<[[[1.0]], [[2.0]]]> : tensor<2x1x1xf32>
  %mean = hone.constant dense<[[3.0], [4.0]]> : tensor<2x1xf32>
  %scale = hone.constant dense<[[5.0], [6.0]]> : tensor<2x1xf32>
  %shift = hone.constant dense<[[7.0], [8.0]]> : tensor<2x1xf32>
  %c = hone.conv %x, %w kernel [1] strides [1] dilations [1] pads [0, 0] group 1
    : tensor<1x1x5xf32>, tensor<2x1x1xf32> -> tensor<1x2x5xf32>
  %r = hone.map ins(%c, %mean, %scale, %shift : tensor<1x2x5xf32>, tensor<2x1xf32>, tensor<2x1xf32>, tensor<2x1xf32>)
    -> tensor<1x2x5xf32> {
  ^bb0(%e: f32, %m: f32, %s: f32, %t: f32):
    %0 = arith.subf %e, %m : f32
    %1 = arith.mulf %0, %s : f32
    %2 = arith.addf %1, %t : f32
    hone.yield %2 : f32
  }
  return %r : tensor<1x2x5xf32>
}

// -----

// CHECK-LABEL: func.func @transpose_rhs(
// CHECK-SAME:    %[[X:.+]]: tensor<2x3x4xf32>, %[[Y:.+]]: tensor<5x2x4xf32>
// CHECK:         %[[T:.+]] = hone.transpose %[[Y]] [1, 0, 2]
// CHECK:         hone.matmul %[[X]], %[[T]] transpose_rhs
func.func @transpose_rhs(%x: tensor<2x3x4xf32>, %y: tensor<5x2x4xf32>) -> tensor<2x3x5xf32> {
  %t = hone.transpose %y [1, 2, 0] : tensor<5x2x4xf32> -> tensor<2x4x5xf32>
  %r = hone.matmul %x, %t : tensor<2x3x4xf32>, tensor<2x4x5xf32> -> tensor<2x3x5xf32>
  return %r : tensor<2x3x5xf32>
}

// -----

// Rows of all batches are one product, and what follows works on them too.
// CHECK-LABEL: func.func @merge_rows(
// CHECK-SAME:    %[[X:.+]]: tensor<?x3x4xf32>
// CHECK:         %[[N:.+]] = hone.dim "n"
// CHECK:         %[[ROWS:.+]] = arith.muli
// CHECK:         %[[L:.+]] = hone.reshape %[[X]] dims(%[[ROWS]]) : tensor<?x3x4xf32> -> tensor<?x4xf32>
// CHECK:         %[[M:.+]] = hone.matmul %[[L]], %{{.+}} dims(%[[ROWS]]) : tensor<?x4xf32>, tensor<4x4xf32> -> tensor<?x4xf32>
// CHECK:         %[[A:.+]] = hone.map ins(%[[M]], %{{.+}}, %[[L]] : tensor<?x4xf32>, tensor<4xf32>, tensor<?x4xf32>)
// CHECK:         %[[R:.+]] = hone.reshape %[[A]] dims(%[[N]]) : tensor<?x4xf32> -> tensor<?x3x4xf32>
// CHECK:         return %[[R]]
func.func @merge_rows(%x: tensor<?x3x4xf32> {hone.dims = ["n", 3, 4]}, %w: tensor<4x4xf32>, %b: tensor<1x1x4xf32>)
    -> tensor<?x3x4xf32> {
  %n = hone.dim "n"
  %m = hone.matmul %x, %w dims(%n) : tensor<?x3x4xf32>, tensor<4x4xf32> -> tensor<?x3x4xf32>
  %r = hone.map ins(%m, %b, %x : tensor<?x3x4xf32>, tensor<1x1x4xf32>, tensor<?x3x4xf32>) dims(%n)
    -> tensor<?x3x4xf32> {
  ^bb0(%e: f32, %f: f32, %g: f32):
    %0 = arith.addf %e, %f : f32
    %1 = arith.addf %0, %g : f32
    hone.yield %1 : f32
  }
  return %r : tensor<?x3x4xf32>
}

// -----

// CHECK-LABEL: func.func @keepdims(
// CHECK-NEXT:    %[[R:.+]] = hone.reduce{{ +}}sum %{{.+}} axes [1] keepdims : tensor<4x8xf32> -> tensor<4x1xf32>
// CHECK-NEXT:    return %[[R]]
func.func @keepdims(%x: tensor<4x8xf32>) -> tensor<4x1xf32> {
  %s = hone.reduce sum %x axes [1] : tensor<4x8xf32> -> tensor<4xf32>
  %r = hone.reshape %s : tensor<4xf32> -> tensor<4x1xf32>
  return %r : tensor<4x1xf32>
}

// -----

// Sizes of a loop's tensors are not known: looking at them changes nothing.
// CHECK-LABEL: func.func @loop(
// CHECK:         scf.for
// CHECK:           hone.reshape
func.func @loop(%x: tensor<?xf32>, %n: index, %m: index) -> tensor<?xf32> {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %r = scf.for %i = %zero to %n step %one iter_args(%a = %x) -> (tensor<?xf32>) {
    %b = hone.reshape %a dims(%m) : tensor<?xf32> -> tensor<?xf32>
    scf.yield %b : tensor<?xf32>
  }
  return %r : tensor<?xf32>
}

// -----

// CHECK-LABEL: func.func @branches(
// CHECK-SAME:    %[[X:.+]]: tensor<4xf32>, %[[Y:.+]]: tensor<4xf32>
// CHECK:         %[[I:.+]] = scf.if
// CHECK:         return %[[X]], %[[I]]
func.func @branches(%x: tensor<4xf32>, %y: tensor<4xf32>, %p: i1) -> (tensor<4xf32>, tensor<4xf32>) {
  %true = arith.constant true
  %a = scf.if %true -> tensor<4xf32> {
    scf.yield %x : tensor<4xf32>
  } else {
    scf.yield %y : tensor<4xf32>
  }
  %b = scf.if %p -> tensor<4xf32> {
    scf.yield %x : tensor<4xf32>
  } else {
    scf.yield %y : tensor<4xf32>
  }
  return %a, %b : tensor<4xf32>, tensor<4xf32>
}

// -----

// A map goes in front of what moves its operand, into the kernel that makes it.
// CHECK-LABEL: func.func @map_before_movement(
// CHECK:         %[[P:.+]] = hone.matmul
// CHECK-NEXT:    %[[M:.+]] = hone.map ins(%[[P]] : tensor<6x4xf32>)
// CHECK:         %[[R:.+]] = hone.reshape %[[M]]
// CHECK-NEXT:    %[[T:.+]] = hone.transpose %[[R]] [1, 0, 2]
// CHECK-NEXT:    return %[[T]]
func.func @map_before_movement(%x: tensor<6x8xf32>, %w: tensor<8x4xf32>) -> tensor<3x2x4xf32> {
  %0 = hone.matmul %x, %w : tensor<6x8xf32>, tensor<8x4xf32> -> tensor<6x4xf32>
  %1 = hone.reshape %0 : tensor<6x4xf32> -> tensor<2x3x4xf32>
  %2 = hone.transpose %1 [1, 0, 2] : tensor<2x3x4xf32> -> tensor<3x2x4xf32>
  %3 = hone.map ins(%2 : tensor<3x2x4xf32>) -> tensor<3x2x4xf32> {
  ^bb0(%e: f32):
    %4 = math.tanh %e : f32
    hone.yield %4 : f32
  }
  return %3 : tensor<3x2x4xf32>
}

// -----

// Not in front of what comes from elsewhere.
// CHECK-LABEL: func.func @map_stays(
// CHECK:         hone.reshape
// CHECK-NEXT:    hone.map
func.func @map_stays(%x: tensor<6x4xf32>) -> tensor<2x12xf32> {
  %0 = hone.reshape %x : tensor<6x4xf32> -> tensor<2x12xf32>
  %1 = hone.map ins(%0 : tensor<2x12xf32>) -> tensor<2x12xf32> {
  ^bb0(%e: f32):
    %2 = math.tanh %e : f32
    hone.yield %2 : f32
  }
  return %1 : tensor<2x12xf32>
}

// -----

// Ones stay in place; reshapes that add ones come first.
// CHECK-LABEL: func.func @units(
// CHECK-SAME:    %[[X:.+]]: tensor<1x2x?x4xf32>, %[[Y:.+]]: tensor<5x2x4xf32>
// CHECK:         %[[A:.+]] = hone.transpose %[[X]] [0, 2, 1, 3]
// CHECK:         %[[B:.+]] = hone.reshape %[[A]] dims(%{{.+}}) : tensor<1x?x2x4xf32> -> tensor<?x1x2x4xf32>
// CHECK:         %[[C:.+]] = hone.reshape %[[Y]] : tensor<5x2x4xf32> -> tensor<1x5x2x4xf32>
// CHECK:         %[[D:.+]] = hone.transpose %[[C]] [0, 2, 1, 3]
// CHECK:         return %[[B]], %[[D]]
func.func @units(%x: tensor<1x2x?x4xf32>, %y: tensor<5x2x4xf32>) -> (tensor<?x1x2x4xf32>, tensor<1x2x5x4xf32>) {
  %0 = hone.transpose %x [2, 0, 1, 3] : tensor<1x2x?x4xf32> -> tensor<?x1x2x4xf32>
  %1 = hone.transpose %y [1, 0, 2] : tensor<5x2x4xf32> -> tensor<2x5x4xf32>
  %2 = hone.reshape %1 : tensor<2x5x4xf32> -> tensor<1x2x5x4xf32>
  return %0, %2 : tensor<?x1x2x4xf32>, tensor<1x2x5x4xf32>
}

// -----

// Slices of a transposed tensor are transposed slices, unless it is needed whole.
// CHECK-LABEL: func.func @slices(
// CHECK-SAME:    %[[X:.+]]: tensor<5x3x4xf32>
// CHECK-DAG:     %[[A:.+]] = hone.slice %[[X]] at [0, 1, 2]
// CHECK-DAG:     hone.transpose %[[A]] [1, 2, 0] : tensor<5x2x2xf32>
// CHECK-DAG:     %[[W:.+]] = hone.transpose %[[X]] [2, 0, 1]
// CHECK-DAG:     hone.slice %[[W]]
func.func @slices(%x: tensor<5x3x4xf32>) -> (tensor<2x2x5xf32>, tensor<4x5x3xf32>, tensor<2x5x3xf32>) {
  %0 = hone.transpose %x [1, 2, 0] : tensor<5x3x4xf32> -> tensor<3x4x5xf32>
  %1 = hone.slice %0 at [1, 2, 0] steps [1, 1, 1] : tensor<3x4x5xf32> -> tensor<2x2x5xf32>
  %2 = hone.transpose %x [2, 0, 1] : tensor<5x3x4xf32> -> tensor<4x5x3xf32>
  %3 = hone.slice %2 at [1, 0, 0] steps [1, 1, 1] : tensor<4x5x3xf32> -> tensor<2x5x3xf32>
  return %1, %2, %3 : tensor<2x2x5xf32>, tensor<4x5x3xf32>, tensor<2x5x3xf32>
}

// -----

// A batch of one is not merged into the rows.
// CHECK-LABEL: func.func @batch_of_one(
// CHECK-NEXT:    hone.matmul
// CHECK-NEXT:    return
func.func @batch_of_one(%x: tensor<1x6x8xf32>, %w: tensor<1x8x4xf32>) -> tensor<1x6x4xf32> {
  %0 = hone.matmul %x, %w : tensor<1x6x8xf32>, tensor<1x8x4xf32> -> tensor<1x6x4xf32>
  return %0 : tensor<1x6x4xf32>
}

// -----

// A slice of equal elements is known wherever it begins.
// CHECK-LABEL: func.func @slice_of_splat(
// CHECK-NEXT:    %[[C:.+]] = hone.constant dense<0> : tensor<3xi64>
// CHECK-NEXT:    return %[[C]]
func.func @slice_of_splat(%i: index) -> tensor<3xi64> {
  %c = hone.constant dense<0> : tensor<2x3xi64>
  %0 = tensor.extract_slice %c[%i, 0] [1, 3] [1, 1] : tensor<2x3xi64> to tensor<3xi64>
  return %0 : tensor<3xi64>
}

// -----

// What is known to hold is not checked.
// CHECK-LABEL: func.func @known_check(
// CHECK-NEXT:    cf.assert %{{.+}}, "the sizes agree"
// CHECK-NEXT:    return
func.func @known_check(%a: i1) {
  %t = arith.constant true
  cf.assert %t, "no part is negative"
  cf.assert %a, "the sizes agree"
  return
}

// -----

// A map that reads the loop's variable stays in the loop.
// CHECK-LABEL: func.func @map_in_loop(
// CHECK:         %[[M:.+]] = hone.matmul
// CHECK:         scf.for %[[I:[a-z0-9]+]] =
// CHECK:           hone.map ins(
// CHECK:             arith.index_cast %[[I]]
func.func @map_in_loop(%a: tensor<4x4xi64>, %b: tensor<4x2xi64>, %init: tensor<4x2x1xi64>, %n: index) -> tensor<4x2x1xi64> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %m = hone.matmul %a, %b : tensor<4x4xi64>, tensor<4x2xi64> -> tensor<4x2xi64>
  %r = hone.reshape %m : tensor<4x2xi64> -> tensor<4x2x1xi64>
  %last = scf.for %i = %c0 to %n step %c1 iter_args(%x = %init) -> (tensor<4x2x1xi64>) {
    %y = hone.map ins(%r : tensor<4x2x1xi64>) -> tensor<4x2x1xi64> {
    ^bb0(%e: i64):
      %j = arith.index_cast %i : index to i64
      %s = arith.addi %e, %j : i64
      hone.yield %s : i64
    }
    scf.yield %y : tensor<4x2x1xi64>
  }
  return %last : tensor<4x2x1xi64>
}

// -----

// A map of a pool's result joins its kernel, and comes before a transpose for that.
// CHECK-LABEL: func.func @map_behind_pool(
// CHECK:         %[[P:.+]] = hone.pool
// CHECK:         %[[M:.+]] = hone.map ins(%[[P]] :
// CHECK:         hone.transpose %[[M]] [0, 2, 3, 1]
func.func @map_behind_pool(%x: tensor<1x8x6x6xf32>) -> tensor<1x3x3x8xf32> {
  %p = hone.pool max %x kernel [2, 2] strides [2, 2] dilations [1, 1] pads [0, 0, 0, 0] : tensor<1x8x6x6xf32> -> tensor<1x8x3x3xf32>
  %t = hone.transpose %p [0, 2, 3, 1] : tensor<1x8x3x3xf32> -> tensor<1x3x3x8xf32>
  %r = hone.map ins(%t : tensor<1x3x3x8xf32>) -> tensor<1x3x3x8xf32> {
  ^bb0(%a: f32):
    %m = arith.mulf %a, %a : f32
    hone.yield %m : f32
  }
  return %r : tensor<1x3x3x8xf32>
}

// -----

// Weights without elements take in no scale.
// CHECK-LABEL: func.func @empty_weights(
// CHECK:         hone.matmul %{{.+}}, %{{.+}} : tensor<3x4xf32>, tensor<4x0xf32> -> tensor<3x0xf32>
// CHECK:         hone.map
func.func @empty_weights(%x: tensor<3x4xf32>) -> tensor<3x0xf32> {
  %w = hone.constant dense<> : tensor<4x0xf32>
  %c = hone.constant dense<> : tensor<0xf32>
  %p = hone.matmul %x, %w : tensor<3x4xf32>, tensor<4x0xf32> -> tensor<3x0xf32>
  %y = hone.map ins(%p, %c : tensor<3x0xf32>, tensor<0xf32>) -> tensor<3x0xf32> {
  ^bb0(%e: f32, %d: f32):
    %factor = arith.constant -2.0 : f32
    %m = arith.mulf %e, %factor : f32
    %s = arith.addf %m, %d : f32
    hone.yield %s : f32
  }
  return %y : tensor<3x0xf32>
}

// -----

// A map of an image of products follows the matrix of its pixels, with what it reads for each channel.
// CHECK-LABEL: func.func @map_of_pixels(
// CHECK:         %[[M:.+]] = hone.matmul
// CHECK-DAG:     %[[B:.+]] = hone.reshape %{{.+}} : tensor<4x1x1xf32> -> tensor<4x1xf32>
// CHECK-DAG:     %[[R:.+]] = hone.reshape %{{.+}} : tensor<1x4x32x32xf32> -> tensor<4x1024xf32>
// CHECK:         %[[Y:.+]] = hone.map ins(%[[M]], %[[B]], %[[R]] : {{.+}}) -> tensor<4x1024xf32>
// CHECK:         hone.reshape %[[Y]] : tensor<4x1024xf32> -> tensor<1x4x32x32xf32>
func.func @map_of_pixels(%w: tensor<4x8xf32>, %x: tensor<8x1024xf32>, %b: tensor<4x1x1xf32>, %r: tensor<1x4x32x32xf32>) -> tensor<1x4x32x32xf32> {
  %m = hone.matmul %w, %x : tensor<4x8xf32>, tensor<8x1024xf32> -> tensor<4x1024xf32>
  %i = hone.reshape %m : tensor<4x1024xf32> -> tensor<1x4x32x32xf32>
  %y = hone.map ins(%i, %b, %r : tensor<1x4x32x32xf32>, tensor<4x1x1xf32>, tensor<1x4x32x32xf32>) -> tensor<1x4x32x32xf32> {
  ^bb0(%e: f32, %f: f32, %g: f32):
    %0 = arith.addf %e, %f : f32
    %1 = arith.addf %0, %g : f32
    hone.yield %1 : f32
  }
  return %y : tensor<1x4x32x32xf32>
}

// -----

// What varies along a part of them stays with the image.
// CHECK-LABEL: func.func @map_of_rows(
// CHECK:         %[[I:.+]] = hone.reshape %{{.+}} -> tensor<1x4x32x32xf32>
// CHECK:         hone.map ins(%[[I]], %{{.+}} : tensor<1x4x32x32xf32>, tensor<32x1xf32>)
func.func @map_of_rows(%w: tensor<4x8xf32>, %x: tensor<8x1024xf32>, %b: tensor<32x1xf32>) -> tensor<1x4x32x32xf32> {
  %m = hone.matmul %w, %x : tensor<4x8xf32>, tensor<8x1024xf32> -> tensor<4x1024xf32>
  %i = hone.reshape %m : tensor<4x1024xf32> -> tensor<1x4x32x32xf32>
  %y = hone.map ins(%i, %b : tensor<1x4x32x32xf32>, tensor<32x1xf32>) -> tensor<1x4x32x32xf32> {
  ^bb0(%e: f32, %f: f32):
    %0 = arith.addf %e, %f : f32
    hone.yield %0 : f32
  }
  return %y : tensor<1x4x32x32xf32>
}

// -----

// Scaled keys: the scale comes before the transpose, which the product takes in.
// CHECK-LABEL: func.func @scaled_keys(
// CHECK-SAME:    %[[Q:.+]]: tensor<2x4x8xf32>, %[[K:.+]]: tensor<2x6x8xf32>
// CHECK:         %[[S:.+]] = hone.map ins(%[[K]] : tensor<2x6x8xf32>)
// CHECK:         hone.matmul %[[Q]], %[[S]] transpose_rhs
func.func @scaled_keys(%q: tensor<2x4x8xf32>, %k: tensor<2x6x8xf32>) -> tensor<2x4x6xf32> {
  %t = hone.transpose %k [0, 2, 1] : tensor<2x6x8xf32> -> tensor<2x8x6xf32>
  %s = hone.map ins(%t : tensor<2x8x6xf32>) -> tensor<2x8x6xf32> {
  ^bb0(%a: f32):
    %c = arith.constant 5.000000e-01 : f32
    %0 = arith.mulf %a, %c : f32
    hone.yield %0 : f32
  }
  %r = hone.matmul %q, %s : tensor<2x4x8xf32>, tensor<2x8x6xf32> -> tensor<2x4x6xf32>
  return %r : tensor<2x4x6xf32>
}
