// RUN: hone-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(func.func(hone-gpu-lower-attention,canonicalize,cse))' | FileCheck %s

// Tensor cores: a block has 64 rows. Queries and the first keys are copied before the loop, values while scores are
// computed, the next keys while values are accumulated. Scores stay in registers, and so do their exponentials.
// CHECK-LABEL: func.func @tensor_cores(
// CHECK-DAG:     %[[BLOCKS:.+]] = arith.constant 96 : index
// CHECK-DAG:     %[[THREADS:.+]] = arith.constant 128 : index
// CHECK-DAG:     %[[LOWEST:.+]] = arith.constant 0xFF800000 : f32
// CHECK:         gpu.launch blocks({{.*}} = %[[BLOCKS]], {{.*}}threads({{.*}} = %[[THREADS]],
// CHECK-SAME:      workgroup(%{{.+}}: memref<24576xi8, #gpu.address_space<workgroup>>)
// CHECK-COUNT-8: nvgpu.device_async_copy {{.*}}, 8 {bypassL1}
// CHECK:         nvvm.cp.async.commit.group
// CHECK:         %[[RESULTS:.+]]:36 = scf.for {{.*}} iter_args({{.*}} = %[[LOWEST]],
// CHECK:           nvvm.cp.async.wait.group 0
// CHECK-NEXT:      gpu.barrier
// CHECK-COUNT-4:   nvgpu.device_async_copy
// CHECK:           nvvm.cp.async.commit.group
// CHECK-COUNT-5:   nvgpu.ldmatrix {{.*}} transpose = false}
// CHECK-COUNT-32:  nvvm.mma.sync
// CHECK-NOT:       memref.store
// CHECK:           %[[MASK:.+]] = vector.load {{.*}} {alignment = 4 : i64} : memref<2048xf16>, vector<2xf16>
// CHECK:           arith.addf {{.*}} : vector<2xf32>
// CHECK:           arith.maximumf
// CHECK:           gpu.shuffle xor {{.*}}, %c1_i32
// CHECK:           gpu.shuffle xor {{.*}}, %c2_i32
// CHECK:           arith.cmpf oeq, {{.*}}, %[[LOWEST]]
// CHECK-COUNT-16:  math.exp {{.*}} : vector<2xf32>
// CHECK:           nvvm.cp.async.wait.group 0
// CHECK-NEXT:      gpu.barrier
// CHECK:           scf.if
// CHECK-COUNT-4:     nvgpu.device_async_copy
// CHECK:           nvvm.cp.async.commit.group
// CHECK:           arith.truncf {{.*}} : vector<2xf32> to vector<2xf16>
// CHECK-COUNT-4:   nvgpu.ldmatrix {{.*}} transpose = true}
// CHECK-COUNT-32:  nvvm.mma.sync
// CHECK:           scf.yield
// CHECK:         gpu.shuffle xor %[[RESULTS]]#34
// CHECK:         arith.divf
// CHECK:         gpu.barrier
// CHECK-COUNT-16: vector.store {{.*}} {alignment = 8 : i64}
// CHECK:         gpu.barrier
// CHECK:         vector.store {{.*}} {alignment = 16 : i64} : memref<393216xf16>, vector<8xf16>
func.func @tensor_cores(%q: memref<8x6x128x64xf16>, %k: memref<8x6x256x64xf16>, %v: memref<8x6x256x64xf16>, %mask: memref<8x256xf16>,
                        %out: memref<8x6x128x64xf16>) {
  hone.kernel.attention ins(%q, %k, %v : memref<8x6x128x64xf16>, memref<8x6x256x64xf16>, memref<8x6x256x64xf16>)
      extras(%mask : memref<8x256xf16>) maps [affine_map<(b, h, m, n) -> (b, n)>] outs(%out : memref<8x6x128x64xf16>) {
  ^bb0(%product: f32, %row: index, %column: index, %m: f16):
    %x = arith.extf %m : f16 to f32
    %score = arith.addf %product, %x : f32
    hone.kernel.yield %score : f32
  }
  return
}

// -----

