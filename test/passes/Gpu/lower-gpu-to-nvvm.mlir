// RUN: hone-opt %s --pass-pipeline='builtin.module(gpu.module(hone-lower-gpu-to-nvvm))' | FileCheck %s

// Square roots are instructions, not calls of a library.
// CHECK-LABEL: llvm.func @root(
// CHECK-SAME:    nvvm.kernel
// CHECK:         nvvm.read.ptx.sreg.tid.x
// CHECK:         nvvm.shfl.sync bfly
// CHECK:         nvvm.barrier
// CHECK:         llvm.intr.sqrt
// CHECK-NOT:     llvm.call
gpu.module @device {
  gpu.func @root(%p: !llvm.ptr) workgroup(%s: memref<4xf32, 3>) kernel {
    %t = gpu.thread_id x
    %c1 = arith.constant 1 : i32
    %c32 = arith.constant 32 : i32
    %v = memref.load %s[%t] : memref<4xf32, 3>
    %o, %valid = gpu.shuffle xor %v, %c1, %c32 : f32
    gpu.barrier
    %r = math.sqrt %o : f32
    llvm.store %r, %p : f32, !llvm.ptr
    gpu.return
  }
}
