// RUN: hone-opt %s --hone-convert-host-to-llvm | FileCheck %s

// Arithmetic that LLVM has, that is expanded, and that libm has; branches and calls.
// CHECK-DAG:     llvm.func @erf(f64) -> f64
// CHECK-LABEL: llvm.func @main(
// CHECK-SAME:    %[[N:.+]]: i64, %[[X:.+]]: f64
// CHECK:         llvm.add
// CHECK:         llvm.sdiv
// CHECK:         llvm.intr.sqrt(%[[X]])
// CHECK:         llvm.call @erf
// CHECK:         llvm.cond_br %{{.+}}, ^{{.+}}, ^{{.+}}
// CHECK:         llvm.call @step(%{{.+}}) : (i64) -> ()
// CHECK-NOT:     unrealized_conversion_cast
func.func private @step(index)
func.func @main(%n: index, %x: f64) -> f64 {
  %sum = arith.addi %n, %n : index
  %quotient = arith.ceildivsi %sum, %n : index
  %root = math.sqrt %x : f64
  %erf = math.erf %root : f64
  %more = arith.cmpi slt, %quotient, %n : index
  cf.cond_br %more, ^step, ^end
^step:
  func.call @step(%quotient) : (index) -> ()
  cf.br ^end
^end:
  return %erf : f64
}
