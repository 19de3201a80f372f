// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(hone-set-machine{cpu=x86-64-v3},func.func(hone-apply-tuning))' | FileCheck %s
// RUN: hone-opt %s --split-input-file --remarks-filter-missed=.* --pass-pipeline='builtin.module(hone-set-machine{cpu=x86-64-v3},func.func(hone-apply-tuning))' 2>&1 | FileCheck %s --check-prefix=REMARK

// A kernel is known by what it computes, whatever it is called and says of itself. The table goes.
// CHECK-LABEL: func.func private @tuned(
// CHECK-NOT:   hone.tuning
// CHECK:       schedule <form = "fma", tileRows = 3, tileVectors = 2, blockRows = 48, blockColumns = 0, blockK = 0, packed = false>
#schedule = #hone.schedule<form = "fma", tileRows = 3, tileVectors = 2, blockRows = 48, blockColumns = 0, blockK = 0, packed = false>
func.func private @tuned(%arg0: tensor<96x40xf32> {hone.in_place = 0 : i64}, %arg1: tensor<40x32xf32>) -> tensor<96x32xf32>
    attributes {hone.kernel, hone.pieces = 3 : i64, hone.tuning = [[#hone_machine.cpu<"x86-64-v2">, {}], [#hone_machine.cpu<"x86-64-v3">, {"30ab7c9adbf334b47ce6b152ed8a2704" = [#schedule]}]]} {
  %0 = tensor.empty() : tensor<96x32xf32>
  %1 = hone.kernel.matmul ins(%arg0, %arg1 : tensor<96x40xf32>, tensor<40x32xf32>) maps [] outs(%0 : tensor<96x32xf32>) {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  } -> tensor<96x32xf32>
  return %1 : tensor<96x32xf32>
}

// -----

// The entry is for another machine.
// CHECK-LABEL: func.func private @other_machine(
// CHECK-NOT:   schedule <
// CHECK:       return
// REMARK: no tuning file has an entry for this kernel
#schedule = #hone.schedule<form = "fma", tileRows = 3, tileVectors = 2, blockRows = 48, blockColumns = 0, blockK = 0, packed = false>
func.func private @other_machine(%arg0: tensor<96x40xf32>, %arg1: tensor<40x32xf32>) -> tensor<96x32xf32>
    attributes {hone.tuning = [[#hone_machine.cpu<"x86-64-v4">, {"30ab7c9adbf334b47ce6b152ed8a2704" = [#schedule]}]]} {
  %0 = tensor.empty() : tensor<96x32xf32>
  %1 = hone.kernel.matmul ins(%arg0, %arg1 : tensor<96x40xf32>, tensor<40x32xf32>) maps [] outs(%0 : tensor<96x32xf32>) {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  } -> tensor<96x32xf32>
  return %1 : tensor<96x32xf32>
}

// -----

// The entry is for another kernel.
// CHECK-LABEL: func.func private @other_kernel(
// CHECK-NOT:   schedule <
// CHECK:       return
// REMARK: no tuning file has an entry for this kernel
#schedule = #hone.schedule<form = "fma", tileRows = 3, tileVectors = 2, blockRows = 48, blockColumns = 0, blockK = 0, packed = false>
func.func private @other_kernel(%arg0: tensor<96x40xf32>, %arg1: tensor<40x32xf32>) -> tensor<96x32xf32>
    attributes {hone.tuning = [[#hone_machine.cpu<"x86-64-v3">, {"4d4838128cb27f01aa0d1bdebd20d763" = [#schedule]}]]} {
  %0 = tensor.empty() : tensor<96x32xf32>
  %1 = hone.kernel.matmul ins(%arg0, %arg1 : tensor<96x40xf32>, tensor<40x32xf32>) maps [] outs(%0 : tensor<96x32xf32>) {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  } -> tensor<96x32xf32>
  return %1 : tensor<96x32xf32>
}

// -----

// A kernel of two operations.
// CHECK-LABEL: func.func private @other_operations(
// CHECK-NOT:   schedule <
// CHECK:       return
// REMARK: its schedules are for other operations
#schedule = #hone.schedule<form = "fma", tileRows = 3, tileVectors = 2, blockRows = 48, blockColumns = 0, blockK = 0, packed = false>
func.func private @other_operations(%arg0: tensor<96x40xf32>, %arg1: tensor<40x32xf32>) -> tensor<96x32xf32>
    attributes {hone.tuning = [[#hone_machine.cpu<"x86-64-v3">, {"30ab7c9adbf334b47ce6b152ed8a2704" = [#schedule, #schedule]}]]} {
  %0 = tensor.empty() : tensor<96x32xf32>
  %1 = hone.kernel.matmul ins(%arg0, %arg1 : tensor<96x40xf32>, tensor<40x32xf32>) maps [] outs(%0 : tensor<96x32xf32>) {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  } -> tensor<96x32xf32>
  return %1 : tensor<96x32xf32>
}

// -----

// More than the machine has.
// CHECK-LABEL: func.func private @registers(
// CHECK-NOT:   schedule <
// CHECK:       return
// REMARK: its schedule has tiles of 7 x 2 vectors, more than x86-64-v3 has registers for
#schedule = #hone.schedule<form = "fma", tileRows = 7, tileVectors = 2, blockRows = 48, blockColumns = 0, blockK = 0, packed = false>
func.func private @registers(%arg0: tensor<96x40xf32>, %arg1: tensor<40x32xf32>) -> tensor<96x32xf32>
    attributes {hone.tuning = [[#hone_machine.cpu<"x86-64-v3">, {"30ab7c9adbf334b47ce6b152ed8a2704" = [#schedule]}]]} {
  %0 = tensor.empty() : tensor<96x32xf32>
  %1 = hone.kernel.matmul ins(%arg0, %arg1 : tensor<96x40xf32>, tensor<40x32xf32>) maps [] outs(%0 : tensor<96x32xf32>) {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  } -> tensor<96x32xf32>
  return %1 : tensor<96x32xf32>
}
