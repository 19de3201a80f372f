// RUN: hone-opt %s --pass-pipeline='builtin.module(hone-lower-kernel-abi,hone-lower-kernel-to-llvm)' | FileCheck %s
// RUN: hone-opt %s --pass-pipeline='builtin.module(hone-lower-kernel-abi,hone-lower-kernel-to-llvm)' --remarks-filter-missed=.* -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
// REMARK: {{.Missed.}} slow | Category:lower-kernel-to-llvm | Reason="a function of libm is called for each element"

// Nothing is left but llvm; a string is a pointer and a length; sums of a vector may be reassociated.
// CHECK-LABEL: llvm.func @kernel(
// CHECK-SAME:    !llvm.ptr, %{{.+}}: !llvm.ptr, %{{.+}}: i64, %{{.+}}: i64, %{{.+}}: !llvm.ptr) -> i32
// CHECK-NOT:     unrealized_conversion_cast
// CHECK:         llvm.load {{.*}} -> !llvm.struct<(ptr, i64)>
// CHECK:         llvm.intr.vector.reduce.fadd{{.*}}reassoc
// CHECK:         llvm.intr.atan
// CHECK:         llvm.return
func.func private @kernel(%s: memref<4x!hone.string>, %x: memref<8xf32>, %t: memref<4x!hone.string>, %o: memref<f32>) attributes {hone.kernel} {
  %c0 = arith.constant 0 : index
  scf.forall (%i) in (4) {
    %v = memref.load %s[%i] : memref<4x!hone.string>
    memref.store %v, %t[%i] : memref<4x!hone.string>
  }
  scf.forall (%i) in (1) {
    %v = vector.load %x[%c0] : memref<8xf32>, vector<8xf32>
    %r = vector.reduction <add>, %v : vector<8xf32> into f32
    %a = math.atan %r : f32
    memref.store %a, %o[] : memref<f32>
  }
  return
}
