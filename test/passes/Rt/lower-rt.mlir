// RUN: hone-opt %s --split-input-file --hone-host-llvm | FileCheck %s

// A kernel call: pointers, dynamic dimensions and scalars in arrays; a failure returns at once.
// CHECK:       hone.kernels = {{\[}}["k0", 4]]
// CHECK:       llvm.func @hone_prepare(%{{.+}}: !llvm.ptr, %{{.+}}: !llvm.ptr, %{{.+}}: !llvm.ptr, %{{.+}}: !llvm.ptr) -> i32
// CHECK:         %[[BYTES:.+]] = llvm.call @hone_rt_bytes
// CHECK:         llvm.store %[[BYTES]]
// CHECK-LABEL: llvm.func @hone_run(
// CHECK-SAME:    %[[FRAME:.+]]: !llvm.ptr) -> i32
// CHECK-DAG:     %[[STEP:.+]] = llvm.mlir.constant(7 : i64) : i64
// CHECK:         %[[STATUS:.+]] = llvm.call @hone_rt_dispatch(%[[FRAME]], %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}}, %[[STEP]])
// CHECK:         llvm.cond_br %{{.+}} ^[[EXIT:.+]](%[[STATUS]] : i32), ^
// CHECK:         llvm.intr.memcpy
// CHECK:       ^[[EXIT]](%[[RETURNED:.+]]: i32):
// CHECK:         llvm.return %[[RETURNED]]
module attributes {hone.arena = array<i64: -1, -1, -1, -1>, hone.free_dims = ["n"], hone.slots = [array<i64: 0, 4, -1, -1, 0>]} {
  func.func private @k0(tensor<?xf32>, index) -> tensor<?xf32> attributes {hone.kernel, hone.pieces = 4 : i64}
  func.func @hone_prepare() {
    %n = hone.dim "n"
    hone_rt.slot_bytes 0 dims(%n) : memref<?xf32>
    return
  }
  func.func @hone_run() {
    %n = hone.dim "n"
    %x = hone_rt.input 0 dims(%n) : memref<?xf32>
    %s = hone_rt.slot 0 dims(%n) : memref<?xf32>
    hone_rt.dispatch @k0 ins(%x : memref<?xf32>) outs(%s : memref<?xf32>) args(%n) step 7
    %y = hone_rt.output 0 dims(%n) : memref<?xf32>
    hone_rt.copy %s to %y : memref<?xf32>, memref<?xf32>
    return
  }
}

// -----

// A library call passes values; the rank and the fixed dimensions of its results are checked.
// CHECK:       llvm.mlir.global private constant @hone_config_0(dense<[0, 1]>
// CHECK-LABEL: llvm.func @hone_run
// CHECK:         %[[STEP:.+]] = llvm.mlir.constant(1 : i64) : i64
// CHECK:         %[[FUNCTION:.+]] = llvm.mlir.addressof @hone_lib_unique
// CHECK:         llvm.call @hone_rt_library(%{{.+}}, %[[STEP]], %[[FUNCTION]],
// CHECK:         llvm.call @hone_rt_fail
// CHECK:         llvm.call @hone_rt_set_output
module {
  func.func @hone_prepare() {
    return
  }
  func.func @hone_run() {
    %x = hone_rt.input 0 : memref<4xf32>
    %r = hone_rt.library "unique"(%x) config {axis = 0 : i64, type = 1 : i64} node 0 step 1 : (memref<4xf32>) -> memref<2x?xf32>
    hone_rt.set_output 0, %r : memref<2x?xf32>
    return
  }
}

// -----

// Branches and loops pass a buffer as pointer and dimensions.
// CHECK-LABEL: llvm.func @hone_run
// CHECK:         llvm.br ^{{.+}}(%{{.+}}, %{{.+}} : !llvm.ptr, i64)
// CHECK:         llvm.call @hone_rt_set_output
module attributes {hone.free_dims = ["n"]} {
  func.func @hone_prepare() {
    return
  }
  func.func @hone_run() {
    %n = hone.dim "n"
    %c = hone_rt.input 0 : memref<i1>
    %x = hone_rt.input 1 dims(%n) : memref<?xf32>
    %flags = hone_rt.view %c : memref<i1> -> memref<i1>
    %c4 = arith.constant 4 : index
    %small = arith.cmpi ult, %n, %c4 : index
    %r = scf.if %small -> memref<?xf32> {
      scf.yield %x : memref<?xf32>
    } else {
      %b = hone_rt.alloc dims(%c4) : memref<?xf32>
      scf.yield %b : memref<?xf32>
    }
    hone_rt.set_output 0, %r : memref<?xf32>
    return
  }
}

// -----

