// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(hone-map-loops-to-gpu,cse))' | FileCheck %s

#all = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>
#col = affine_map<(i, j) -> (j)>

// Contiguous operands: 16 bytes per thread, whatever the rank.
// CHECK-LABEL: func.func @vectors(
// CHECK:         gpu.launch blocks(%[[B:[^,]+]],{{.*}} in (%{{.+}} = %c2,{{.*}} threads(%[[T:[^,]+]],{{.*}} in (%{{.+}} = %c256
// CHECK:           %[[FIRST:.+]] = arith.muli %[[B]], %c256
// CHECK:           %[[N:.+]] = arith.addi %[[FIRST]], %[[T]]
// CHECK:           %[[AT:.+]] = arith.muli %[[N]], %c4
// CHECK:           vector.load %{{.+}}[%[[AT]]] {alignment = 16 : i64} : memref<2048xf32>, vector<4xf32>
// CHECK:           vector.store %{{.+}}, %{{.+}}[%[[AT]]] {alignment = 16 : i64}
func.func @vectors(%a: memref<64x32xf32>, %o: memref<64x32xf32>) attributes {hone.kernel} {
  linalg.generic {indexing_maps = [#all, #all], iterator_types = ["parallel", "parallel"]}
      ins(%a : memref<64x32xf32>) outs(%o : memref<64x32xf32>) {
  ^bb0(%x: f32, %z: f32):
    %r = math.sqrt %x : f32
    linalg.yield %r : f32
  }
  return
}

// -----

// The remainder of an unknown size is done element by element.
// CHECK-LABEL: func.func @rest(
// CHECK:         %[[VECTORS:.+]] = arith.divui %[[N:.+]], %c8
// CHECK:         %[[REST:.+]] = arith.remui %[[N]], %c8
// CHECK:         arith.addi %[[VECTORS]], %[[REST]]
// CHECK:         gpu.launch
// CHECK:           scf.if
// CHECK:             scf.if
// CHECK:               vector.load {{.*}} {alignment = 16 : i64} : memref<?xf16>, vector<8xf16>
// CHECK:             } else {
// CHECK:               memref.load
#id = affine_map<(i) -> (i)>
func.func @rest(%a: memref<?xf16>, %o: memref<?xf16>) attributes {hone.kernel} {
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%a : memref<?xf16>) outs(%o : memref<?xf16>) {
  ^bb0(%x: f16, %z: f16):
    %r = arith.addf %x, %x : f16
    linalg.yield %r : f16
  }
  return
}

// -----

// Rows of 33 elements do not begin at multiples of 16 bytes.
// CHECK-LABEL: func.func @unaligned(
// CHECK:         gpu.launch
// CHECK-NOT:       vector.load
// CHECK:           arith.remui {{.*}}, %c32
// CHECK:           memref.load
#all = affine_map<(i, j) -> (i, j)>
func.func @unaligned(%a: memref<4x32xf32, strided<[33, 1]>>, %o: memref<4x32xf32>) attributes {hone.kernel} {
  linalg.generic {indexing_maps = [#all, #all], iterator_types = ["parallel", "parallel"]}
      ins(%a : memref<4x32xf32, strided<[33, 1]>>) outs(%o : memref<4x32xf32>) {
  ^bb0(%x: f32, %z: f32):
    linalg.yield %x : f32
  }
  return
}

// -----

// A block per row; warps reduce with shuffles, then through shared memory.
// CHECK-LABEL: func.func @row_sums(
// CHECK:         gpu.launch {{.*}} = %c100, {{.*}} = %c256, {{.*}} workgroup(%[[PARTS:.+]] : memref<8xf32, #gpu.address_space<workgroup>>)
// CHECK:           %[[SUM:.+]] = scf.for %{{.+}} = %[[T:.+]] to %c250 step %c256 {{.*}} -> (vector<4xf32>)
// CHECK:             vector.load {{.*}} {alignment = 16 : i64}
// CHECK-COUNT-5:   gpu.shuffle xor
// CHECK:           scf.if
// CHECK:             memref.store %{{.+}}, %[[PARTS]]
// CHECK:           gpu.barrier
// CHECK-NOT:       gpu.barrier
// CHECK:           memref.load %[[PARTS]]
// CHECK-COUNT-3:   gpu.shuffle xor
// CHECK-NOT:       gpu.barrier
// CHECK:           arith.cmpi eq, %[[T]], %c0
// CHECK:           memref.store
#all = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>
func.func @row_sums(%a: memref<100x1000xf32>, %o: memref<100xf32>) attributes {hone.kernel} {
  linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]}
      ins(%a : memref<100x1000xf32>) outs(%o : memref<100xf32>) {
  ^bb0(%x: f32, %z: f32):
    %r = arith.addf %x, %z : f32
    linalg.yield %r : f32
  }
  return
}

// -----

// Adjacent threads add columns, in 7 parts of 143 rows each; a second launch adds those up.
// CHECK-LABEL: func.func @column_sums(
// CHECK:         %[[SUMS:.+]] = memref.alloc() {{.*}} : memref<3584xf32>
// CHECK:         gpu.launch {{.*}} = %c14, {{.*}} = %c256
// CHECK-NOT:       gpu.shuffle
// CHECK:           %[[COLUMN:.+]] = arith.remui %[[N:.+]], %c512
// CHECK:           arith.divui %[[N]], %c512
// CHECK:           %[[FIRST:.+]] = arith.muli %{{.+}}, %c143
// CHECK:           %[[LAST:.+]] = arith.addi %[[FIRST]], %c143
// CHECK:           %[[END:.+]] = arith.minsi %[[LAST]], %c1000
// CHECK:           scf.for %{{.+}} = %[[FIRST]] to %[[END]] step %c1
// CHECK:           memref.store %{{.+}}, %[[SUMS]][%[[N]]]
// CHECK:         gpu.launch {{.*}} = %c2, {{.*}} = %c256
// CHECK:           scf.for %{{.+}} = %c0 to %c7 step %c1
// CHECK:             memref.load %[[SUMS]]
#all = affine_map<(i, j) -> (i, j)>
#col = affine_map<(i, j) -> (j)>
func.func @column_sums(%a: memref<1000x512xf32>, %o: memref<512xf32>) attributes {hone.kernel} {
  linalg.generic {indexing_maps = [#all, #col], iterator_types = ["reduction", "parallel"]}
      ins(%a : memref<1000x512xf32>) outs(%o : memref<512xf32>) {
  ^bb0(%x: f32, %z: f32):
    %r = arith.addf %x, %z : f32
    linalg.yield %r : f32
  }
  return
}

// -----

// Operations on the same rows share a launch; the sum of a row is in shared memory, and nothing is allocated. Each row
// is done by a warp, and warps do not wait for each other.
// CHECK-LABEL: func.func @rows(
// CHECK-NOT:     memref.alloc
// CHECK:         gpu.launch {{.*}} = %c32, {{.*}} = %c4, {{.*}} workgroup(%[[SUM:.+]] : memref<16xf32, #gpu.address_space<workgroup>>)
// CHECK-NOT:       gpu.barrier
// CHECK:           vector.load {{.*}} {alignment = 16 : i64}
// CHECK-COUNT-5:   gpu.shuffle
// CHECK:           memref.store %{{.+}}, %[[SUM]]
// CHECK:           nvvm.bar.warp.sync
// CHECK:           memref.load %[[SUM]]
// CHECK:           arith.divf {{.*}} : vector<4xf32>
// CHECK-NOT:     gpu.launch
#all = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>
#id = affine_map<(i) -> (i)>
func.func @rows(%a: memref<?x100xf32>, %o: memref<?x100xf32>) attributes {hone.kernel} {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %n = memref.dim %a, %c0 : memref<?x100xf32>
  %s = memref.alloc(%n) : memref<?xf32>
  linalg.generic {indexing_maps = [#id], iterator_types = ["parallel"]} outs(%s : memref<?xf32>) {
  ^bb0(%z: f32):
    linalg.yield %zero : f32
  }
  linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]}
      ins(%a : memref<?x100xf32>) outs(%s : memref<?xf32>) {
  ^bb0(%x: f32, %z: f32):
    %r = arith.addf %x, %z : f32
    linalg.yield %r : f32
  }
  linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel"]}
      ins(%a, %s : memref<?x100xf32>, memref<?xf32>) outs(%o : memref<?x100xf32>) {
  ^bb0(%x: f32, %y: f32, %z: f32):
    %r = arith.divf %x, %y : f32
    linalg.yield %r : f32
  }
  return
}

// -----

// Few long rows are divided among blocks, operation by operation.
// CHECK-LABEL: func.func @few_long_rows(
// CHECK:         gpu.launch {{.*}} = %c8, {{.*}} = %c256
// CHECK:         gpu.launch {{.*}} = %c2, {{.*}} = %c32
// CHECK:         gpu.launch
// CHECK:           arith.divf
#all = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>
#id = affine_map<(i) -> (i)>
func.func @few_long_rows(%a: memref<2x20000xf32>, %o: memref<2x20000xf32>) attributes {hone.kernel} {
  %zero = arith.constant 0.0 : f32
  %s = memref.alloc() : memref<2xf32>
  linalg.generic {indexing_maps = [#id], iterator_types = ["parallel"]} outs(%s : memref<2xf32>) {
  ^bb0(%z: f32):
    linalg.yield %zero : f32
  }
  linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]}
      ins(%a : memref<2x20000xf32>) outs(%s : memref<2xf32>) {
  ^bb0(%x: f32, %z: f32):
    %r = arith.addf %x, %z : f32
    linalg.yield %r : f32
  }
  linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel"]}
      ins(%a, %s : memref<2x20000xf32>, memref<2xf32>) outs(%o : memref<2x20000xf32>) {
  ^bb0(%x: f32, %y: f32, %z: f32):
    %r = arith.divf %x, %y : f32
    linalg.yield %r : f32
  }
  return
}

// -----

// Rows of 10 elements: 8 threads each. Teams without a row repeat the last one, so that no lane is missing in a
// shuffle.
// CHECK-LABEL: func.func @short_rows(
// CHECK:         gpu.launch {{.*}} threads(%[[T:[^,]+]], %[[TEAM:[^,]+]], {{.*}} = %c8, {{.*}} = %c16
// CHECK:           %[[ROW:.+]] = arith.addi %{{.+}}, %[[TEAM]]
// CHECK:           arith.minsi %[[ROW]], %c10000
// CHECK:           scf.for %{{.+}} = %[[T]] to %c10 step %c8
// CHECK-COUNT-3:   gpu.shuffle
// CHECK-NOT:       gpu.shuffle
#all = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>
#id = affine_map<(i) -> (i)>
func.func @short_rows(%a: memref<10001x10xf32>, %o: memref<10001x10xf32>) attributes {hone.kernel} {
  %zero = arith.constant 0.0 : f32
  %s = memref.alloc() : memref<10001xf32>
  linalg.generic {indexing_maps = [#id], iterator_types = ["parallel"]} outs(%s : memref<10001xf32>) {
  ^bb0(%z: f32):
    linalg.yield %zero : f32
  }
  linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]}
      ins(%a : memref<10001x10xf32>) outs(%s : memref<10001xf32>) {
  ^bb0(%x: f32, %z: f32):
    %r = arith.addf %x, %z : f32
    linalg.yield %r : f32
  }
  linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel"]}
      ins(%a, %s : memref<10001x10xf32>, memref<10001xf32>) outs(%o : memref<10001x10xf32>) {
  ^bb0(%x: f32, %y: f32, %z: f32):
    %r = arith.divf %x, %y : f32
    linalg.yield %r : f32
  }
  return
}

