// RUN: hone-opt %s --pass-pipeline='builtin.module(hone-lower-launch-stub,canonicalize)' | FileCheck %s

// Two launches with memory between them: the second only if the first succeeded.
// CHECK-LABEL: func.func @steps(
// CHECK-SAME:    %[[PTRS:.+]]: !llvm.ptr, %[[DIMS:.+]]: !llvm.ptr, %{{.+}}: i64, %{{.+}}: i64, %[[CONTEXT:.+]]: !llvm.ptr) -> i32
// CHECK:         llvm.load %[[PTRS]]
// CHECK:         llvm.load %[[DIMS]]
// CHECK:         %[[REGION:.+]] = llvm.call @hone_rt_device_scratch(%[[CONTEXT]], %{{.+}})
// CHECK:         %[[NULL:.+]] = llvm.icmp "eq" %[[REGION]]
// CHECK:         %[[CODE:.+]] = arith.select %[[NULL]], %c5_i32
// CHECK:         memref.store %[[CODE]], %[[STATUS:.+]][]
// CHECK:         memref.load %[[STATUS]][]
// CHECK:         scf.if
// CHECK:           %[[FIRST:.+]] = llvm.call @hone_rt_launch(%[[CONTEXT]], %{{.+}}, %{{.+}})
// CHECK:           memref.store %[[FIRST]], %[[STATUS]][]
// CHECK:         memref.load %[[STATUS]][]
// CHECK:         scf.if
// CHECK:           %[[CELL:.+]] = llvm.getelementptr %[[CONTEXT]][32]
// CHECK:           llvm.load %[[CELL]]
// CHECK:           llvm.call @hone_rt_launch(
// CHECK:         %[[RESULT:.+]] = memref.load %[[STATUS]][]
// CHECK:         return %[[RESULT]] : i32
module attributes {gpu.container_module} {
  gpu.module @steps_gpu {
    gpu.func @steps_step0(%p: !llvm.ptr) kernel {
      gpu.return
    }
    gpu.func @steps_step1(%p: !llvm.ptr, %cell: !llvm.ptr {hone.error_cell}) kernel {
      gpu.return
    }
  }
  func.func @steps(%x: memref<?xf32>) attributes {hone.kernel} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c32 = arith.constant 32 : index
    %n = memref.dim %x, %c0 : memref<?xf32>
    %t = memref.alloc(%n) : memref<?xf32>
    %i = memref.extract_aligned_pointer_as_index %t : memref<?xf32> -> index
    %a = arith.index_cast %i : index to i64
    %p = llvm.inttoptr %a : i64 to !llvm.ptr
    %null = llvm.mlir.zero : !llvm.ptr
    gpu.launch_func @steps_gpu::@steps_step0 blocks in (%n, %c1, %c1) threads in (%c32, %c1, %c1) args(%p : !llvm.ptr)
    gpu.launch_func @steps_gpu::@steps_step1 blocks in (%n, %c1, %c1) threads in (%c32, %c1, %c1)
      args(%p : !llvm.ptr, %null : !llvm.ptr)
    return
  }

  // Temporaries allocated at the start share one region.
  // CHECK-LABEL: func.func @temporaries(
  // CHECK:         %[[REGION:.+]] = llvm.call @hone_rt_device_scratch(
  // CHECK:         llvm.getelementptr %[[REGION]][64]
  // CHECK-NOT:     memref.alloc
  func.func @temporaries() attributes {hone.kernel} {
    %s = memref.alloc() : memref<4xf32>
    %t = memref.alloc() : memref<8xf32>
    %c1 = arith.constant 1 : index
    %i = memref.extract_aligned_pointer_as_index %s : memref<4xf32> -> index
    %k = memref.extract_aligned_pointer_as_index %t : memref<8xf32> -> index
    %sum = arith.addi %i, %k : index
    %a = arith.index_cast %sum : index to i64
    %p = llvm.inttoptr %a : i64 to !llvm.ptr
    gpu.launch_func @steps_gpu::@steps_step0 blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1) args(%p : !llvm.ptr)
    return
  }
}
