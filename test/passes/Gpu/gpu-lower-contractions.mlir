// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(hone-gpu-lower-contractions,canonicalize,cse))' | FileCheck %s

// Exact f32: tiles of 128 x 128 through registers, two stages of shared memory, panels read directly.
// CHECK-LABEL: func.func @tiles(
// CHECK-DAG:     %[[BLOCKS:.+]] = arith.constant 1024 : index
// CHECK-DAG:     %[[THREADS:.+]] = arith.constant 256 : index
// CHECK:         gpu.launch blocks({{.*}} = %[[BLOCKS]], {{.*}}threads({{.*}} = %[[THREADS]],
// CHECK-SAME:      workgroup(%{{.+}}: memref<34816xi8, #gpu.address_space<workgroup>>)
// CHECK:         vector.load {{.*}} {alignment = 16 : i64} : memref<4194304xf32>, vector<4xf32>
// CHECK:         gpu.barrier
// CHECK:         %[[SUMS:.+]]:17 = scf.for {{.*}} iter_args
// CHECK-COUNT-256: vector.fma
// CHECK-NOT:       vector.fma
// CHECK:           gpu.barrier
// CHECK:           scf.yield
// CHECK:         vector.store %[[SUMS]]#0
// CHECK:         gpu.barrier
// CHECK:         arith.addf {{.*}} : vector<4xf32>
// CHECK-NEXT:    vector.store {{.*}} {alignment = 16 : i64} : memref<16777216xf32>
func.func @tiles(%a: memref<4096x1024xf32>, %b: memref<256x1024x16xf32>, %bias: memref<4096xf32>, %out: memref<4096x4096xf32>) {
  hone.kernel.matmul ins(%a, %b : memref<4096x1024xf32>, memref<256x1024x16xf32>) extras(%bias : memref<4096xf32>)
      maps [affine_map<(d0, d1) -> (d1)>] outs(%out : memref<4096x4096xf32>) packed <16, 1> {
  ^bb0(%acc: f32, %x: f32):
    %s = arith.addf %acc, %x : f32
    hone.kernel.yield %s : f32
  }
  return
}

// -----

