// RUN: hone-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(func.func(hone-convert-to-linalg),hone-bufferize-kernels,cse)' | FileCheck %s

// Results are written in place, through the reshape; scalars come last.
// CHECK-LABEL: func.func private @in_place(
// CHECK-SAME:    %[[X:.+]]: memref<8x6xf32>, %[[R:.+]]: memref<4x12xf32>, %[[N:.+]]: index)
// CHECK:         %[[VIEW:.+]] = memref.reinterpret_cast %[[R]] {{.*}} to memref<8x6xf32>
// CHECK:         linalg.generic {{.*}} ins(%[[X]] {{.*}} outs(%[[VIEW]]
// CHECK-NOT:     linalg.generic
// CHECK-NOT:     memref.alloc
func.func private @in_place(%x: tensor<8x6xf32>, %n: index) -> tensor<4x12xf32> attributes {hone.kernel} {
  %m = hone.map ins(%x : tensor<8x6xf32>) -> tensor<8x6xf32> {
  ^bb0(%a: f32):
    %i = arith.index_cast %n : index to i32
    %f = arith.sitofp %i : i32 to f32
    %s = arith.addf %a, %f : f32
    hone.yield %s : f32
  }
  %r = hone.reshape %m : tensor<8x6xf32> -> tensor<4x12xf32>
  return %r : tensor<4x12xf32>
}

// -----

// An empty slice may begin before its source; its view does not.
// CHECK-LABEL: func.func private @empty_slice(
// CHECK:         memref.reinterpret_cast %{{.+}} to offset: [0], sizes: [0], strides: [-1]
func.func private @empty_slice(%x: tensor<1xf32>) -> tensor<0xf32> attributes {hone.kernel} {
  %s = hone.slice %x at [-1] steps [-1] : tensor<1xf32> -> tensor<0xf32>
  return %s : tensor<0xf32>
}

// -----

// A slice is a view.
// CHECK-LABEL: func.func private @slice(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: memref<4x8xf32>
// CHECK:         %[[VIEW:.+]] = memref.reinterpret_cast %{{.+}} to offset: [4], sizes: [4, 4], strides: [8, 1]
// CHECK:         linalg.generic {{.*}} ins(%[[VIEW]]
func.func private @slice(%x: tensor<4x8xf32>) -> tensor<4x4xf32> attributes {hone.kernel} {
  %s = hone.slice %x at [0, 4] steps [1, 1] : tensor<4x8xf32> -> tensor<4x4xf32>
  %r = hone.map ins(%s : tensor<4x4xf32>) -> tensor<4x4xf32> {
  ^bb0(%a: f32):
    %n = arith.negf %a : f32
    hone.yield %n : f32
  }
  return %r : tensor<4x4xf32>
}

// -----

// Inputs are copied into columns of the result.
// CHECK-LABEL: func.func private @concat(
// CHECK-SAME:    %[[X:.+]]: memref<4x2xf32>, %[[Y:.+]]: memref<4x3xf32>, %[[R:.+]]: memref<4x5xf32>)
// CHECK-DAG:     %[[LEFT:.+]] = memref.reinterpret_cast %[[R]] to offset: [0], sizes: [4, 2], strides: [5, 1]
// CHECK-DAG:     %[[RIGHT:.+]] = memref.reinterpret_cast %[[R]] to offset: [2], sizes: [4, 3], strides: [5, 1]
// CHECK-DAG:     linalg.generic {{.*}} outs(%[[LEFT]]
// CHECK-DAG:     linalg.generic {{.*}} outs(%[[RIGHT]]
func.func private @concat(%x: tensor<4x2xf32>, %y: tensor<4x3xf32>) -> tensor<4x5xf32> attributes {hone.kernel} {
  %r = hone.concat %x, %y axis 1 : tensor<4x2xf32>, tensor<4x3xf32> -> tensor<4x5xf32>
  return %r : tensor<4x5xf32>
}

// -----

