// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(hone-bufferize-kernels{teams=true},cse)' | FileCheck %s

// A line in memory of the team, sorted there: elements with their positions.
// CHECK-LABEL: func.func @best(
// CHECK:         scf.forall (%[[ROW:.+]], %{{.+}}) in (64, 1) {
// CHECK-DAG:       %[[ELEMENTS:.+]] = memref.alloca() : memref<128xf32>
// CHECK-DAG:       %[[PLACES:.+]] = memref.alloca() : memref<128xi32>
// CHECK:           scf.forall (%{{.+}}) in (128) {
// CHECK:             memref.store %{{.+}}, %[[ELEMENTS]]
// CHECK:           scf.for
// CHECK:             scf.for
// CHECK:               scf.forall (%{{.+}}) in (64) {
// CHECK:                 %[[IS_TIE:.+]] = arith.cmpi eq, %[[FIRST:.+]], %{{.+}} : i1
// CHECK:                 %[[IS_EARLIER:.+]] = arith.cmpi slt, %{{.+}}, %{{.+}} : i32
// CHECK:                 arith.select %[[IS_TIE]], %[[IS_EARLIER]], %[[FIRST]]
// CHECK-NOT:       scf.for {{.*}} step
// CHECK:           scf.forall (%{{.+}}) in (5) {
func.func @best(%a: tensor<64x100xf32>) -> (tensor<64x5xf32>, tensor<64x5xi64>) attributes {hone.kernel} {
  %v, %i = hone.top_k %a axis 1 : tensor<64x100xf32> -> tensor<64x5xf32>, tensor<64x5xi64>
  return %v, %i : tensor<64x5xf32>, tensor<64x5xi64>
}

// -----

// Longer lines: 64 stay, 1984 are replaced at a time.
// CHECK-LABEL: func.func @long(
// CHECK:         scf.forall (%{{.+}}, %{{.+}}) in (100, 1) {
// CHECK:           memref.alloca() : memref<2048xf32>
// CHECK:           scf.for %{{.+}} = %c2048 to %c50000 step %c1984 {
// CHECK:             scf.forall (%{{.+}}) in (1984) {
func.func @long(%a: tensor<100x50000xf32>) -> (tensor<100x50xf32>, tensor<100x50xi64>) attributes {hone.kernel} {
  %v, %i = hone.top_k %a axis 1 : tensor<100x50000xf32> -> tensor<100x50xf32>, tensor<100x50xi64>
  return %v, %i : tensor<100x50xf32>, tensor<100x50xi64>
}

// -----

// Only one: the best 64 of each of 25 parts, and the best of those.
// CHECK-LABEL: func.func @single(
// CHECK:         %[[VALUES:.+]] = memref.alloc() {{.*}} : memref<1x1x1600xf32>
// CHECK:         %[[PLACES:.+]] = memref.alloc() {{.*}} : memref<1x1x1600xi32>
// CHECK:         scf.forall (%{{.+}}, %{{.+}}, %[[PART:.+]]) in (1, 1, 25) {
// CHECK:           arith.muli %[[PART]], %c2000
// CHECK:           scf.forall (%{{.+}}) in (64) {
// CHECK:             memref.store %{{.+}}, %[[VALUES]]
// CHECK:             memref.store %{{.+}}, %[[PLACES]]
// CHECK:         scf.forall (%{{.+}}, %{{.+}}) in (1, 1) {
// CHECK:           memref.load %[[VALUES]]
// CHECK:           memref.load %[[PLACES]]
func.func @single(%a: tensor<1x50000xf32>) -> (tensor<1x50xf32>, tensor<1x50xi64>) attributes {hone.kernel} {
  %v, %i = hone.top_k %a axis 1 : tensor<1x50000xf32> -> tensor<1x50xf32>, tensor<1x50xi64>
  return %v, %i : tensor<1x50xf32>, tensor<1x50xi64>
}

// -----

