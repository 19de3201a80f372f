// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(hone-gpu-lower-convolutions,canonicalize,cse))' | FileCheck %s

// A product of pixels x filter: padding is detected by comparing positions while the input is brought into shared
// memory.
// CHECK-LABEL: func.func @panels(
// CHECK:         gpu.launch {{.*}}workgroup
// CHECK:         scf.for
// CHECK:           %[[ROW:.+]] = arith.cmpi ult, %{{.+}}, %[[SIZE:.+]] : index
// CHECK:           %[[COLUMN:.+]] = arith.cmpi ult, %{{.+}}, %[[SIZE]] : index
// CHECK:           %[[INSIDE:.+]] = arith.andi %[[ROW]], %[[COLUMN]]
// CHECK:           scf.if %[[INSIDE]] -> (vector<4xf32>)
// CHECK:             vector.load {{.*}} memref<1605632xf32>, vector<4xf32>
// CHECK:           vector.fma
// CHECK:         arith.maximumf
func.func @panels(%a: memref<8x56x56x64xf32>, %f: memref<8x3x3x64x16xf32>, %bias: memref<128xf32>, %out: memref<8x56x56x128xf32>) {
  hone.kernel.conv ins(%a, %f : memref<8x56x56x64xf32>, memref<8x3x3x64x16xf32>) extras(%bias : memref<128xf32>)
      maps [affine_map<(d0, d1, d2, d3) -> (d3)>] outs(%out : memref<8x56x56x128xf32>) kernel [3, 3] strides [1, 1]
      dilations [1, 1] pads [1, 1, 1, 1] group 1 channels_last packed <16, 1> {
  ^bb0(%acc: f32, %x: f32):
    %s = arith.addf %acc, %x : f32
    %zero = arith.constant 0.0 : f32
    %r = arith.maximumf %s, %zero : f32
    hone.kernel.yield %r : f32
  }
  return
}

// -----

// One element without padding: no position is compared. f16 goes to tensor cores.
// CHECK-LABEL: func.func @pointwise(
// CHECK:         nvgpu.device_async_copy
// CHECK-NOT:     arith.cmpi ult
// CHECK:         nvvm.mma.sync
func.func @pointwise(%a: memref<8x56x56x64xf16>, %f: memref<8x1x1x64x16xf16>, %out: memref<8x56x56x128xf16>) {
  hone.kernel.conv ins(%a, %f : memref<8x56x56x64xf16>, memref<8x1x1x64x16xf16>) maps []
      outs(%out : memref<8x56x56x128xf16>) kernel [1, 1] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] group 1
      channels_last packed <16, 1> {
  ^bb0(%acc: f32):
    %h = arith.truncf %acc : f32 to f16
    hone.kernel.yield %h : f16
  }
  return
}

// -----

// Depthwise: a thread has four channels of a pixel.
// CHECK-LABEL: func.func @depthwise(
// CHECK:         gpu.launch
// CHECK-NOT:     workgroup
// CHECK:         scf.for
// CHECK:           scf.for
// CHECK:             vector.load {{.*}} {alignment = 16 : i64} : memref<576xf32>, vector<4xf32>
// CHECK:             vector.fma
// CHECK:         vector.store {{.*}} {alignment = 16 : i64} : memref<?xf32>, vector<4xf32>
func.func @depthwise(%a: memref<?x56x56x64xf32>, %f: memref<3x3x64xf32>, %out: memref<?x56x56x64xf32>) {
  hone.kernel.conv ins(%a, %f : memref<?x56x56x64xf32>, memref<3x3x64xf32>) maps [] outs(%out : memref<?x56x56x64xf32>)
      kernel [3, 3] strides [1, 1] dilations [1, 1] pads [1, 1, 1, 1] group 64 channels_last depthwise {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// All others: a thread for each of the 486 elements.
// CHECK-LABEL: func.func @plain(
// CHECK-DAG:     %[[COUNT:.+]] = arith.constant 486 : index
// CHECK-DAG:     %[[BLOCKS:.+]] = arith.constant 2 : index
// CHECK:         gpu.launch blocks({{.*}} = %[[BLOCKS]],
// CHECK:           %[[EXISTS:.+]] = arith.cmpi slt, %{{.+}}, %[[COUNT]]
// CHECK:           scf.if %[[EXISTS]]
// CHECK-COUNT-3:     scf.for
// CHECK:             memref.store
func.func @plain(%a: memref<1x4x9x9xf32>, %f: memref<6x2x3x3xf32>, %out: memref<1x6x9x9xf32>) {
  hone.kernel.conv ins(%a, %f : memref<1x4x9x9xf32>, memref<6x2x3x3xf32>) maps [] outs(%out : memref<1x6x9x9xf32>)
      kernel [3, 3] strides [1, 1] dilations [1, 1] pads [1, 1, 1, 1] group 2 {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}
