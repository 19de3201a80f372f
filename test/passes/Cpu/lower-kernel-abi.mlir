// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(hone-lower-kernel-abi,canonicalize,cse)' | FileCheck %s
// RUN: hone-opt %s --split-input-file --hone-lower-kernel-abi --remarks-filter-missed=.* -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
// REMARK: {{.Missed.}} slow | Category:lower-kernel-abi | Reason="its loops read what others of them wrote: one thread runs all of it", work=4

// Pointers of inputs and outputs, then dynamic sizes and scalars, come from the tables. Eight pieces share the loop.
// CHECK-LABEL: func.func @pieces(
// CHECK-SAME:    %[[PTRS:.+]]: !llvm.ptr, %[[DIMS:.+]]: !llvm.ptr, %[[BEGIN:.+]]: i64, %[[END:.+]]: i64, %{{.+}}: !llvm.ptr) -> i32
// CHECK:         llvm.load %[[PTRS]]
// CHECK:         %[[SIZE:.+]] = llvm.load %[[DIMS]]
// CHECK:         %[[SECOND:.+]] = llvm.getelementptr %[[PTRS]][8]
// CHECK:         llvm.load %[[SECOND]]
// CHECK-DAG:     %[[FIRST:.+]] = arith.index_cast %[[BEGIN]]
// CHECK-DAG:     %[[LAST:.+]] = arith.index_cast %[[END]]
// CHECK:         %[[A:.+]] = arith.muli %{{.+}}, %[[FIRST]]
// CHECK:         %[[LOW:.+]] = arith.divui %[[A]], %c8
// CHECK:         %[[B:.+]] = arith.muli %{{.+}}, %[[LAST]]
// CHECK:         %[[HIGH:.+]] = arith.divui %[[B]], %c8
// CHECK:         scf.for %{{.+}} = %[[LOW]] to %[[HIGH]]
// CHECK:         return %{{.+}} : i32
func.func private @pieces(%x: memref<?xf32>, %o: memref<?xf32>, %n: index) attributes {hone.kernel, hone.pieces = 8 : i64} {
  scf.forall (%i) in (%n) {
    %v = memref.load %x[%i] : memref<?xf32>
    memref.store %v, %o[%i] : memref<?xf32>
  }
  return
}

// -----

// Coordinates are counted up, not divided.
// CHECK-LABEL: func.func @coordinates(
// CHECK:         arith.divui
// CHECK:         scf.for {{.*}} iter_args(%[[I:.+]] = %{{.+}}, %[[J:.+]] = %{{.+}})
// CHECK-NOT:       arith.div
// CHECK:           memref.store %{{.+}}, %{{.+}}[%[[I]], %[[J]]]
// CHECK:           scf.yield
func.func private @coordinates(%o: memref<6x5xf32>) attributes {hone.kernel, hone.pieces = 4 : i64} {
  %zero = arith.constant 0.0 : f32
  scf.forall (%i, %j) in (6, 5) {
    memref.store %zero, %o[%i, %j] : memref<6x5xf32>
  }
  return
}

// -----

// The second loop reads what the first wrote: the first piece runs both.
// CHECK-LABEL: func.func @dependent(
// CHECK-SAME:    %[[BEGIN:[a-z0-9]+]]: i64, %{{[a-z0-9]+}}: i64
// CHECK:         %[[ALONE:.+]] = arith.andi
// CHECK:         %[[HIGH:.+]] = arith.select %[[ALONE]], %c4, %c0
// CHECK:         scf.for %{{.+}} = %c0 to %[[HIGH]]
// CHECK:         scf.for %{{.+}} = %c0 to %[[HIGH]]
func.func private @dependent(%t: memref<4xf32>, %o: memref<4xf32>) attributes {hone.kernel, hone.pieces = 4 : i64} {
  %zero = arith.constant 0.0 : f32
  scf.forall (%i) in (4) {
    memref.store %zero, %t[%i] : memref<4xf32>
  }
  scf.forall (%i) in (4) {
    %v = memref.load %t[%i] : memref<4xf32>
    memref.store %v, %o[%i] : memref<4xf32>
  }
  return
}

// -----

// Small temporaries lie on the stack, others in the scratch memory, which grows where it is too small.
// CHECK-LABEL: func.func @temporaries(
// CHECK-SAME:    %[[CONTEXT:[a-z0-9]+]]: !llvm.ptr) -> i32
// CHECK:         llvm.getelementptr %[[CONTEXT]][8]
// CHECK:         %[[SCRATCH:.+]] = scf.if
// CHECK:           llvm.load %[[CONTEXT]]
// CHECK:         } else {
// CHECK:           llvm.call @hone_rt_scratch(%[[CONTEXT]]
// CHECK:         llvm.insertvalue %[[SCRATCH]]
// CHECK:         memref.alloca() {{.*}} : memref<8xf32>
// CHECK-NOT:     memref.alloc(
func.func private @temporaries(%o: memref<?xf32>, %n: index) attributes {hone.kernel} {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %small = memref.alloc() : memref<8xf32>
  %large = memref.alloc(%n) : memref<?xf32>
  scf.forall (%i) in (%n) {
    memref.store %zero, %large[%i] : memref<?xf32>
    memref.store %zero, %small[%c0] : memref<8xf32>
    %v = memref.load %small[%c0] : memref<8xf32>
    memref.store %v, %o[%i] : memref<?xf32>
  }
  return
}

// -----

// An index out of range is reported for its node, and the kernel returns at once what the report does.
// CHECK-LABEL: func.func @checks(
// CHECK:         %[[OUTSIDE:.+]] = arith.cmpi uge
// CHECK:         scf.if %[[OUTSIDE]] {
// CHECK:           %[[CODE:.+]] = llvm.call @hone_rt_fail(%{{.+}}, %c5_i32, %c2_i32
// CHECK:           llvm.call @hone.return_if(%[[CODE]])
// CHECK:         arith.select %[[OUTSIDE]], %c0
// CHECK:         return %{{.+}} : i32
func.func private @checks(%x: memref<4xf32>, %o: memref<1xf32>, %i: index) attributes {hone.kernel} {
  %c0 = arith.constant 0 : index
  %size = arith.constant 4 : index
  scf.forall (%k) in (1) {
    %j = hone.checked_index %i of %size {hone.node = 5 : i32}
    %v = memref.load %x[%j] : memref<4xf32>
    memref.store %v, %o[%c0] : memref<1xf32>
  }
  return
}
