// RUN: hone-opt %s --hone-lower-kernel-abi --hone-lower-kernel-to-llvm | FileCheck %s

// CHECK-LABEL: llvm.func @k(
// CHECK-SAME:    %{{.+}}: !llvm.ptr, %{{.+}}: !llvm.ptr, %{{.+}}: i64, %{{.+}}: i64, %{{.+}}: !llvm.ptr) -> i32
// CHECK-NOT:     memref
// CHECK:         llvm.intr.masked.store
func.func private @k(%x: memref<12xf32>, %r: memref<12xf32>) attributes {hone.kernel, hone.pieces = 1 : i64} {
  %c0 = arith.constant 0 : index
  %c4 = arith.constant 4 : index
  %v = vector.load %x[%c0] : memref<12xf32>, vector<8xf32>
  %m = vector.create_mask %c4 : vector<8xi1>
  vector.maskedstore %r[%c0], %m, %v : memref<12xf32>, vector<8xi1>, vector<8xf32>
  return
}