// 1024 elements at a time; the sum before them is carried.
// CHECK-LABEL: func.func @running_sum(
// CHECK:         scf.forall (%{{.+}}, %{{.+}}) in (8, 1) {
// CHECK:           memref.alloca() : memref<1056xf32>
// CHECK:           %[[TOTALS:.+]] = memref.alloca() : memref<2x256xf32>
// CHECK:           scf.for %{{.+}} = %c0 to %c5000 step %c1024 iter_args(%[[BEFORE:.+]] = %{{.+}}) -> (f32) {
// CHECK:             scf.forall (%{{.+}}) in (1024) {
// CHECK-COUNT-9:     scf.forall (%{{.+}}) in (256) {
// CHECK:             scf.forall (%{{.+}}) in (1024) {
// CHECK:             %[[LAST:.+]] = memref.load %[[TOTALS]][%c0, %c255]
// CHECK:             %[[SUM:.+]] = arith.addf %[[BEFORE]], %[[LAST]]
// CHECK:             scf.yield %[[SUM]]
func.func @running_sum(%a: tensor<8x5000xf32>) -> tensor<8x5000xf32> attributes {hone.kernel} {
  %r = hone.cumulate sum %a axis 1 : tensor<8x5000xf32>
  return %r : tensor<8x5000xf32>
}

// -----

// Many adjacent lines: an iteration for each, which reads next to its neighbours.
// CHECK-LABEL: func.func @columns(
// CHECK-NOT:     memref.alloca
// CHECK:         scf.forall (%{{.+}}, %{{.+}}) in (2, 4096) {
// CHECK:           scf.for
// CHECK-NOT:       scf.forall
func.func @columns(%a: tensor<2x50x4096xf32>) -> tensor<2x50x4096xf32> attributes {hone.kernel} {
  %r = hone.cumulate sum %a axis 1 : tensor<2x50x4096xf32>
  return %r : tensor<2x50x4096xf32>
}

// -----

// The copy is a separate step; 1000 teams have a slice each and scan all updates in order, 256 at a time.
// CHECK-LABEL: func.func @slices(
// CHECK:         linalg.generic
// CHECK:         scf.forall (%[[OWNER:.+]], %{{.+}}) in (1000, 1) {
// CHECK:           %[[LOOKED:.+]] = memref.alloca() : memref<2x256xi64>
// CHECK:           scf.for %{{.+}} = %c0 to %c600 step %c256 iter_args(%[[HALF:.+]] = %c0)
// CHECK:             scf.forall (%{{.+}}) in (256) {
// CHECK:               hone.checked_index
// CHECK:               memref.store %{{.+}}, %[[LOOKED]][%[[HALF]], %{{.+}}]
// CHECK:             scf.for
// CHECK:               memref.load %[[LOOKED]]
// CHECK:               scf.if
// CHECK:                 scf.forall
// CHECK:                   arith.addf
func.func @slices(%a: tensor<1000x64xf32>, %i: tensor<600x1xi64>, %u: tensor<600x64xf32>) -> tensor<1000x64xf32>
    attributes {hone.kernel} {
  %r = hone.scatter sum %u into %a[%i] {hone.node = 0 : i32} : tensor<1000x64xf32>, tensor<600x1xi64>, tensor<600x64xf32>
  return %r : tensor<1000x64xf32>
}

// -----

// Columns are disjoint: an iteration for each of them.
// CHECK-LABEL: func.func @elements(
// CHECK:         linalg.generic
// CHECK:         scf.forall (%{{.+}}) in (4096) {
// CHECK:           scf.for %{{.+}} = %c0 to %c90
// CHECK-NOT:       scf.forall
func.func @elements(%a: tensor<100x4096xf32>, %i: tensor<90x4096xi64>, %u: tensor<90x4096xf32>) -> tensor<100x4096xf32>
    attributes {hone.kernel} {
  %r = hone.scatter assign %u into %a[%i] axis 0 {hone.node = 0 : i32} : tensor<100x4096xf32>, tensor<90x4096xi64>, tensor<90x4096xf32>
  return %r : tensor<100x4096xf32>
}

// -----

// An iteration for each element.
// CHECK-LABEL: func.func @padded(
// CHECK:         scf.forall (%[[I:.+]], %[[J:.+]]) in (10, 1028) {
// CHECK:           %[[FROM:.+]] = arith.subi %[[J]], %c3
// CHECK:           arith.cmpi ult, %[[FROM]], %c1024
// CHECK:           scf.if
// CHECK:             memref.load
// CHECK:           memref.store %{{.+}}, %{{.+}}[%[[I]], %[[J]]]
func.func @padded(%a: tensor<10x1024xf32>) -> tensor<10x1028xf32> attributes {hone.kernel} {
  %zero = arith.constant 0.0 : f32
  %r = hone.pad %a with %zero low [0, 3] high [0, 1] : tensor<10x1024xf32>, f32 -> tensor<10x1028xf32>
  return %r : tensor<10x1028xf32>
}
