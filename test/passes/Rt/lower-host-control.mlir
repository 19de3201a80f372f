// RUN: hone-opt %s --hone-lower-host-control | FileCheck %s

// Consecutive and nested branches, and a loop.
// CHECK-LABEL: func.func @main(
// CHECK-SAME:    %[[A:.+]]: i1, %[[B:.+]]: i1, %[[N:.+]]: index
// CHECK:         cf.cond_br %[[A]], ^[[THEN:.+]], ^[[ELSE:.+]]
// CHECK:       ^[[THEN]]:
// CHECK:         call @step(%c0
// CHECK:         cf.cond_br %[[B]], ^[[INNER:.+]], ^[[JOIN:.+]]
// CHECK:       ^[[INNER]]:
// CHECK:         call @step(%c1
// CHECK:       ^[[ELSE]]:
// CHECK:         call @step(%c2
// CHECK:         cf.cond_br %[[B]], ^[[SECOND:.+]], ^[[LOOP:.+]]
// CHECK:       ^[[SECOND]]:
// CHECK:         call @step(%c3
// CHECK:         arith.cmpi slt
// CHECK:         call @step(%c4
// CHECK-NOT:     scf.
func.func private @step(index)
func.func @main(%a: i1, %b: i1, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %c4 = arith.constant 4 : index
  scf.if %a {
    func.call @step(%c0) : (index) -> ()
    scf.if %b {
      func.call @step(%c1) : (index) -> ()
    }
  } else {
    func.call @step(%c2) : (index) -> ()
  }
  scf.if %b {
    func.call @step(%c3) : (index) -> ()
  }
  scf.for %i = %c0 to %n step %c1 {
    func.call @step(%c4) : (index) -> ()
  }
  return
}
