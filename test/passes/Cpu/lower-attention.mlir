// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(hone-set-machine{cpu=x86-64-v3},func.func(hone-schedule-kernels,hone-lower-attention,canonicalize,cse))' | FileCheck %s

// Blocks of 24 rows in four tiles of six; a strip of 32 scores each, whose epilogue reads the mask; then powers, and
// values in tiles of 6 x 16.
// CHECK-LABEL: func.func @attention(
// CHECK-SAME:    %[[Q:.+]]: memref<2x48x8xf32>, %[[K:.+]]: memref<2x32x8xf32>, %[[V:.+]]: memref<1x32x16xf32>, %[[MASK:.+]]: memref<32xf32>, %[[OUT:.+]]: memref<2x48x16xf32>
// CHECK:         memref.alloca() {{.*}} memref<768xf32>
// CHECK:         scf.forall (%{{.+}}) in (4)
// CHECK:           scf.for
// CHECK:             vector.shuffle
// CHECK:             %[[SCORES:.+]]:12 = scf.for
// CHECK:               vector.fma
// CHECK:             vector.load %{{.+}} : memref<32xf32>
// CHECK:             arith.addf %[[SCORES]]#0
// CHECK:           scf.for
// CHECK:             %[[LARGER:.+]] = arith.cmpf ogt, {{.*}} vector<8xf32>
// CHECK:             arith.select %[[LARGER]]
// CHECK:             vector.reduction <maximumf>
// CHECK:             math.exp {{.*}} vector<8xf32>
// CHECK:             vector.reduction <add>
// CHECK:           %[[SUMS:.+]]:12 = scf.for
// CHECK:             vector.fma
// CHECK:           arith.divf
// CHECK-NOT:       vector.maskedstore
// CHECK:         return
func.func @attention(%q: memref<2x48x8xf32>, %k: memref<2x32x8xf32>, %v: memref<1x32x16xf32>, %mask: memref<32xf32>, %out: memref<2x48x16xf32>) {
  hone.kernel.attention ins(%q, %k, %v : memref<2x48x8xf32>, memref<2x32x8xf32>, memref<1x32x16xf32>) extras(%mask : memref<32xf32>)
      maps [affine_map<(d0, d1, d2) -> (d2)>] outs(%out : memref<2x48x16xf32>) {
  ^bb0(%s: f32, %row: index, %column: index, %x: f32):
    %0 = arith.addf %s, %x : f32
    hone.kernel.yield %0 : f32
  }
  return
}

// -----

// More keys than a block holds: sums are rescaled; columns that are left are masked, rows without a score give 0.
// CHECK-LABEL: func.func @many_keys(
// CHECK:         scf.forall
// CHECK:           scf.for %{{.+}} = %{{.+}} to %{{.+}} step %c512
// CHECK:             vector.maskedstore
// CHECK:             %[[FACTOR:.+]] = math.exp {{.*}} : f32
// CHECK:             %[[FACTORS:.+]] = vector.broadcast %[[FACTOR]]
// CHECK:             arith.mulf %{{.+}}, %[[FACTORS]]
// CHECK:           %[[EMPTY:.+]] = arith.cmpf oeq
// CHECK:           arith.select %[[EMPTY]]
func.func @many_keys(%q: memref<?x8xf32>, %k: memref<?x8xf32>, %v: memref<?x12xf32>, %out: memref<?x12xf32>) {
  hone.kernel.attention ins(%q, %k, %v : memref<?x8xf32>, memref<?x8xf32>, memref<?x12xf32>) maps [] outs(%out : memref<?x12xf32>) masked {
  ^bb0(%s: f32, %row: index, %column: index):
    hone.kernel.yield %s : f32
  }
  return
}

// -----

// Values that lie by row are packed; the rows of all operands are two heads apart.
// CHECK-LABEL: func.func @by_row(
// CHECK-SAME:    memref<1x24x2x8xf32>, %{{.+}}: memref<1x16x2x8xf32>, %[[V:.+]]: memref<1x16x2x16xf32>
// CHECK:         %[[ROWS:.+]] = memref.reinterpret_cast %[[V]]
// CHECK:         scf.forall (%{{.+}}) in (2)
// CHECK:           scf.for
// CHECK:             arith.muli %{{.+}}, %c32
// CHECK:             %[[ROW:.+]] = vector.load %[[ROWS]]
// CHECK:             vector.store %[[ROW]], %[[PACKED:.+]][
// CHECK:           scf.for
// CHECK:             vector.load %[[PACKED]]
// CHECK:             vector.fma
func.func @by_row(%q: memref<1x24x2x8xf32>, %k: memref<1x16x2x8xf32>, %v: memref<1x16x2x16xf32>, %out: memref<1x24x2x16xf32>) {
  hone.kernel.attention ins(%q, %k, %v : memref<1x24x2x8xf32>, memref<1x16x2x8xf32>, memref<1x16x2x16xf32>) maps []
      outs(%out : memref<1x24x2x16xf32>) query_by_row key_by_row value_by_row result_by_row {
  ^bb0(%s: f32, %row: index, %column: index):
    hone.kernel.yield %s : f32
  }
  return
}

// -----

// Rows of a block see no keys behind the last of them: here those up to one after the row, in tiles of 16.
// CHECK-LABEL: func.func @causal(
// CHECK:         scf.forall (%[[BLOCK:.+]]) in
// CHECK:           %[[FIRST:.+]] = arith.muli %[[BLOCK]], %c66
// CHECK:           %[[LEFT:.+]] = arith.subi %c1024, %[[FIRST]]
// CHECK:           %[[ROWS:.+]] = arith.minsi %[[LEFT]], %c66
// CHECK:           %[[END:.+]] = arith.addi %[[FIRST]], %[[ROWS]]
// CHECK:           %[[NEXT:.+]] = arith.addi %[[END]], %c1
// CHECK:           arith.maxsi %[[NEXT]], %c1
// CHECK:           arith.divui %{{.+}}, %c16
// CHECK:           %[[TILES:.+]] = arith.muli %{{.+}}, %c16
// CHECK:           %[[SEEN:.+]] = arith.minsi %[[TILES]], %c1024
// CHECK:           scf.for %{{.+}} = %c0 to %[[SEEN]] step %c512
func.func @causal(%q: memref<1024x8xf32>, %k: memref<1024x8xf32>, %v: memref<1024x16xf32>, %out: memref<1024x16xf32>) {
  hone.kernel.attention ins(%q, %k, %v : memref<1024x8xf32>, memref<1024x8xf32>, memref<1024x16xf32>) maps [] outs(%out : memref<1024x16xf32>) {
  ^bb0(%s: f32, %row: index, %column: index):
    %one = arith.constant 1 : index
    %lowest = arith.constant 0xFF800000 : f32
    %last = arith.addi %row, %one : index
    %hidden = arith.cmpi slt, %last, %column : index
    %0 = arith.select %hidden, %lowest, %s : f32
    hone.kernel.yield %0 : f32
  }
  return
}
