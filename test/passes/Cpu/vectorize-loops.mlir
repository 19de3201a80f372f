// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(hone-set-machine{cpu=x86-64-v3},func.func(hone-vectorize-loops,canonicalize,cse))' | FileCheck %s
// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(hone-set-machine{cpu=x86-64-v4},func.func(hone-vectorize-loops,canonicalize,cse))' | FileCheck %s --check-prefix=WIDE
// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(hone-vectorize-loops))' --remarks-filter-missed=.* -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
// REMARK: {{.Missed.}} slow | Category:vectorize-loops | Reason="no dimension is long enough and contiguous in memory: there are no vectors", work=64

// One parallel loop over rows, four vectors at a time, then what is left. The bias row is read as it lies.
// CHECK-LABEL: func.func private @rows(
// CHECK:         scf.forall (%{{.+}}) in (64) {
// CHECK:           scf.for {{.*}} step %c32
// CHECK-COUNT-4:     arith.addf {{.*}} : vector<8xf32>
// CHECK-NOT:         arith.addf
// CHECK:           }
// CHECK:           arith.addf {{.*}} : vector<4xf32>
// CHECK-NOT:       arith.addf
// WIDE-LABEL:  func.func private @rows(
// WIDE-COUNT-5:    arith.addf {{.*}} : vector<16xf32>
// WIDE:            %[[MASK:.+]] = vector.constant_mask [4] : vector<16xi1>
// WIDE:            vector.maskedload {{.*}}, %[[MASK]]
// WIDE:            arith.addf {{.*}} : vector<16xf32>
// WIDE:            vector.maskedstore {{.*}}, %[[MASK]]
// WIDE-NEXT:     }
func.func private @rows(%x: memref<64x100xf32>, %b: memref<100xf32>, %o: memref<64x100xf32>) {
  linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>, affine_map<(d0, d1) -> (d0, d1)>],
                  iterator_types = ["parallel", "parallel"]}
      ins(%x, %b : memref<64x100xf32>, memref<100xf32>) outs(%o : memref<64x100xf32>) {
  ^bb0(%a: f32, %c: f32, %d: f32):
    %s = arith.addf %a, %c : f32
    linalg.yield %s : f32
  }
  return
}

// -----

// Contiguous dimensions are one, cut into blocks for the threads.
// CHECK-LABEL: func.func private @flat(
// CHECK:         scf.forall (%{{.+}}) in (4) {
// CHECK:           scf.for
// CHECK-NOT:         scf.for
// CHECK:             arith.negf {{.*}} : vector<8xf32>
func.func private @flat(%x: memref<4x32x64xf32>, %o: memref<4x32x64xf32>) {
  linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>],
                  iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x : memref<4x32x64xf32>) outs(%o : memref<4x32x64xf32>) {
  ^bb0(%a: f32, %d: f32):
    %s = arith.negf %a : f32
    linalg.yield %s : f32
  }
  return
}

// -----

// Several vectors of partial sums; the fill is the value they start from.
// CHECK-LABEL: func.func private @inner_reduction(
// CHECK-NOT:     memref.store
// CHECK:         scf.forall (%{{.+}}) in (16) {
// CHECK:           %[[SUMS:.+]]:4 = scf.for {{.*}} iter_args({{.*}}) -> (vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>)
// CHECK-COUNT-4:     arith.addf {{.*}} : vector<8xf32>
// CHECK:           %[[SUM:.+]] = vector.reduction <add>
// CHECK:           memref.store %{{.+}}[%
func.func private @inner_reduction(%x: memref<16x64xf32>, %o: memref<16xf32>) {
  %zero = arith.constant 0.0 : f32
  linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} outs(%o : memref<16xf32>) {
  ^bb0(%d: f32):
    linalg.yield %zero : f32
  }
  linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>],
                  iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<16x64xf32>) outs(%o : memref<16xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %s = arith.addf %acc, %a : f32
    linalg.yield %s : f32
  }
  return
}

// -----

// Vectors of results: the reduction loop is inside.
// CHECK-LABEL: func.func private @outer_reduction(
// CHECK:         scf.forall (%{{.+}}) in (4) {
// CHECK:           scf.for {{.*}} iter_args
// CHECK-COUNT-4:     vector.load
// CHECK-COUNT-4:   vector.store
func.func private @outer_reduction(%x: memref<64x128xf32>, %o: memref<128xf32>) {
  linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>],
                  iterator_types = ["reduction", "parallel"]}
      ins(%x : memref<64x128xf32>) outs(%o : memref<128xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %s = arith.addf %acc, %a : f32
    linalg.yield %s : f32
  }
  return
}

