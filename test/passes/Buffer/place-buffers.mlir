// RUN: hone-opt %s --split-input-file --hone-place-buffers | FileCheck %s

// Buffers of device kernels are on the device; the host reads a copy, made once, and inputs in place.
// CHECK-LABEL: func.func @hone_run
// CHECK:         %[[X:.+]] = hone_rt.input 0 : memref<2048xf32, #hone_rt.device>
// CHECK:         %[[A:.+]] = hone_rt.slot 0 : memref<2048xf32, #hone_rt.device>
// CHECK-NEXT:    hone_rt.dispatch @k ins(%[[X]] : memref<2048xf32, #hone_rt.device>) outs(%[[A]] : memref<2048xf32, #hone_rt.device>)
// CHECK-NEXT:    %[[H:.+]] = hone_rt.slot 0 : memref<2048xf32>
// CHECK-NEXT:    hone_rt.copy %[[A]] to %[[H]] : memref<2048xf32, #hone_rt.device>, memref<2048xf32>
// CHECK:         hone_rt.load %[[H]]
// CHECK:         hone_rt.load %[[H]]
// CHECK:         hone_rt.library "unique"(%[[H]])
module {
  func.func private @k(tensor<2048xf32>) -> tensor<2048xf32> attributes {hone.kernel, hone.device}
  func.func @hone_run() {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %x = hone_rt.input 0 : memref<2048xf32>
    %0 = hone_rt.slot 0 : memref<2048xf32>
    hone_rt.dispatch @k ins(%x : memref<2048xf32>) outs(%0 : memref<2048xf32>)
    %a = hone_rt.load %0[%c0] : memref<2048xf32> -> f32
    %b = hone_rt.load %0[%c1] : memref<2048xf32> -> f32
    %u = hone_rt.library "unique"(%0) node 0 : (memref<2048xf32>) -> memref<?xf32>
    hone_rt.set_output 0, %u : memref<?xf32>
    return
  }
}

// -----

// A kernel of few elements that only the host reads goes to the host; so does one whose sizes depend on data.
// CHECK-LABEL: func.func private @shape(tensor<4xi64>) -> tensor<4xi64> attributes {hone.kernel}
// CHECK:       func.func private @sized(tensor<?xf32>) -> tensor<?xf32> attributes {hone.kernel}
// CHECK:       func.func @hone_run
// CHECK-NOT:     #hone_rt.device
module {
  func.func private @shape(tensor<4xi64>) -> tensor<4xi64> attributes {hone.kernel, hone.device}
  func.func private @sized(tensor<?xf32>) -> tensor<?xf32> attributes {hone.kernel, hone.device}
  func.func @hone_run() {
    %c0 = arith.constant 0 : index
    %x = hone_rt.input 0 : memref<4xi64>
    %0 = hone_rt.slot 0 : memref<4xi64>
    hone_rt.dispatch @shape ins(%x : memref<4xi64>) outs(%0 : memref<4xi64>)
    %n = hone_rt.load %0[%c0] : memref<4xi64> -> i64
    %size = arith.index_cast %n : i64 to index
    %1 = hone_rt.alloc dims(%size) : memref<?xf32>
    %2 = hone_rt.alloc dims(%size) : memref<?xf32>
    hone_rt.dispatch @sized ins(%1 : memref<?xf32>) outs(%2 : memref<?xf32>)
    hone_rt.set_output 0, %2 : memref<?xf32>
    return
  }
}

// -----

// A constant is available in both places; results of the host are copied over, and a buffer that is only copied stays
// with the other side.
// CHECK-LABEL: func.func private @host(
// CHECK:       func.func @hone_run
// CHECK-DAG:     %[[W:.+]] = hone_rt.constant 0 dense<1.000000e+00> : tensor<2048xf32> : memref<2048xf32, #hone_rt.device>
// CHECK-DAG:     %[[V:.+]] = hone_rt.constant 0 dense<1.000000e+00> : tensor<2048xf32> : memref<2048xf32>
// CHECK:         %[[A:.+]] = hone_rt.slot 0 : memref<2048xf32, #hone_rt.device>
// CHECK:         %[[L:.+]] = hone_rt.slot 0 : memref<2048xf32>
// CHECK-NEXT:    hone_rt.dispatch @host ins(%[[V]] : memref<2048xf32>) outs(%[[L]] : memref<2048xf32>)
// CHECK-NEXT:    hone_rt.copy %[[L]] to %[[A]] : memref<2048xf32>, memref<2048xf32, #hone_rt.device>
// CHECK:         hone_rt.dispatch @k ins(%[[A]], %[[W]] :
// CHECK:         hone_rt.copy %{{.+}} to %{{.+}} : memref<2048xf32, #hone_rt.device>, memref<2048xf32, #hone_rt.device>
module {
  func.func private @host(tensor<2048xf32>) -> tensor<2048xf32> attributes {hone.kernel}
  func.func private @k(tensor<2048xf32>, tensor<2048xf32>) -> tensor<2048xf32> attributes {hone.kernel, hone.device}
  func.func @hone_run() {
    %w = hone_rt.constant 0 dense<1.0> : tensor<2048xf32> : memref<2048xf32>
    %0 = hone_rt.slot 0 : memref<2048xf32>
    hone_rt.dispatch @host ins(%w : memref<2048xf32>) outs(%0 : memref<2048xf32>)
    %1 = hone_rt.slot 1 : memref<2048xf32>
    hone_rt.dispatch @k ins(%0, %w : memref<2048xf32>, memref<2048xf32>) outs(%1 : memref<2048xf32>)
    %y = hone_rt.output 0 : memref<2048xf32>
    hone_rt.copy %1 to %y : memref<2048xf32>, memref<2048xf32>
    return
  }
}

// -----

// An operand at an offset in its buffer is copied, unless the offset is a multiple of 16 bytes.
// CHECK-LABEL: func.func private @aligned(
// CHECK:       func.func @hone_run
// CHECK:         %[[EVEN:.+]] = hone_rt.view %{{.+}} from %{{.+}} : memref<64x32xf32, #hone_rt.device> -> memref<32xf32, #hone_rt.device>
// CHECK:         hone_rt.dispatch @aligned ins(%[[EVEN]] :
// CHECK:         %[[ODD:.+]] = hone_rt.view %{{.+}} from %{{.+}} : memref<64x32xf32, #hone_rt.device> -> memref<32xf32, #hone_rt.device>
// CHECK:         %[[COPY:.+]] = hone_rt.slot 0 : memref<32xf32, #hone_rt.device>
// CHECK-NEXT:    hone_rt.copy %[[ODD]] to %[[COPY]]
// CHECK-NEXT:    hone_rt.dispatch @aligned ins(%[[COPY]] :
module {
  func.func private @aligned(tensor<32xf32>) -> tensor<32xf32> attributes {hone.kernel, hone.device}
  func.func @hone_run() {
    %n = hone.dim "n"
    %c32 = arith.constant 32 : index
    %x = hone_rt.input 0 : memref<64x32xf32>
    %row = arith.muli %n, %c32 : index
    %even = hone_rt.view %x from %row : memref<64x32xf32> -> memref<32xf32>
    %0 = hone_rt.slot 0 : memref<32xf32>
    hone_rt.dispatch @aligned ins(%even : memref<32xf32>) outs(%0 : memref<32xf32>)
    %odd = hone_rt.view %x from %n : memref<64x32xf32> -> memref<32xf32>
    %y = hone_rt.output 0 : memref<32xf32>
    hone_rt.dispatch @aligned ins(%odd : memref<32xf32>) outs(%y : memref<32xf32>)
    return
  }
}
