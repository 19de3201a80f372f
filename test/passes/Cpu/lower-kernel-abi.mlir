// RUN: hone-opt %s --hone-lower-kernel-abi | FileCheck %s

// The part of the loop that belongs to pieces [begin, end): iterations [T * begin / P, T * end / P).
// CHECK-LABEL: func.func @k(
// CHECK-SAME:    %{{.+}}: !llvm.ptr, %{{.+}}: !llvm.ptr, %{{.+}}: i64, %{{.+}}: i64, %{{.+}}: !llvm.ptr) -> i32
// CHECK:         arith.div{{[us]}}i
// CHECK:         scf.for
// CHECK-NOT:     scf.forall
// CHECK:         return %{{.+}} : i32
func.func private @k(%x: memref<64xf32>, %r: memref<64xf32>) attributes {hone.kernel, hone.pieces = 4 : i64} {
  scf.forall (%i) in (64) {
    %v = memref.load %x[%i] : memref<64xf32>
    memref.store %v, %r[%i] : memref<64xf32>
  }
  return
}