// -----

// A chain with shared rows is one loop; the sum shrinks to a scalar, and the result holds the temporary.
// CHECK-LABEL: func.func private @row_group(
// CHECK-SAME:    %{{.+}}, %[[O:.+]]: memref<16x64xf32>)
// CHECK-NOT:     memref<64xf32>
// CHECK-DAG:     memref.alloc() {{.*}} : memref<f32>
// CHECK-DAG:     %[[FLAT:.+]] = memref.reinterpret_cast %[[O]]
// CHECK:         scf.forall (%{{.+}}) in (16) {
// CHECK:           math.exp {{.*}} : vector<16xf32>
// CHECK:           vector.store %{{.+}}, %[[FLAT]]{{.*}} vector<16xf32>
// CHECK:           vector.reduction <add>
// CHECK:           vector.load %[[FLAT]]{{.*}} vector<8xf32>
// CHECK:           arith.divf {{.*}} : vector<8xf32>
// CHECK-NOT:     scf.forall
func.func private @row_group(%x: memref<16x64xf32>, %o: memref<16x64xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = memref.alloc() {alignment = 64 : i64} : memref<16x64xf32>
  %t = memref.alloc() {alignment = 64 : i64} : memref<16xf32>
  linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} outs(%t : memref<16xf32>) {
  ^bb0(%d: f32):
    linalg.yield %zero : f32
  }
  linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>],
                  iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<16x64xf32>) outs(%e, %t : memref<16x64xf32>, memref<16xf32>) {
  ^bb0(%a: f32, %old: f32, %acc: f32):
    %p = math.exp %a : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %p, %s : f32, f32
  }
  linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0, d1)>],
                  iterator_types = ["parallel", "parallel"]}
      ins(%e, %t : memref<16x64xf32>, memref<16xf32>) outs(%o : memref<16x64xf32>) {
  ^bb0(%a: f32, %b: f32, %d: f32):
    %s = arith.divf %a, %b : f32
    linalg.yield %s : f32
  }
  return
}

// -----

// The result has another type: the temporary shrinks to a row.
// CHECK-LABEL: func.func private @row_temporary(
// CHECK-DAG:     memref.alloc() {{.*}} : memref<64xf32>
// CHECK-DAG:     memref.alloc() {{.*}} : memref<f32>
// CHECK:         scf.forall (%{{.+}}) in (16) {
func.func private @row_temporary(%x: memref<16x64xf32>, %o: memref<16x64xi32>) {
  %zero = arith.constant 0.0 : f32
  %e = memref.alloc() {alignment = 64 : i64} : memref<16x64xf32>
  %t = memref.alloc() {alignment = 64 : i64} : memref<16xf32>
  linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} outs(%t : memref<16xf32>) {
  ^bb0(%d: f32):
    linalg.yield %zero : f32
  }
  linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>],
                  iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<16x64xf32>) outs(%e, %t : memref<16x64xf32>, memref<16xf32>) {
  ^bb0(%a: f32, %old: f32, %acc: f32):
    %p = math.exp %a : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %p, %s : f32, f32
  }
  linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0, d1)>],
                  iterator_types = ["parallel", "parallel"]}
      ins(%e, %t : memref<16x64xf32>, memref<16xf32>) outs(%o : memref<16x64xi32>) {
  ^bb0(%a: f32, %b: f32, %d: i32):
    %s = arith.divf %a, %b : f32
    %i = arith.fptosi %s : f32 to i32
    linalg.yield %i : i32
  }
  return
}

// -----

// The input may be the memory of the result.
// CHECK-LABEL: func.func private @row_in_place(
// CHECK:         memref.alloc() {{.*}} : memref<64xf32>
func.func private @row_in_place(%x: memref<16x64xf32> {hone.in_place = 0 : i64}, %o: memref<16x64xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = memref.alloc() {alignment = 64 : i64} : memref<16x64xf32>
  %t = memref.alloc() {alignment = 64 : i64} : memref<16xf32>
  linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} outs(%t : memref<16xf32>) {
  ^bb0(%d: f32):
    linalg.yield %zero : f32
  }
  linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>],
                  iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<16x64xf32>) outs(%e, %t : memref<16x64xf32>, memref<16xf32>) {
  ^bb0(%a: f32, %old: f32, %acc: f32):
    %p = math.exp %a : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %p, %s : f32, f32
  }
  linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0, d1)>],
                  iterator_types = ["parallel", "parallel"]}
      ins(%e, %t : memref<16x64xf32>, memref<16xf32>) outs(%o : memref<16x64xf32>) {
  ^bb0(%a: f32, %b: f32, %d: f32):
    %s = arith.divf %a, %b : f32
    linalg.yield %s : f32
  }
  return
}

