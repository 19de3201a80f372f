// RUN: hone-opt %s | hone-opt | FileCheck %s

// CHECK-LABEL: func.func @hone_run
func.func @hone_run(%n: index, %t: i1) {
  // CHECK: hone_rt.constant 64 dense<1.000000e+00> : tensor<4xf32> : memref<4xf32>
  %c = hone_rt.constant 64 dense<1.0> : tensor<4xf32> : memref<4xf32>
  // CHECK: hone_rt.input 0 dims(%{{.+}}) : memref<?x4xf32>
  %x = hone_rt.input 0 dims(%n) : memref<?x4xf32>
  // CHECK: hone_rt.input 1 any_rank : !hone.optional<tensor<*xf32>>
  %any = hone_rt.input 1 any_rank : !hone.optional<tensor<*xf32>>
  // CHECK: hone_rt.slot 3 : memref<4xf32>
  %s = hone_rt.slot 3 : memref<4xf32>
  // CHECK: hone_rt.view %{{.+}} from %{{.+}} dims(%{{.+}}) : memref<?x4xf32> -> memref<?xf32>
  %v = hone_rt.view %x from %n dims(%n) : memref<?x4xf32> -> memref<?xf32>
  // CHECK: hone_rt.dispatch @k ins(%{{.+}} : memref<?x4xf32>) outs(%{{.+}} : memref<4xf32>) args(%{{.+}})
  hone_rt.dispatch @k ins(%x : memref<?x4xf32>) outs(%s : memref<4xf32>) args(%n)
  // CHECK: hone_rt.dispatch @k ins() outs(%{{.+}} : memref<4xf32>)
  hone_rt.dispatch @k ins() outs(%s : memref<4xf32>)
  // CHECK: hone_rt.library "unique"(%{{.+}}) config {type = 1 : i64} node 2 : (memref<4xf32>) -> memref<?xf32>
  %u = hone_rt.library "unique"(%s) config {type = 1 : i64} node 2 : (memref<4xf32>) -> memref<?xf32>
  // CHECK: hone_rt.dim %{{.+}}, 0 : memref<?xf32>
  %d = hone_rt.dim %u, 0 : memref<?xf32>
  // CHECK: hone_rt.alloc dims(%{{.+}}) : memref<?xf32>
  %b = hone_rt.alloc dims(%d) : memref<?xf32>
  // CHECK: hone_rt.copy
  hone_rt.copy %u to %b : memref<?xf32>, memref<?xf32>
  // CHECK: hone_rt.load %{{.+}}[%{{.+}}] : memref<?xf32> -> f32
  %e = hone_rt.load %b[%n] : memref<?xf32> -> f32
  // CHECK: hone_rt.store %{{.+}}, %{{.+}}[%{{.+}}] : f32, memref<?xf32>
  hone_rt.store %e, %b[%n] : f32, memref<?xf32>
  // CHECK: hone_rt.check %{{.+}} node 0 status 4
  hone_rt.check %t node 0 status 4
  // CHECK: hone_rt.check_dims dims(%{{.+}}) overflows %{{.+}} node 1 : memref<?x4xf32>
  hone_rt.check_dims dims(%n) overflows %t node 1 : memref<?x4xf32>
  // CHECK: hone_rt.check_dims dims(%{{.+}}, %{{.+}}) node 1 : memref<?x4x?xf32>
  hone_rt.check_dims dims(%n, %n) node 1 : memref<?x4x?xf32>
  // CHECK: hone_rt.slot_bytes 0 : memref<4xf32>
  hone_rt.slot_bytes 0 : memref<4xf32>
  // CHECK: hone_rt.set_output 1, %{{.+}} : memref<?xf32>
  hone_rt.set_output 1, %b : memref<?xf32>
  // CHECK: %[[MARK:.+]] = hone_rt.mark
  %m = hone_rt.mark
  // CHECK: hone_rt.end_iteration %[[MARK]] keep(%{{.+}} : memref<?xf32>)
  hone_rt.end_iteration %m keep(%b : memref<?xf32>)
  // CHECK: hone_rt.end_iteration %[[MARK]]
  hone_rt.end_iteration %m
  return
}