// Device memory is accessed through the frame's other pointers, and copied by the runtime.
// CHECK-LABEL: llvm.func @hone_run
// CHECK:         %[[INPUTS:.+]] = llvm.load %{{.+}} : !llvm.ptr -> !llvm.ptr
// CHECK:         %[[KIND:.+]] = llvm.mlir.constant(1 : i32) : i32
// CHECK:         %[[STATUS:.+]] = llvm.call @hone_rt_copy(%{{.+}}, %{{.+}}, %{{.+}}, %{{.+}}, %[[KIND]], %{{.+}})
// CHECK:         llvm.cond_br %{{.+}} ^{{.+}}(%[[STATUS]] : i32), ^
module attributes {hone.arena = array<i64: 16, 16, 16, 16>,
                   hone.slots = [array<i64: 2, 3, 16, 0, 1>, array<i64: 3, 4, 16, 0, 0>]} {
  func.func private @k0(tensor<4xf32>) -> tensor<4xf32> attributes {hone.kernel, hone.device}
  func.func @hone_prepare() {
    return
  }
  func.func @hone_run() {
    %x = hone_rt.input 0 : memref<4xf32, #hone_rt.device>
    %0 = hone_rt.slot 0 : memref<4xf32, #hone_rt.device>
    hone_rt.dispatch @k0 ins(%x : memref<4xf32, #hone_rt.device>) outs(%0 : memref<4xf32, #hone_rt.device>)
    %1 = hone_rt.slot 1 : memref<4xf32>
    hone_rt.copy %0 to %1 : memref<4xf32, #hone_rt.device>, memref<4xf32>
    hone_rt.set_output 0, %1 : memref<4xf32>
    return
  }
}

// -----

// Checks of shapes and conditions leave the preparation like a run, with the wrong sizes. A kernel has no pieces if all
// its results are empty.
// CHECK-LABEL: llvm.func @hone_prepare(
// CHECK-SAME:    %[[FRAME:.+]]: !llvm.ptr, %{{.+}}: !llvm.ptr, %{{.+}}: !llvm.ptr, %{{.+}}: !llvm.ptr) -> i32
// CHECK:         %[[STATUS:.+]] = llvm.call @hone_rt_check_dims(%[[FRAME]], %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}})
// CHECK:         llvm.cond_br %{{.+}} ^{{.+}}(%[[STATUS]] : i32), ^
// CHECK:         llvm.call @hone_rt_fail(%[[FRAME]], %{{.+}}, %{{.+}}, %[[A:.+]], %[[B:.+]])
// CHECK-LABEL: llvm.func @hone_run
// CHECK:         %[[FULL:.+]] = llvm.icmp "ne" %{{.+}} : i64
// CHECK:         %[[PIECES:.+]] = llvm.select %[[FULL]], %{{.+}}, %{{.+}} : i1, i64
// CHECK:         llvm.call @hone_rt_dispatch(%{{.+}}, %{{.+}}, %{{.+}}, %{{.+}}, %[[PIECES]], %{{.+}})
module attributes {hone.free_dims = ["n", "m"], hone.slots = []} {
  func.func private @k0(tensor<?xf32>) -> tensor<?xf32> attributes {hone.kernel, hone.pieces = 4 : i64}
  func.func @hone_prepare() {
    %n = hone.dim "n"
    %m = hone.dim "m"
    %wrong = arith.cmpi sgt, %n, %m : index
    hone_rt.check_dims dims(%n, %m) overflows %wrong node 0 : memref<?x?xf32>
    %equal = arith.cmpi eq, %n, %m : index
    hone_rt.check %equal node 0 status 4
    return
  }
  func.func @hone_run() {
    %n = hone.dim "n"
    %x = hone_rt.input 0 dims(%n) : memref<?xf32>
    %y = hone_rt.output 0 dims(%n) : memref<?xf32>
    hone_rt.dispatch @k0 ins(%x : memref<?xf32>) outs(%y : memref<?xf32>)
    return
  }
}

// -----

// Inputs and free dimensions are read where they are first needed.
// CHECK-LABEL: llvm.func @hone_run(
// CHECK:         llvm.call @hone_rt_dispatch
// CHECK:         %[[DIM:.+]] = llvm.getelementptr inbounds %{{.+}}[8]
// CHECK-NEXT:    llvm.load %[[DIM]] : !llvm.ptr -> i64
// CHECK:         %[[DATA:.+]] = llvm.getelementptr inbounds %{{.+}}[40]
// CHECK-NEXT:    llvm.load %[[DATA]] : !llvm.ptr -> !llvm.ptr
// CHECK:         llvm.call @hone_rt_dispatch
module attributes {hone.free_dims = ["n", "m"]} {
  func.func private @k0(tensor<?xf32>) -> tensor<?xf32> attributes {hone.kernel}
  func.func @hone_prepare() {
    return
  }
  func.func @hone_run() {
    %n = hone.dim "n"
    %m = hone.dim "m"
    %x = hone_rt.input 0 dims(%n) : memref<?xf32>
    %z = hone_rt.input 1 dims(%m) : memref<?xf32>
    %y = hone_rt.output 0 dims(%n) : memref<?xf32>
    hone_rt.dispatch @k0 ins(%x : memref<?xf32>) outs(%y : memref<?xf32>)
    %w = hone_rt.output 1 dims(%m) : memref<?xf32>
    hone_rt.dispatch @k0 ins(%z : memref<?xf32>) outs(%w : memref<?xf32>)
    return
  }
}