// -----

// Blocks of 8 x 8 are transposed in registers.
// CHECK-LABEL: func.func private @transpose(
// CHECK:         scf.forall (%{{.+}}) in (4) {
// CHECK-COUNT-8:     vector.load
// CHECK-COUNT-24:    vector.shuffle
// CHECK-COUNT-8:     vector.store
// WIDE-LABEL:  func.func private @transpose(
// WIDE-COUNT-64: vector.shuffle {{.*}} vector<16xf32>
func.func private @transpose(%x: memref<64x32xf32>, %o: memref<32x64xf32>) {
  linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>],
                  iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<64x32xf32>) outs(%o : memref<32x64xf32>) {
  ^bb0(%a: f32, %d: f32):
    linalg.yield %a : f32
  }
  return
}

// -----

// Four blocks that are adjacent in memory are read before the next rows.
// CHECK-LABEL: func.func private @long_transpose(
// CHECK:         scf.forall (%{{.+}}) in (32) {
// CHECK:           scf.for %{{.+}} = %c0 to %c64 step %c8 {
// CHECK:             scf.for %{{.+}} = %c0 to %c32 step %c8 {
// CHECK-COUNT-8:       vector.load
func.func private @long_transpose(%x: memref<64x1024xf32>, %o: memref<1024x64xf32>) {
  linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0, d1)>],
                  iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<64x1024xf32>) outs(%o : memref<1024x64xf32>) {
  ^bb0(%a: f32, %d: f32):
    linalg.yield %a : f32
  }
  return
}

// -----

// The index of a gathered row is read and checked once for the row, which is then copied by vectors.
// CHECK-LABEL: func.func private @gather(
// CHECK:         scf.forall (%{{.+}}) in (3) {
// CHECK:           %[[ROW:.+]] = hone.checked_index
// CHECK-NOT:       hone.checked_index
// CHECK:           vector.load %{{.+}}[%[[ROW]], %{{.+}}] : memref<10x32xf32>
func.func private @gather(%x: memref<10x32xf32>, %i: memref<3xi64>, %o: memref<3x32xf32>) {
  %size = arith.constant 10 : index
  linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0, d1)>],
                  iterator_types = ["parallel", "parallel"]}
      ins(%i : memref<3xi64>) outs(%o : memref<3x32xf32>) {
  ^bb0(%a: i64, %d: f32):
    %row = arith.index_cast %a : i64 to index
    %checked = hone.checked_index %row of %size wrap
    %column = linalg.index 1 : index
    %v = memref.load %x[%checked, %column] : memref<10x32xf32>
    linalg.yield %v : f32
  }
  return
}

// -----

// Indices count up in a narrower integer, too: one scalar and the numbers of the lanes.
// CHECK-LABEL: func.func private @numbers(
// CHECK-DAG:     %[[LANES:.+]] = arith.constant dense<[0, 1, 2, 3, 4, 5, 6, 7]> : vector<8xi32>
// CHECK:         %[[FIRST:.+]] = arith.index_cast %{{.+}} : index to i32
// CHECK:         %[[ALL:.+]] = vector.broadcast %[[FIRST]] : i32 to vector<8xi32>
// CHECK:         arith.addi %[[ALL]], %[[LANES]]
func.func private @numbers(%o: memref<64xi32>) {
  linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} outs(%o : memref<64xi32>) {
  ^bb0(%d: i32):
    %i = linalg.index 0 : index
    %n = arith.index_cast %i : index to i32
    linalg.yield %n : i32
  }
  return
}

// -----

// A check of an index that each element must pass keeps the loop scalar.
// CHECK-LABEL: func.func private @checked(
// CHECK-NOT:     vector
// CHECK:         hone.checked_index
func.func private @checked(%x: memref<64xindex>, %size: index, %o: memref<64xi32>) {
  linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      ins(%x : memref<64xindex>) outs(%o : memref<64xi32>) {
  ^bb0(%a: index, %d: i32):
    %c = hone.checked_index %a of %size
    %s = arith.index_cast %c : index to i32
    linalg.yield %s : i32
  }
  return
}