// Updates are applied in order, in one iteration.
// CHECK-LABEL: func.func private @scatter(
// CHECK:         scf.forall ({{.*}}) in (1) {
// CHECK:           linalg.generic
// CHECK:           scf.for
// CHECK:             hone.checked_index {{.*}} {hone.node = 2 : i32}
// CHECK:             memref.store
func.func private @scatter(%x: tensor<5xf32>, %i: tensor<3xi64>, %u: tensor<3xf32>) -> tensor<5xf32> attributes {hone.kernel} {
  %r = hone.scatter sum %u into %x[%i] axis 0 {hone.node = 2 : i32} : tensor<5xf32>, tensor<3xi64>, tensor<3xf32>
  return %r : tensor<5xf32>
}

// -----

// A whole line is sorted by four digits of keys, with positions; if all have the same digit, they stay.
// CHECK-LABEL: func.func private @sort(
// CHECK-SAME:    %[[X:.+]]: memref<4x1000xf32>, %{{.+}}: memref<4x1000xf32>, %{{.+}}: memref<4x1000xi64>)
// CHECK-DAG:     %[[LINES:.+]] = memref.reinterpret_cast %[[X]] {{.*}} to memref<4x1000x1xf32>
// CHECK:         %[[KEYS:.+]] = memref.alloc() {{.*}} : memref<2000xi32>
// CHECK:         %[[PLACES:.+]] = memref.alloc() {{.*}} : memref<2000xi32>
// CHECK:         %[[COUNTS:.+]] = memref.alloc() {{.*}} : memref<1024xi32>
// CHECK:         scf.forall (%{{.+}}, %{{.+}}) in (4, 1) {
// CHECK:           arith.bitcast %{{.+}} : f32 to i32
// CHECK:           memref.store %{{.+}}, %[[KEYS]]
// CHECK:           scf.for
// CHECK-COUNT-4:     arith.shrui
// CHECK:           %[[FROM:.+]] = scf.for %{{.+}} to %c4 step %c1 iter_args
// CHECK:             scf.if
// CHECK:             } else {
// CHECK:               memref.store %{{.+}}, %[[PLACES]]
// CHECK:           memref.load %[[PLACES]]
// CHECK:           memref.load %[[LINES]]
func.func private @sort(%x: tensor<4x1000xf32>) -> (tensor<4x1000xf32>, tensor<4x1000xi64>) attributes {hone.kernel} {
  %v, %i = hone.top_k %x axis 1 : tensor<4x1000xf32> -> tensor<4x1000xf32>, tensor<4x1000xi64>
  return %v, %i : tensor<4x1000xf32>, tensor<4x1000xi64>
}

// -----

// The best 100 stay in order, and others that precede the last of them are merged in, 100 at a time.
// CHECK-LABEL: func.func private @best_of_many(
// CHECK:         memref.alloc() {{.*}} : memref<512xi16>
// CHECK:         memref.alloc() {{.*}} : memref<512xi32>
// CHECK:         scf.while
// CHECK:           scf.while
// CHECK:             arith.cmpi ult, %{{.+}}, %c9000
// CHECK:             arith.cmpi ult, %{{.+}}, %c256
// CHECK:           } do {
// CHECK:             arith.cmpi slt, %{{.+}}, %{{.+}} : i16
// CHECK:           scf.for %{{.+}} to %c2 step
// CHECK:           scf.condition({{.*}} %c100,
func.func private @best_of_many(%x: tensor<9000xi16>) -> (tensor<100xi16>, tensor<100xi64>) attributes {hone.kernel} {
  %v, %i = hone.top_k %x axis 0 smallest : tensor<9000xi16> -> tensor<100xi16>, tensor<100xi64>
  return %v, %i : tensor<100xi16>, tensor<100xi64>
}

// -----

// The number is only known at run time: few are inserted. The size of memory does not depend on the check.
// CHECK-LABEL: func.func private @any_number(
// CHECK:         hone.checked_index %{{.+}} of %{{.+}} {hone.node = 2 : i32}
// CHECK:         %[[WANTED:.+]] = arith.minsi
// CHECK:         %[[TWICE:.+]] = arith.muli %[[WANTED]], %c2
// CHECK:         %[[LEAST:.+]] = arith.maxsi %[[TWICE]], %c256
// CHECK:         %[[ROOM:.+]] = arith.minsi %{{.+}}, %[[LEAST]]
// CHECK:         %[[BOTH:.+]] = arith.muli %[[ROOM]], %c2
// CHECK:         memref.alloc(%[[BOTH]])
// CHECK:         scf.forall
// CHECK:           %[[IS_FEW:.+]] = arith.cmpi ule, %{{.+}}, %c32
// CHECK:           scf.if %[[IS_FEW]] {
func.func private @any_number(%x: tensor<4x?xi64>, %k: index) -> (tensor<4x?xi64>, tensor<4x?xi64>) attributes {hone.kernel} {
  %v, %i = hone.top_k %x dims(%k) axis 1 {hone.node = 2 : i32} : tensor<4x?xi64> -> tensor<4x?xi64>, tensor<4x?xi64>
  return %v, %i : tensor<4x?xi64>, tensor<4x?xi64>
}

