// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(hone-outline-launches)' | FileCheck %s

// A buffer is an address and its dynamic sizes, an index an i64; views and constants are recreated.
// CHECK-LABEL: func.func @views(
// CHECK-SAME:    %[[X:.+]]: memref<?x8xf32>, %[[O:.+]]: memref<?xf32>, %[[N:.+]]: index)
// CHECK:         memref.extract_aligned_pointer_as_index %[[X]]
// CHECK:         memref.dim %[[X]]
// CHECK:         memref.extract_aligned_pointer_as_index %[[O]]
// CHECK:         gpu.launch_func @views_gpu::@views_step0 blocks in (%[[N]],
// CHECK-SAME:      args(%{{.+}} : !llvm.ptr, %{{.+}} : i64, %{{.+}} : !llvm.ptr, %{{.+}} : i64, %{{.+}} : i64)
// CHECK:       gpu.module @views_gpu
// CHECK:         gpu.func @views_step0(%{{.+}}: !llvm.ptr, %{{.+}}: i64, %{{.+}}: !llvm.ptr, %{{.+}}: i64, %[[COUNT:.+]]: i64)
// CHECK-SAME:      kernel attributes {known_block_size = array<i32: 32, 1, 1>}
// CHECK:           arith.index_cast %[[COUNT]]
// CHECK:           memref.reinterpret_cast
// CHECK:           gpu.thread_id x
func.func @views(%x: memref<?x8xf32>, %o: memref<?xf32>, %n: index) attributes {hone.kernel} {
  %c1 = arith.constant 1 : index
  %c32 = arith.constant 32 : index
  %size = arith.muli %n, %c32 : index
  %flat = memref.reinterpret_cast %x to offset: [0], sizes: [%size], strides: [1] : memref<?x8xf32> to memref<?xf32>
  gpu.launch blocks(%bx, %by, %bz) in (%gx = %n, %gy = %c1, %gz = %c1)
      threads(%tx, %ty, %tz) in (%sx = %c32, %sy = %c1, %sz = %c1) {
    %v = memref.load %flat[%tx] : memref<?xf32>
    memref.store %v, %o[%tx] : memref<?xf32>
    gpu.terminator
  }
  return
}

// -----

// The host cannot read device memory.
// CHECK-LABEL: func.func @loads(
// CHECK-NOT:     memref.load
// CHECK:       gpu.func @loads_step0
// CHECK:         memref.load
// CHECK:         arith.sitofp
func.func @loads(%x: memref<i64>, %o: memref<32xf32>) attributes {hone.kernel} {
  %c1 = arith.constant 1 : index
  %c32 = arith.constant 32 : index
  %n = memref.load %x[] : memref<i64>
  %v = arith.sitofp %n : i64 to f32
  gpu.launch blocks(%bx, %by, %bz) in (%gx = %c1, %gy = %c1, %gz = %c1)
      threads(%tx, %ty, %tz) in (%sx = %c32, %sy = %c1, %sz = %c1) {
    memref.store %v, %o[%tx] : memref<32xf32>
    gpu.terminator
  }
  return
}

// -----

// The first check that fails describes itself.
// CHECK-LABEL: func.func @checks(
// CHECK:         %[[NULL:.+]] = llvm.mlir.zero
// CHECK:         gpu.launch_func {{.*}}, %[[NULL]] : !llvm.ptr)
// CHECK:       gpu.func @checks_step0({{.*}}, %[[CELL:[^:]+]]: !llvm.ptr {hone.error_cell})
// CHECK:         %[[OUTSIDE:.+]] = arith.cmpi uge
// CHECK:         scf.if %[[OUTSIDE]] {
// CHECK:           %[[OLD:.+]] = llvm.cmpxchg %[[CELL]], %{{.+}}, %{{.+}} monotonic monotonic
// CHECK:           llvm.extractvalue %[[OLD]][1]
// CHECK:           scf.if
// CHECK:             %[[NODE:.+]] = llvm.mlir.constant(7 : i32)
// CHECK:             llvm.getelementptr %[[CELL]][4]
// CHECK:             llvm.store %[[NODE]]
// CHECK:         arith.select %[[OUTSIDE]], %c0
func.func @checks(%x: memref<32xindex>, %o: memref<?xf32>, %n: index) attributes {hone.kernel, hone.node = 7 : i64} {
  %c1 = arith.constant 1 : index
  %c32 = arith.constant 32 : index
  %zero = arith.constant 0.0 : f32
  gpu.launch blocks(%bx, %by, %bz) in (%gx = %c1, %gy = %c1, %gz = %c1)
      threads(%tx, %ty, %tz) in (%sx = %c32, %sy = %c1, %sz = %c1) {
    %i = memref.load %x[%tx] : memref<32xindex>
    %k = hone.checked_index %i of %n
    memref.store %zero, %o[%k] : memref<?xf32>
    gpu.terminator
  }
  return
}

// -----

// Constants move with the code, shared buffers with the function.
// CHECK-LABEL: func.func @shared(
// CHECK:       gpu.module @shared_gpu
// CHECK:         memref.global "private" constant @table
// CHECK:         gpu.func @shared_step0({{.*}}) workgroup(%{{.+}}: memref<32xf32, #gpu.address_space<workgroup>> {llvm.align = 16 : i64})
// CHECK:           memref.get_global @table
memref.global "private" constant @table : memref<32xf32> = dense<1.0>
func.func @shared(%o: memref<32xf32>) attributes {hone.kernel} {
  %c1 = arith.constant 1 : index
  %c32 = arith.constant 32 : index
  %t = memref.get_global @table : memref<32xf32>
  gpu.launch blocks(%bx, %by, %bz) in (%gx = %c1, %gy = %c1, %gz = %c1)
      threads(%tx, %ty, %tz) in (%sx = %c32, %sy = %c1, %sz = %c1)
      workgroup(%s: memref<32xf32, #gpu.address_space<workgroup>>) {
    %v = memref.load %t[%tx] : memref<32xf32>
    memref.store %v, %s[%tx] : memref<32xf32, #gpu.address_space<workgroup>>
    gpu.terminator
  }
  return
}