// -----

// A last dimension that only repeats what is stored is part of the store.
// CHECK-LABEL: @repeated
// CHECK:         %[[V:.+]] = vector.load %{{.+}} : memref<512xf32>, vector<8xf32>
// CHECK:         %[[R:.+]] = vector.shuffle %[[V]], %[[V]] [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7]
// CHECK:         vector.store %[[R]], %{{.+}} : memref<1024xf32>, vector<16xf32>
func.func private @repeated(%x: memref<8x64x1xf32>, %o: memref<8x64x2xf32>) {
  linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, 0)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>],
                  iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x : memref<8x64x1xf32>) outs(%o : memref<8x64x2xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  }
  return
}

// -----

// Elements at computed places are gathered into vectors; the places are the same for all channels and computed before their loop.
// CHECK-LABEL: func.func private @samples(
// CHECK:           scf.for {{.*}} to %c128 step %c8
// CHECK:             %[[PLACES:.+]] = arith.maxsi {{.*}} : vector<8xindex>
// CHECK-COUNT-8:     vector.extract %[[PLACES]]
// CHECK:             scf.for {{.*}} to %c16 step %c1
// CHECK-COUNT-8:       memref.load
// CHECK:               %[[SAMPLES:.+]] = vector.from_elements {{.*}} : vector<8xf32>
// CHECK:               vector.store %[[SAMPLES]]
// Few operations for each element do not pay for that.
// CHECK-LABEL: func.func private @picked(
// CHECK-NOT:     vector
// CHECK:         return
func.func private @samples(%x: memref<16x64xf32>, %at: memref<4x32xf32>, %o: memref<16x4x32xf32>) {
  %zero = arith.constant 0 : index
  %last = arith.constant 63 : index
  %half = arith.constant 0.5 : f32
  linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>],
                  iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%at : memref<4x32xf32>) outs(%o : memref<16x4x32xf32>) {
  ^bb0(%a: f32, %d: f32):
    %c = linalg.index 0 : index
    %0 = arith.mulf %a, %half : f32
    %1 = arith.addf %0, %half : f32
    %2 = math.floor %1 : f32
    %3 = arith.subf %2, %half : f32
    %4 = math.roundeven %3 : f32
    %5 = arith.fptosi %4 : f32 to i64
    %6 = arith.index_cast %5 : i64 to index
    %7 = arith.minsi %6, %last : index
    %8 = arith.maxsi %7, %zero : index
    %v = memref.load %x[%c, %8] : memref<16x64xf32>
    linalg.yield %v : f32
  }
  return
}

func.func private @picked(%x: memref<16x64xf32>, %at: memref<16x32xi64>, %o: memref<16x32xf32>) {
  linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]}
      ins(%at : memref<16x32xi64>) outs(%o : memref<16x32xf32>) {
  ^bb0(%a: i64, %d: f32):
    %c = linalg.index 0 : index
    %0 = arith.index_cast %a : i64 to index
    %v = memref.load %x[%c, %0] : memref<16x64xf32>
    linalg.yield %v : f32
  }
  return
}

// -----

// Divisors that vary are checked a vector at a time; divisions of 32 bits have vectors as those of 64.
// CHECK-LABEL: func.func private @divided(
// CHECK:         %[[ZERO:.+]] = arith.cmpi eq, %[[B:.+]], %{{.+}} : vector<4xi32>
// CHECK:         vector.reduction <or>, %[[ZERO]]
// CHECK:         %[[ONE:.+]] = hone.checked_divisor %{{.+}} {hone.node = 3 : i32} : i32
// CHECK:         %[[ONES:.+]] = vector.broadcast %[[ONE]]
// CHECK:         %[[DIVISOR:.+]] = arith.select %[[ZERO]], %[[ONES]], %[[B]]
// CHECK:         arith.divui %{{.+}}, %[[DIVISOR]] : vector<4xi32>
func.func private @divided(%x: memref<64xi32>, %y: memref<64xi32>, %o: memref<64xi32>) {
  linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      ins(%x, %y : memref<64xi32>, memref<64xi32>) outs(%o : memref<64xi32>) {
  ^bb0(%a: i32, %b: i32, %d: i32):
    %c = hone.checked_divisor %b {hone.node = 3 : i32} : i32
    %s = arith.divui %a, %c : i32
    linalg.yield %s : i32
  }
  return
}

// -----