// -----

// Few are inserted, without extra memory; a vector of elements of which none precedes the last of them is skipped.
// CHECK-LABEL: func.func private @few(
// CHECK-NOT:     memref.alloc
// CHECK:         scf.for %[[FIRST:.+]] = %c0{{.*}} to %c9000{{.*}} step %c8
// CHECK:           vector.load {{.*}} : memref<9000xf32>, vector<8xf32>
// CHECK:           arith.cmpf ugt, {{.*}} : vector<8xf32>
// CHECK:           vector.reduction <or>
// CHECK:           scf.for %{{.+}} = %[[FIRST]] to
// CHECK:             scf.while
func.func private @few(%x: tensor<9000xf32>) -> (tensor<5xf32>, tensor<5xi64>) attributes {hone.kernel} {
  %v, %i = hone.top_k %x axis 0 : tensor<9000xf32> -> tensor<5xf32>, tensor<5xi64>
  return %v, %i : tensor<5xf32>, tensor<5xi64>
}

// -----

// A constant is in the kernel; a splat is a scalar.
// CHECK: memref.global "private" constant @[[DATA:.+]] : memref<2xf32>
// CHECK-LABEL: func.func private @constant(
// CHECK:         memref.get_global @[[DATA]]
func.func private @constant(%x: tensor<2xf32>) -> tensor<2xf32> attributes {hone.kernel} {
  %c = hone.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %r = hone.map ins(%x, %c : tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32> {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    hone.yield %s : f32
  }
  return %r : tensor<2xf32>
}

// -----

func.func private @unknown(%x: tensor<2xf32>) -> tensor<2xf32> attributes {hone.kernel} {
  // expected-error @below {{'hone.library' op cannot be part of a kernel}}
  %r = hone.library "nonzero"(%x) : (tensor<2xf32>) -> tensor<2xf32>
  return %r : tensor<2xf32>
}

// -----

func.func @no_tensor(%arg0: tensor<4xf32>, %arg1: i32) -> (tensor<4xf32>, i32) attributes {hone.kernel} {
  // expected-error @below {{a kernel returns only tensors}}
  return %arg0, %arg1 : tensor<4xf32>, i32
}

// -----

// A convolution whose result is transposed writes to a view of where that goes.
// CHECK-LABEL: func.func private @transposed(
// CHECK-SAME:    %[[X:.+]]: memref<1x8x8x4xf32>, %[[W:.+]]: memref<2x3x3x4x16xf32>, %[[R:.+]]: memref<1x32x8x8xf32>)
// CHECK:         %[[VIEW:.+]] = memref.transpose %[[R]] (d0, d1, d2, d3) -> (d0, d2, d3, d1)
// CHECK:         hone.kernel.conv ins(%[[X]], %[[W]] {{.*}} outs(%[[VIEW]] :
// CHECK-NOT:     linalg.generic
func.func private @transposed(%x: tensor<1x8x8x4xf32>, %w: tensor<2x3x3x4x16xf32>) -> tensor<1x32x8x8xf32> attributes {hone.kernel} {
  %empty = tensor.empty() : tensor<1x8x8x32xf32>
  %c = hone.kernel.conv ins(%x, %w : tensor<1x8x8x4xf32>, tensor<2x3x3x4x16xf32>) maps [] outs(%empty : tensor<1x8x8x32xf32>)
      kernel [3, 3] strides [1, 1] dilations [1, 1] pads [1, 1, 1, 1] group 1 channels_last packed <16, 1> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  } -> tensor<1x8x8x32xf32>
  %t = hone.transpose %c [0, 3, 1, 2] : tensor<1x8x8x32xf32> -> tensor<1x32x8x8xf32>
  return %t : tensor<1x32x8x8xf32>
}
