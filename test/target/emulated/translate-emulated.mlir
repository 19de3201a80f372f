// RUN: hone-opt %s --split-input-file --hone-translate-emulated=symbol=image | FileCheck %s

// Accesses are checked in place, and the kernel gets an entry that takes its parameters from a table.
// CHECK-DAG:   llvm.mlir.global external constant @image()
// CHECK-DAG:   llvm.mlir.global internal constant @image_parameters0(dense<8>
// CHECK-DAG:   llvm.mlir.global internal @image_services()
// CHECK:       llvm.func internal @copy(%[[A:.+]]: !llvm.ptr, %{{.+}}: i64)
// CHECK-NOT:     nvvm
// CHECK:         llvm.call %{{.+}}(%{{.+}}) : !llvm.ptr, (i32) -> i32
// CHECK:         %[[SIZE:.+]] = llvm.mlir.constant(4 : i64)
// CHECK:         %[[CHECKED:.+]] = llvm.call %{{.+}}(%[[A]], %[[SIZE]], %{{.+}}, %{{.+}}, %{{.+}}) : !llvm.ptr, (!llvm.ptr, i64, i32, i32, i32) -> !llvm.ptr
// CHECK:         llvm.load %[[CHECKED]] : !llvm.ptr -> f32
// CHECK:       llvm.func internal @copy.thread(%{{.+}}: !llvm.ptr)
// CHECK:         llvm.call @copy(
module {
  gpu.module @k_gpu {
    llvm.func @copy(%a: !llvm.ptr, %n: i64) attributes {gpu.kernel, nvvm.kernel, gpu.known_block_size = array<i32: 32, 1, 1>} {
      %t = nvvm.read.ptx.sreg.tid.x : i32
      %x = llvm.load %a : !llvm.ptr -> f32
      %at = llvm.getelementptr %a[%t] : (!llvm.ptr, i32) -> !llvm.ptr, f32
      llvm.store %x, %at : f32, !llvm.ptr
      llvm.return
    }
  }
}

// -----

// Shared arrays are offsets into the block's memory, 64 bytes apart; pointers are host pointers.
// CHECK-DAG:   llvm.mlir.global internal constant @image_arrays(dense<[0, 128, 192, 256]>
// CHECK:       llvm.func internal @shared()
// CHECK:         %[[BASE:.+]] = llvm.call %{{.+}}() : !llvm.ptr, () -> !llvm.ptr
// CHECK:         llvm.getelementptr %[[BASE]][192]
// CHECK:         llvm.call %{{.+}}(%{{.+}}, %{{.+}}, %{{.+}}) : !llvm.ptr, (i32, i32, i32) -> ()
// CHECK-NOT:     ptr<3>
module {
  gpu.module @k_gpu {
    llvm.mlir.global internal @first() {addr_space = 3 : i32, alignment = 16 : i64} : !llvm.array<32 x f32>
    llvm.mlir.global internal @second() {addr_space = 3 : i32, alignment = 16 : i64} : !llvm.array<16 x f32>
    llvm.func @shared() attributes {gpu.kernel, nvvm.kernel} {
      %zero = llvm.mlir.constant(0.0 : f32) : f32
      %a = llvm.mlir.addressof @second : !llvm.ptr<3>
      llvm.store %zero, %a : f32, !llvm.ptr<3>
      nvvm.barrier0
      llvm.return
    }
  }
}

// -----

// Collective operations of a warp are calls with the registers in memory.
// CHECK:       llvm.func internal @warp(
// CHECK:         %[[FRAME:.+]] = llvm.alloca
// CHECK:         llvm.call %{{.+}}(%{{.+}}) : !llvm.ptr, (i32, i32, i32, i32, i32, i32, !llvm.ptr) -> i32
// CHECK:         llvm.call %{{.+}}(%{{.+}}) : !llvm.ptr, (i32, !llvm.ptr, !llvm.ptr, !llvm.ptr, !llvm.ptr, i32) -> ()
// CHECK:         llvm.load %{{.+}} : !llvm.ptr -> f32
module {
  gpu.module @k_gpu {
    llvm.func @warp(%out: !llvm.ptr, %a: vector<2xf16>, %c: f32, %m: i32) attributes {gpu.kernel, nvvm.kernel} {
      %s = nvvm.shfl.sync bfly %m, %c, %m, %m : f32 -> f32
      %d = nvvm.mma.sync A[%a, %a, %a, %a] B[%a, %a] C[%s, %c, %c, %c]
        {layoutA = #nvvm.mma_layout<row>, layoutB = #nvvm.mma_layout<col>, shape = #nvvm.shape<m = 16, n = 8, k = 16>}
        : (vector<2xf16>, vector<2xf16>, f32) -> !llvm.struct<(f32, f32, f32, f32)>
      %r = llvm.extractvalue %d[0] : !llvm.struct<(f32, f32, f32, f32)>
      llvm.store %r, %out : f32, !llvm.ptr
      llvm.return
    }
  }
}
