// RUN: hone-opt %s --split-input-file --mlir-print-local-scope --hone-check-sizes | FileCheck %s

// A computed shape is checked once before its use, and with it the arithmetic: a sum has the sign of one of its terms,
// and the upper half of a product is the sign extension of the lower one, unless both factors are negative. For a
// constant operand, comparisons suffice. The runtime has checked the shape of inputs.
// CHECK:       hone.nodes = [loc("c"("Conv"))]
// CHECK-LABEL: func.func @hone_run
// CHECK:         %[[N:.+]] = hone.dim "n"
// CHECK-NOT:     hone_rt.check_dims
// CHECK:         hone_rt.input 0
// CHECK:         %[[H:.+]] = arith.addi %[[N]], %c-4
// CHECK-NEXT:    %[[LESS:.+]] = arith.cmpi sgt, %[[H]], %[[N]]
// CHECK:         %[[S:.+]] = arith.addi %[[H]], %[[N]]
// CHECK-DAG:     %[[X:.+]] = arith.xori %[[H]], %[[S]]
// CHECK-DAG:     %[[Y:.+]] = arith.xori %[[N]], %[[S]]
// CHECK:         %[[B:.+]] = arith.andi %[[X]], %[[Y]]
// CHECK:         %[[SUM:.+]] = arith.cmpi slt, %[[B]], %{{.+}}
// CHECK:         %[[W:.+]] = arith.muli %[[S]], %[[N]] : index
// CHECK:         %[[LOW:.+]], %[[HIGH:.+]] = arith.mulsi_extended %[[S]], %[[N]]
// CHECK:         %[[SIGN:.+]] = arith.shrsi %[[LOW]], %c63
// CHECK:         %[[WRAPS:.+]] = arith.cmpi ne, %[[HIGH]], %[[SIGN]]
// CHECK:         %[[LARGER:.+]] = arith.maxsi %[[S]], %[[N]]
// CHECK:         %[[NEGATIVE:.+]] = arith.cmpi slt, %[[LARGER]], %c0
// CHECK:         %[[PRODUCT:.+]] = arith.ori %[[WRAPS]], %[[NEGATIVE]]
// CHECK:         arith.muli %[[W]], %c12
// CHECK:         %[[SHIFTED:.+]] = arith.addi %[[W]], %c768614336404564650
// CHECK:         %[[FAR:.+]] = arith.cmpi ugt, %[[SHIFTED]], %c1537228672809129300
// CHECK:         arith.muli %c1
// CHECK-NOT:     arith.cmpi
// CHECK:         hone_rt.check_dims {{.+}} overflows %{{.+}} node 0 : memref<?x?x?xf32>
// CHECK-NEXT:    hone_rt.slot 0
// CHECK-NOT:     hone_rt.check_dims
module {
  func.func @hone_run() {
    %n = hone.dim "n"
    %x = hone_rt.input 0 dims(%n) : memref<?x8xf32>
    %v = hone_rt.view %x dims(%n) : memref<?x8xf32> -> memref<?x8xf32>
    %c-4 = arith.constant -4 : index
    %c12 = arith.constant 12 : index
    %c1 = arith.constant 1 : index
    %h = arith.addi %n, %c-4 : index
    %s = arith.addi %h, %n : index
    %w = arith.muli %s, %n : index
    %t = arith.muli %w, %c12 : index
    %u = arith.muli %c1, %t : index
    %0 = hone_rt.slot 0 dims(%h, %w, %u) : memref<?x?x?xf32> loc(#node)
    %1 = hone_rt.slot 1 dims(%h, %w, %u) : memref<?x?x?xf32> loc(#node)
    return
  }
}
#node = loc("c"("Conv"))

// -----

// A number that a select discards may have wrapped around; a check in a branch does not count after it.
// CHECK-LABEL: func.func @hone_run
// CHECK:         %[[SIGN:.+]] = arith.cmpi slt, %[[END:.+]], %c0
// CHECK:         %[[MOVED:.+]] = arith.addi
// CHECK:         %[[WRAPPED:.+]] = arith.cmpi slt, %{{.+}}, %{{.+}} : index
// CHECK:         %[[SIZE:.+]] = arith.select %[[SIGN]], %[[MOVED]], %[[END]] : index
// CHECK:         %[[FLAG:.+]] = arith.select %[[SIGN]], %[[WRAPPED]], %false
// CHECK:         scf.if
// CHECK:           hone_rt.check_dims dims(%[[SIZE]]) overflows %[[FLAG]] node 0 : memref<?xf32>
// CHECK-NEXT:      hone_rt.alloc dims(%[[SIZE]]) node 0 : memref<?xf32>
// CHECK:         }
// CHECK:         hone_rt.check_dims dims(%[[SIZE]]) overflows %[[FLAG]] node 0 : memref<?xf32>
// CHECK-NEXT:    hone_rt.alloc
module {
  func.func @hone_run() {
    %n = hone.dim "n"
    %c0 = arith.constant 0 : index
    %s = hone_rt.input 0 : memref<1xi64>
    %loaded = hone_rt.load %s[%c0] : memref<1xi64> -> i64
    %end = arith.index_cast %loaded : i64 to index
    %negative = arith.cmpi slt, %end, %c0 : index
    %moved = arith.addi %end, %n : index
    %size = arith.select %negative, %moved, %end : index
    scf.if %negative {
      %0 = hone_rt.alloc dims(%size) : memref<?xf32>
    }
    %1 = hone_rt.alloc dims(%size) : memref<?xf32>
    return
  }
}

// -----

// A divisor from data may be 0, or -1 with the lowest number; a condition over wrong sizes does not hold.
// CHECK-LABEL: func.func @hone_run
// CHECK-DAG:     %[[ZERO:.+]] = arith.cmpi eq, %[[D:.+]], %c0
// CHECK-DAG:     %[[MINUS:.+]] = arith.cmpi eq, %[[D]], %c-1
// CHECK-DAG:     %[[LEAST:.+]] = arith.cmpi eq, %[[N:.+]], %c-9223372036854775808
// CHECK:         %[[BEYOND:.+]] = arith.andi %[[MINUS]], %[[LEAST]]
// CHECK:         %[[TRAPS:.+]] = arith.ori %[[ZERO]], %[[BEYOND]]
// CHECK:         %[[SAFE:.+]] = arith.select %[[TRAPS]], %c1{{.*}}, %[[D]] : index
// CHECK:         %[[Q:.+]] = arith.floordivsi %[[N]], %[[SAFE]]
// CHECK:         %[[HOLDS:.+]] = arith.cmpi eq, %[[Q]], %[[N]]
// CHECK:         %[[RIGHT:.+]] = arith.xori %[[TRAPS]], %true
// CHECK:         %[[BOTH:.+]] = arith.andi %[[HOLDS]], %[[RIGHT]]
// CHECK:         hone_rt.check %[[BOTH]] node 0 status 4
module {
  func.func @hone_run() {
    %n = hone.dim "n"
    %c0 = arith.constant 0 : index
    %s = hone_rt.input 0 : memref<1xindex>
    %d = hone_rt.load %s[%c0] : memref<1xindex> -> index
    %q = arith.floordivsi %n, %d : index
    %holds = arith.cmpi eq, %q, %n : index
    hone_rt.check %holds node 0 status 4
    return
  }
}