// Tensor cores: asynchronous copies in three stages, operands from swizzled shared memory, 16 x 8 sums at a time.
// CHECK-LABEL: func.func @tensor_cores(
// CHECK:         gpu.launch {{.*}}workgroup(%{{.+}}: memref<49152xi8, #gpu.address_space<workgroup>>)
// CHECK-COUNT-8: nvgpu.device_async_copy {{.*}}, 8 {bypassL1}
// CHECK:         nvvm.cp.async.commit.group
// CHECK:         scf.for
// CHECK:           nvvm.cp.async.wait.group 1
// CHECK-NEXT:      gpu.barrier
// CHECK:           nvvm.cp.async.commit.group
// CHECK-COUNT-4:   nvgpu.ldmatrix {{.*}} {numTiles = 4 : i32, transpose = false}
// CHECK-COUNT-2:   nvgpu.ldmatrix {{.*}} {numTiles = 4 : i32, transpose = true}
// CHECK-COUNT-16:  nvvm.mma.sync {{.*}} (vector<2xf16>, vector<2xf16>, f32)
// CHECK:         nvvm.cp.async.wait.group 0
// CHECK-NEXT:    gpu.barrier
func.func @tensor_cores(%a: memref<4096x1024xf16>, %b: memref<1024x4096xf16>, %out: memref<4096x4096xf32>) {
  hone.kernel.matmul ins(%a, %b : memref<4096x1024xf16>, memref<1024x4096xf16>) maps [] outs(%out : memref<4096x4096xf32>) {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// bf16 is held in i32 registers. If K is contiguous in both operands nothing is transposed. Few blocks: small tiles.
// CHECK-LABEL: func.func @transposed_bf16(
// CHECK-DAG:     %[[THREADS:.+]] = arith.constant 64 : index
// CHECK:         gpu.launch {{.*}}threads({{.*}} = %[[THREADS]],
// CHECK-NOT:     transpose = true
// CHECK:         nvvm.mma.sync {{.*}}multiplicandAPtxType = #nvvm.mma_type<bf16>{{.*}} (i32, i32, f32)
func.func @transposed_bf16(%a: memref<12x32x64xbf16>, %b: memref<12x32x64xbf16>, %out: memref<12x32x32xf32>) {
  hone.kernel.matmul ins(%a, %b : memref<12x32x64xbf16>, memref<12x32x64xbf16>) maps [] outs(%out : memref<12x32x32xf32>) transpose_rhs {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// One row: the threads of a block share a panel and split K.
// CHECK-LABEL: func.func @thin(
// CHECK-DAG:     %[[PANELS:.+]] = arith.constant 8 : index
// CHECK:         gpu.launch blocks({{.*}} = %[[PANELS]],
// CHECK-COUNT-4: vector.fma
// CHECK-COUNT-3: gpu.shuffle xor
// CHECK:         gpu.barrier
func.func @thin(%a: memref<1x64xf32>, %b: memref<8x64x16xf32>, %out: memref<1x128xf32>) {
  hone.kernel.matmul ins(%a, %b : memref<1x64xf32>, memref<8x64x16xf32>) maps [] outs(%out : memref<1x128xf32>) packed <16, 1> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// Unknown number of rows: of two launches one has an empty grid.
// CHECK-LABEL: func.func @dynamic_rows(
// CHECK:         %[[THIN:.+]] = arith.cmpi sle, %[[M:.+]], %[[LIMIT:.+]] : index
// CHECK:         %[[BLOCKS:.+]] = arith.select %[[THIN]], %{{.+}}, %[[ZERO:.+]] : index
// CHECK:         gpu.launch blocks({{.*}} = %[[BLOCKS]],
// CHECK:         %[[THICK:.+]] = arith.cmpi sgt, %[[M]], %[[LIMIT]] : index
// CHECK:         %[[TILES:.+]] = arith.select %[[THICK]], %{{.+}}, %[[ZERO]] : index
// CHECK:         gpu.launch blocks({{.*}} = %[[TILES]],
func.func @dynamic_rows(%a: memref<?x64xf32>, %b: memref<2x64x16xf32>, %out: memref<?x32xf32>) {
  hone.kernel.matmul ins(%a, %b : memref<?x64xf32>, memref<2x64x16xf32>) maps [] outs(%out : memref<?x32xf32>) packed <16, 1> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// Integers, and odd sizes: narrow operands are extended on their way to shared memory, and elements outside are neither
// read nor written.
// CHECK-LABEL: func.func @integers(
// CHECK:         scf.if
// CHECK:           memref.load %{{.+}} : memref<35xi8>
// CHECK:         arith.extsi {{.*}} : i8 to i32
// CHECK:         arith.muli {{.*}} : vector<4xi32>
// CHECK:         scf.if
// CHECK:           memref.store
func.func @integers(%a: memref<5x7xi8>, %b: memref<7x3xi8>, %out: memref<5x3xi32>) {
  hone.kernel.matmul ins(%a, %b : memref<5x7xi8>, memref<7x3xi8>) maps [] outs(%out : memref<5x3xi32>) {
  ^bb0(%acc: i32):
    hone.kernel.yield %acc : i32
  }
  return
}

// -----

// Few tiles and a long K: ten blocks for each of eight tiles, and a second launch that adds up their sums in order.
// CHECK-LABEL: func.func @split_k(
// CHECK-DAG:     %[[BLOCKS:.+]] = arith.constant 80 : index
// CHECK:         %[[PARTS:.+]] = memref.alloc() {alignment = 64 : i64} : memref<81920xf32>
// CHECK:         gpu.launch blocks({{.*}} = %[[BLOCKS]],
// CHECK:           %[[END:.+]] = arith.minsi
// CHECK:           scf.for {{.*}} to %[[END]] step
// CHECK:           vector.store {{.*}}, %[[PARTS]]
// CHECK:         gpu.launch
// CHECK-COUNT-10:  vector.load %[[PARTS]]
// CHECK:           arith.mulf {{.*}} : vector<4xf32>
// CHECK:           vector.store
func.func @split_k(%a: memref<64x2048xf32>, %b: memref<2048x128xf32>, %out: memref<64x128xf32>) {
  hone.kernel.matmul ins(%a, %b : memref<64x2048xf32>, memref<2048x128xf32>) maps [] outs(%out : memref<64x128xf32>) {
  ^bb0(%acc: f32):
    %s = arith.mulf %acc, %acc : f32
    hone.kernel.yield %s : f32
  }
  return
}
