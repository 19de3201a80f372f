// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(hone-set-machine{cpu=x86-64-v3},func.func(hone-lower-pooling,canonicalize,cse))' | FileCheck %s

// Vectors of channels; an average divides by the elements inside the input.
// CHECK-LABEL: func.func @average(
// CHECK:         scf.forall
// CHECK:           arith.addf {{.*}} : vector<8xf32>
// CHECK:           arith.divf {{.*}} : vector<8xf32>
func.func @average(%x: memref<1x9x9x16xf32>, %out: memref<1x9x9x16xf32>) {
  hone.kernel.pool average ins(%x : memref<1x9x9x16xf32>) maps [] outs(%out : memref<1x9x9x16xf32>)
      kernel [3, 3] strides [1, 1] dilations [1, 1] pads [1, 1, 1, 1] channels_last {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// With indices: element by element, the first of equal elements wins.
// CHECK-LABEL: func.func @indices(
// CHECK:         scf.forall
// CHECK:           %[[LARGER:.+]] = arith.cmpf ugt
// CHECK:           arith.select
// CHECK:           arith.index_cast
func.func @indices(%x: memref<1x3x9x9xf32>, %out: memref<1x3x7x7xf32>, %positions: memref<1x3x7x7xi64>) {
  hone.kernel.pool max ins(%x : memref<1x3x9x9xf32>) maps [] outs(%out, %positions : memref<1x3x7x7xf32>, memref<1x3x7x7xi64>)
      kernel [3, 3] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] indices {
  ^bb0(%acc: f32, %index: i64):
    hone.kernel.yield %acc, %index : f32, i64
  }
  return
}

// -----

// However long a row is, its tiles are planned in runs of what is alike: eight pixels wide, then seven.
// CHECK-LABEL: func.func @long_row(
// CHECK:         scf.for %{{.+}} = %c0 to %c536870907 step
// CHECK:         scf.for %{{.+}} = %c0 to %c6 step
func.func @long_row(%x: memref<1x2x4294967299x8xf32>, %out: memref<1x1x4294967298x8xf32>) {
  hone.kernel.pool average ins(%x : memref<1x2x4294967299x8xf32>) maps [] outs(%out : memref<1x1x4294967298x8xf32>)
      kernel [2, 2] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] channels_last {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// Nor is what lies between the elements of a window gone through: the first lies before the input for the tiles of the
// first loop, the last behind it for those of the last.
// CHECK-LABEL: func.func @far_apart(
// CHECK:         scf.for %{{.+}} = %c0 to %c134217728 step
// CHECK-COUNT-16:  vector.load
// CHECK-NOT:       vector.load
// CHECK:         scf.for %{{.+}} = %c0 to %c268435456 step
// CHECK-COUNT-24:  vector.load
// CHECK-NOT:       vector.load
// CHECK:         scf.for %{{.+}} = %c0 to %c134217728 step
// CHECK-COUNT-16:  vector.load
// CHECK-NOT:       vector.load
func.func @far_apart(%x: memref<1x2x4294967296x8xf32>, %out: memref<1x1x4294967296x8xf32>) {
  hone.kernel.pool average ins(%x : memref<1x2x4294967296x8xf32>) maps [] outs(%out : memref<1x1x4294967296x8xf32>)
      kernel [2, 3] strides [1, 1] dilations [1, 1073741824] pads [0, 1073741824, 0, 1073741824] channels_last {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// Channels first: large windows reduce a row along the other dimensions first, and then what that gives, with masks
// where windows leave the input. With a stride of 2 they are every second element of two vectors that overlap.
// CHECK-LABEL: func.func @rows(
// CHECK:         %[[ROW:.+]] = memref.alloca() {{.*}} : memref<20xf32>
// CHECK:         scf.forall
// CHECK:           vector.load %{{.+}} : memref<420xf32>, vector<8xf32>
// CHECK:           arith.maximumf
// CHECK:           vector.store %{{.+}}, %[[ROW]]
// CHECK:           vector.maskedload %[[ROW]]{{.+}} : memref<20xf32>, vector<8xi1>, vector<8xf32> into vector<8xf32>
// CHECK:           %[[IN:.+]] = vector.shuffle %{{.+}}, %{{.+}} [0, 2, 4, 6, 9, 11, 13, 15]
// CHECK:           arith.maximumf {{.*}}%[[IN]]{{.*}} : vector<8xf32>
func.func @rows(%x: memref<1x3x7x20xf32>, %out: memref<1x3x4x10xf32>) {
  hone.kernel.pool max ins(%x : memref<1x3x7x20xf32>) maps [] outs(%out : memref<1x3x4x10xf32>)
      kernel [4, 4] strides [2, 2] dilations [1, 1] pads [1, 1, 2, 2] {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// A row of unknown length: a masked vector at its start, others inside, masked ones at its end. There is a number to
// divide by for each of their lanes.
// CHECK-LABEL: func.func @free_row(
// CHECK-NOT:     memref.alloca
// CHECK:           vector.maskedload
// CHECK:           arith.divf {{.*}} : vector<8xf32>
// CHECK:           vector.maskedstore
// CHECK:           scf.for
// CHECK:             vector.load
// CHECK:             vector.store
// CHECK:           scf.for
// CHECK:             vector.maskedload
// CHECK:             vector.from_elements
// CHECK:             vector.maskedstore
func.func @free_row(%x: memref<1x3x7x?xf32>, %out: memref<1x3x7x?xf32>) {
  hone.kernel.pool average ins(%x : memref<1x3x7x?xf32>) maps [] outs(%out : memref<1x3x7x?xf32>)
      kernel [3, 3] strides [1, 1] dilations [1, 1] pads [1, 1, 1, 1] {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// Elements of which there are no masks: one by one at the borders.
// CHECK-LABEL: func.func @bytes(
// CHECK-NOT:     vector.masked
// CHECK:         arith.maxsi {{.*}} : i8
// CHECK:         arith.maxsi {{.*}} : vector<{{.+}}xi8>
// CHECK:         arith.maxsi {{.*}} : i8
// CHECK-NOT:     vector.masked
func.func @bytes(%x: memref<1x3x7x?xi8>, %out: memref<1x3x7x?xi8>) {
  hone.kernel.pool max ins(%x : memref<1x3x7x?xi8>) maps [] outs(%out : memref<1x3x7x?xi8>)
      kernel [3, 3] strides [1, 1] dilations [1, 1] pads [1, 1, 1, 1] {
  ^bb0(%acc: i8):
    hone.kernel.yield %acc : i8
  }
  return
}