// -----

// Everything into one result: 128 blocks, whose sums a warp adds up.
// CHECK-LABEL: func.func @all(
// CHECK:         %[[SUMS:.+]] = memref.alloc() {{.*}} : memref<128xf32>
// CHECK:         gpu.launch {{.*}} = %c128, {{.*}} = %c256
// CHECK:           scf.for {{.*}} step %c256 {{.*}} -> (vector<4xf32>)
// CHECK:           memref.store %{{.+}}, %[[SUMS]]
// CHECK:         gpu.launch {{.*}} = %c1, {{.*}} = %c32
// CHECK:           memref.load %[[SUMS]]
// CHECK-COUNT-5:   gpu.shuffle
#id = affine_map<(i) -> (i)>
#one = affine_map<(i) -> ()>
func.func @all(%a: memref<524288xf32>, %o: memref<f32>) attributes {hone.kernel} {
  linalg.generic {indexing_maps = [#id, #one], iterator_types = ["reduction"]}
      ins(%a : memref<524288xf32>) outs(%o : memref<f32>) {
  ^bb0(%x: f32, %z: f32):
    %r = arith.addf %x, %z : f32
    linalg.yield %r : f32
  }
  return
}

// -----

// The largest element and its first index: a block, whose threads exchange both.
// CHECK-LABEL: func.func @best(
// CHECK:         gpu.launch {{.*}} = %c1, {{.*}} = %c256
// CHECK:           scf.for %{{.+}} = %{{.+}} to %c1000 step %c256 {{.*}} -> (f32, i64)
// CHECK:           gpu.shuffle xor %[[V:.+]], %{{.+}}, %{{.+}} : f32
// CHECK-COUNT-2:   gpu.shuffle xor %{{.+}}, %{{.+}}, %{{.+}} : i32
// CHECK:           %[[WINS:.+]] = arith.cmpf ogt
// CHECK:           %[[LOSES:.+]] = arith.cmpf ogt
// CHECK:           %[[TIE:.+]] = arith.cmpi eq, %[[WINS]], %[[LOSES]]
// CHECK:           arith.cmpi slt
// CHECK:           arith.select %[[TIE]]
#id = affine_map<(i) -> (i)>
#one = affine_map<(i) -> ()>
func.func @best(%a: memref<1000xf32>, %o: memref<i64>) attributes {hone.kernel} {
  %least = arith.constant 0xFF800000 : f32
  %zero = arith.constant 0 : i64
  %best = memref.alloc() : memref<f32>
  linalg.generic {indexing_maps = [affine_map<() -> ()>], iterator_types = []} outs(%best : memref<f32>) {
  ^bb0(%z: f32):
    linalg.yield %least : f32
  }
  linalg.generic {indexing_maps = [affine_map<() -> ()>], iterator_types = []} outs(%o : memref<i64>) {
  ^bb0(%z: i64):
    linalg.yield %zero : i64
  }
  linalg.generic {indexing_maps = [#id, #one, #one], iterator_types = ["reduction"]}
      ins(%a : memref<1000xf32>) outs(%best, %o : memref<f32>, memref<i64>) {
  ^bb0(%x: f32, %v: f32, %i: i64):
    %wins = arith.cmpf ogt, %x, %v : f32
    %index = linalg.index 0 : index
    %number = arith.index_cast %index : index to i64
    %value = arith.select %wins, %x, %v : f32
    %place = arith.select %wins, %number, %i : i64
    linalg.yield %value, %place : f32, i64
  }
  return
}

// -----

// A thread for each iteration.
// CHECK-LABEL: func.func @iterations(
// CHECK-NOT:     scf.forall
// CHECK:         gpu.launch
// CHECK:           scf.if
// CHECK:             memref.store
func.func @iterations(%o: memref<?xf32>, %n: index) attributes {hone.kernel} {
  %zero = arith.constant 0.0 : f32
  scf.forall (%i) in (%n) {
    memref.store %zero, %o[%i] : memref<?xf32>
  }
  return
}

// -----

// Only whole loops inside: a block per iteration, whose threads divide each loop.
// CHECK-LABEL: func.func @loops(
// CHECK:         gpu.launch {{.*}} = %c10, {{.*}} = %c96
// CHECK:           scf.for %{{.+}} = %[[T:.+]] to %c300 step %c96
// CHECK:           gpu.barrier
// CHECK:           scf.for %{{.+}} = %[[T]] to %c300 step %c96
#id = affine_map<(i) -> (i)>
func.func @loops(%a: memref<300xf32>, %t: memref<300xf32>, %o: memref<300xf32>) attributes {hone.kernel} {
  scf.forall (%i) in (10) {
    linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
        ins(%a : memref<300xf32>) outs(%t : memref<300xf32>) {
    ^bb0(%x: f32, %z: f32):
      linalg.yield %x : f32
    }
    linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
        ins(%t : memref<300xf32>) outs(%o : memref<300xf32>) {
    ^bb0(%x: f32, %z: f32):
      linalg.yield %x : f32
    }
  }
  return
}

// -----

// Steps inside: a block per iteration, with its allocations in shared memory. Threads divide a step and synchronize at
// its end.
// CHECK-LABEL: func.func @steps(
// CHECK-NOT:     scf.forall
// CHECK:         gpu.launch {{.*}} = %c10, {{.*}} threads(%[[T:[^,]+]], {{.*}} = %c96, {{.*}} workgroup(%[[SHARED:.+]] : memref<300xf32, #gpu.address_space<workgroup>>)
// CHECK:           scf.for %[[I:.+]] = %[[T]] to %c300 step %c96 {
// CHECK:             memref.store %{{.+}}, %[[SHARED]][%[[I]]]
// CHECK:           }
// CHECK-NEXT:      gpu.barrier
// CHECK:           scf.for %{{.+}} = %[[T]] to %c300 step %c96 {
// CHECK:             memref.load %[[SHARED]]
// CHECK:           }
// CHECK-NEXT:      gpu.barrier
func.func @steps(%a: memref<10x300xf32>, %o: memref<10x300xf32>) attributes {hone.kernel} {
  %c299 = arith.constant 299 : index
  scf.forall (%line) in (10) {
    %shared = memref.alloca() : memref<300xf32>
    scf.forall (%i) in (300) {
      %x = memref.load %a[%line, %i] : memref<10x300xf32>
      memref.store %x, %shared[%i] : memref<300xf32>
    }
    scf.forall (%i) in (300) {
      %k = arith.subi %c299, %i : index
      %x = memref.load %shared[%k] : memref<300xf32>
      memref.store %x, %o[%line, %i] : memref<10x300xf32>
    }
  }
  return
}

// -----

// Tiles of 32 by 32 go through shared memory: adjacent threads load along rows of one side and store along rows of the
// other.
// CHECK-LABEL: func.func @transposed(
// CHECK:         gpu.launch {{.*}} = %c24, {{.*}} threads(%[[X:[^,]+]], %[[Y:[^,]+]], {{.*}} = %c32, {{.*}} = %c8, {{.*}} workgroup(%[[TILE:.+]] : memref<32x33xf32, #gpu.address_space<workgroup>>)
// CHECK:           scf.for %[[STEP:.+]] = %[[Y]] to %c32 step %c8 {
// CHECK:             %[[I:.+]] = arith.addi %{{.+}}, %[[X]]
// CHECK:             %[[J:.+]] = arith.addi %{{.+}}, %[[STEP]]
// CHECK:             arith.cmpi slt, %[[I]], %c70
// CHECK:             arith.cmpi slt, %[[J]], %c100
// CHECK:             memref.store %{{.+}}, %[[TILE]][%[[STEP]], %[[X]]]
// CHECK:           gpu.barrier
// CHECK:           scf.for %[[STEP:.+]] = %[[Y]] to %c32 step %c8 {
// CHECK:             memref.load %[[TILE]][%[[X]], %[[STEP]]]
// CHECK:             math.sqrt
// CHECK:             memref.store
#turned = affine_map<(b, i, j) -> (b, j, i)>
#all = affine_map<(b, i, j) -> (b, i, j)>
func.func @transposed(%a: memref<2x100x70xf32>, %o: memref<2x70x100xf32>) attributes {hone.kernel} {
  linalg.generic {indexing_maps = [#turned, #all], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%a : memref<2x100x70xf32>) outs(%o : memref<2x70x100xf32>) {
  ^bb0(%x: f32, %z: f32):
    %r = math.sqrt %x : f32
    linalg.yield %r : f32
  }
  return
}

// -----

// Rows that are gathered are read and written 16 bytes at a time.
// CHECK-LABEL: func.func @gathered(
// CHECK:         gpu.launch
// CHECK:           %[[NUMBER:.+]] = memref.load %{{.+}} : memref<50xi64>
// CHECK:           vector.load %{{.+}}[%{{.+}}, %{{.+}}] {alignment = 16 : i64} : memref<1000x64xf32>, vector<4xf32>
// CHECK:           vector.store {{.*}} {alignment = 16 : i64}
#all = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>
func.func @gathered(%a: memref<1000x64xf32>, %n: memref<50xi64>, %o: memref<50x64xf32>) attributes {hone.kernel} {
  linalg.generic {indexing_maps = [#row, #all], iterator_types = ["parallel", "parallel"]}
      ins(%n : memref<50xi64>) outs(%o : memref<50x64xf32>) {
  ^bb0(%x: i64, %z: f32):
    %number = arith.index_cast %x : i64 to index
    %j = linalg.index 1 : index
    %r = memref.load %a[%number, %j] : memref<1000x64xf32>
    linalg.yield %r : f32
  }
  return
}

// -----

// Rows of 66 elements do not all begin at multiples of 16 bytes.
// CHECK-LABEL: func.func @gathered_unaligned(
// CHECK-NOT:     vector.load
#all = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>
func.func @gathered_unaligned(%a: memref<1000x66xf32>, %n: memref<50xi64>, %o: memref<50x64xf32>) attributes {hone.kernel} {
  linalg.generic {indexing_maps = [#row, #all], iterator_types = ["parallel", "parallel"]}
      ins(%n : memref<50xi64>) outs(%o : memref<50x64xf32>) {
  ^bb0(%x: i64, %z: f32):
    %number = arith.index_cast %x : i64 to index
    %j = linalg.index 1 : index
    %r = memref.load %a[%number, %j] : memref<1000x66xf32>
    linalg.yield %r : f32
  }
  return
}