// Between the pads of a row, where conditions hold that others than vectors ask for each element, it is copied.
// CHECK-LABEL: func.func private @edges(
// CHECK:         scf.forall
// CHECK:           scf.for %{{.+}} = %c0 to %c3
// CHECK:             memref.load
// CHECK:           scf.for %{{.+}} = %c67 to %c70
// CHECK:             memref.load
// CHECK:           scf.for %{{.+}} = %c3 to %c67 step %c32
// CHECK-NOT:         scf.if
// CHECK-COUNT-4:     vector.load {{.*}} : memref<16x64xf32>, vector<8xf32>
func.func private @edges(%x: memref<16x64xf32>, %o: memref<16x70xf32>) {
  %zero = arith.constant 0 : index
  %low = arith.constant 3 : index
  %size = arith.constant 64 : index
  %last = arith.constant 63 : index
  linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} outs(%o : memref<16x70xf32>) {
  ^bb0(%d: f32):
    %r = linalg.index 0 : index
    %c = linalg.index 1 : index
    %at = arith.subi %c, %low : index
    %behind = arith.cmpi sge, %at, %zero : index
    %before = arith.cmpi slt, %at, %size : index
    %inside = arith.andi %behind, %before : i1
    %v = scf.if %inside -> (f32) {
      %e = memref.load %x[%r, %at] : memref<16x64xf32>
      scf.yield %e : f32
    } else {
      %0 = arith.minsi %at, %last : index
      %1 = arith.maxsi %0, %zero : index
      %e = memref.load %x[%r, %1] : memref<16x64xf32>
      scf.yield %e : f32
    }
    linalg.yield %v : f32
  }
  return
}

// -----

// With masks, the lanes past the end keep what was accumulated; wide and narrow vectors are summed as one.
// WIDE-LABEL: func.func private @masked_reduction(
// WIDE:         scf.forall
// WIDE:           %[[SUMS:.+]] = scf.for {{.*}} -> (vector<32xf32>)
// WIDE:           %[[REST:.+]] = scf.if %{{.+}} -> (vector<16xf32>) {
// WIDE:             %[[MASK:.+]] = vector.create_mask
// WIDE:             vector.maskedload {{.*}}, %[[MASK]]
// WIDE:             %[[SUM:.+]] = arith.addf
// WIDE:             arith.select %[[MASK]], %[[SUM]],
// WIDE:           vector.shuffle %[[SUMS]], %[[SUMS]] [0, 1
// WIDE-COUNT-1:   vector.reduction <add>, %{{.+}} : vector<16xf32>
// WIDE-NOT:       vector.reduction
func.func private @masked_reduction(%x: memref<64x?xf32>, %o: memref<64xf32>) {
  linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>],
                  iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<64x?xf32>) outs(%o : memref<64xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %p = math.exp %a : f32
    %s = arith.addf %acc, %p : f32
    linalg.yield %s : f32
  }
  return
}

// -----

// Unused lanes would make every element go to libm: none are masked.
// WIDE-LABEL: func.func private @not_masked(
// WIDE-NOT:     vector.maskedload
// WIDE:         return
func.func private @not_masked(%x: memref<20xf32>, %y: memref<20xf32>, %o: memref<20xf32>) {
  linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      ins(%x, %y : memref<20xf32>, memref<20xf32>) outs(%o : memref<20xf32>) {
  ^bb0(%a: f32, %b: f32, %d: f32):
    %s = arith.remf %a, %b : f32
    linalg.yield %s : f32
  }
  return
}

// -----

// What lies at a stride that is not known is read element by element: nothing past the end.
// WIDE-LABEL: func.func private @not_masked_at_a_stride(
// WIDE-NOT:     vector.create_mask
// WIDE:         vector.from_elements
// WIDE-NOT:     vector.create_mask
// WIDE:         return
func.func private @not_masked_at_a_stride(%x: memref<?x?x?xf32>, %y: memref<?x?xf32>, %o: memref<?xf32>) {
  linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d1, d0, d0)>, affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>],
                  iterator_types = ["parallel", "reduction"]}
      ins(%x, %y : memref<?x?x?xf32>, memref<?x?xf32>) outs(%o : memref<?xf32>) {
  ^bb0(%a: f32, %b: f32, %acc: f32):
    %p = math.exp %a : f32
    %q = arith.mulf %p, %b : f32
    %s = arith.addf %acc, %q : f32
    linalg.yield %s : f32
  }
  return
}