// f32: slices of queries and keys through registers. Few blocks: 16 rows each, one warp. Odd sizes: a partial tile
// tests each key, and those past the end score -inf. The rows are causal: their keys end at the last of them.
// CHECK-LABEL: func.func @any_size(
// CHECK-DAG:     %[[THREADS:.+]] = arith.constant 32 : index
// CHECK-DAG:     %[[LOWEST:.+]] = arith.constant 0xFF800000 : f32
// CHECK-DAG:     %[[KEYS:.+]] = memref.dim
// CHECK:         gpu.launch {{.*}}threads({{.*}} = %[[THREADS]],
// CHECK:         %[[SEEN:.+]] = arith.minsi %{{.+}}, %[[KEYS]]
// CHECK-NEXT:    scf.for {{.*}} to %[[SEEN]]
// CHECK:           scf.for {{.*}} iter_args
// CHECK-COUNT-128:   vector.fma
// CHECK-NOT:         vector.fma
// CHECK:             gpu.barrier
// CHECK:           %[[WHOLE:.+]] = arith.cmpi sle, %{{.+}}, %[[KEYS]]
// CHECK:           scf.if %[[WHOLE]]
// CHECK:             arith.cmpi sge, %{{.+}}, %{{.+}} : index
// CHECK:           } else {
// CHECK:             %[[INSIDE:.+]] = arith.cmpi slt, %{{.+}}, %[[KEYS]]
// CHECK:             scf.if %[[INSIDE]]
// CHECK:               arith.cmpi sge, %{{.+}}, %{{.+}} : index
// CHECK:             } else {
// CHECK-NEXT:          scf.yield %[[LOWEST]]
// CHECK-COUNT-2:   math.exp
// CHECK-COUNT-32:  memref.store {{.*}} #gpu.address_space<workgroup>>
// CHECK:           gpu.barrier
// CHECK-COUNT-256: vector.fma
// CHECK:         %[[INVERSE:.+]] = arith.divf %{{.+}}, %[[TOTAL:.+]] : f32
// CHECK:         %[[EMPTY:.+]] = arith.cmpf oeq, %[[TOTAL]]
// CHECK:         arith.select %[[EMPTY]], %{{.+}}, %[[INVERSE]]
func.func @any_size(%q: memref<2x21x40xf32>, %k: memref<2x?x40xf32>, %v: memref<2x?x30xf32>, %out: memref<2x21x30xf32>) {
  hone.kernel.attention ins(%q, %k, %v : memref<2x21x40xf32>, memref<2x?x40xf32>, memref<2x?x30xf32>) maps [] outs(%out : memref<2x21x30xf32>)
      masked {
  ^bb0(%product: f32, %row: index, %column: index):
    %low = arith.constant 0xFF800000 : f32
    %seen = arith.cmpi sge, %row, %column : index
    %score = arith.select %seen, %product, %low : f32
    hone.kernel.yield %score : f32
  }
  return
}

// -----

// CHECK-LABEL: func.func @long_bf16(
// CHECK:         gpu.launch {{.*}}workgroup(%{{.+}}: memref<40960xi8, #gpu.address_space<workgroup>>)
// CHECK:         nvvm.mma.sync {{.*}} multiplicandAPtxType = #nvvm.mma_type<bf16>
func.func @long_bf16(%q: memref<99x32x256xbf16>, %k: memref<99x32x256xbf16>, %v: memref<99x32x128xbf16>, %out: memref<99x32x128xbf16>) {
  hone.kernel.attention ins(%q, %k, %v : memref<99x32x256xbf16>, memref<99x32x256xbf16>, memref<99x32x128xbf16>) maps []
      outs(%out : memref<99x32x128xbf16>) {
  ^bb0(%product: f32, %row: index, %column: index):
    hone.kernel.yield %product : f32
  }
  return
}

// -----

func.func @unknown_length(%q: memref<8x?xf16>, %k: memref<8x?xf16>, %v: memref<8x16xf16>, %out: memref<8x16xf16>) {
  // expected-error@+1 {{has keys or values of unknown length}}
  hone.kernel.attention ins(%q, %k, %v : memref<8x?xf16>, memref<8x?xf16>, memref<8x16xf16>) maps [] outs(%out : memref<8x16xf16>) {
  ^bb0(%product: f32, %row: index, %column: index):
    hone.kernel.yield %product : f32
  }
  return
}

// -----

func.func @too_long(%q: memref<8x2048xf16>, %k: memref<8x2048xf16>, %v: memref<8x16xf16>, %out: memref<8x16xf16>) {
  // expected-error@+1 {{has keys or values that are too long for the shared memory of a block}}
  hone.kernel.attention ins(%q, %k, %v : memref<8x2048xf16>, memref<8x2048xf16>, memref<8x16xf16>) maps [] outs(%out : memref<8x16xf16>) {
  ^bb0(%product: f32, %row: index, %column: index):
    hone.kernel.yield %product : f32
  }
  return
}
