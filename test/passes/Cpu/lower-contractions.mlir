// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(hone-set-machine{cpu=x86-64-v3},func.func(hone-schedule-kernels,hone-lower-contractions,canonicalize,cse))' | FileCheck %s
// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(hone-set-machine{cpu=x86-64-v4},func.func(hone-schedule-kernels,hone-lower-contractions,canonicalize,cse))' | FileCheck %s --check-prefix=WIDE
// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(hone-set-machine{cpu=x86-64-v2},func.func(hone-schedule-kernels,hone-lower-contractions,canonicalize,cse))' | FileCheck %s --check-prefix=NARROW

// One vector for each accumulator of a 6 x 16 tile, two steps of K in the loop, the bias added before the store.
// CHECK-LABEL: func.func @panels(
// CHECK-SAME:    memref<12x64xf32>, %{{.+}}: memref<2x64x16xf32>, %[[BIAS:.+]]: memref<32xf32>
// CHECK:         scf.forall
// CHECK:           scf.for
// CHECK:             %[[SUMS:.+]]:12 = scf.for {{.*}} iter_args
// CHECK-COUNT-2:       vector.load
// CHECK:               memref.load
// CHECK:               vector.broadcast
// CHECK-COUNT-24:      vector.fma
// CHECK-NOT:           vector.fma
// CHECK:               scf.yield
// CHECK:             vector.load %[[BIAS]]
// CHECK:             arith.addf %[[SUMS]]#0
// CHECK:             vector.store
// CHECK-NOT:     vector.masked
// WIDE-LABEL:  func.func @panels(
// WIDE:          iter_args({{.*}}vector<16xf32>
// NARROW-LABEL: func.func @panels(
// NARROW-NOT:    vector.fma
// NARROW:        arith.mulf {{.*}} vector<4xf32>
func.func @panels(%a: memref<12x64xf32>, %b: memref<2x64x16xf32>, %bias: memref<32xf32>, %out: memref<12x32xf32>) {
  hone.kernel.matmul ins(%a, %b : memref<12x64xf32>, memref<2x64x16xf32>) extras(%bias : memref<32xf32>)
      maps [affine_map<(d0, d1) -> (d1)>] outs(%out : memref<12x32xf32>) packed <16, 1> {
  ^bb0(%acc: f32, %x: f32):
    %s = arith.addf %acc, %x : f32
    hone.kernel.yield %s : f32
  }
  return
}

// -----

// Seven rows are a tile of four and one of three; the last columns are masked where they are stored only.
// CHECK-LABEL: func.func @tails(
// CHECK:         scf.forall
// CHECK:           scf.if
// CHECK:             scf.for {{.*}} -> (vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>) {
// CHECK-COUNT-8:     vector.store
// CHECK:           } else {
// CHECK:             vector.constant_mask
// CHECK-NOT:         vector.maskedload
// CHECK:             vector.maskedstore
func.func @tails(%a: memref<7x64xf32>, %b: memref<2x64x16xf32>, %out: memref<7x30xf32>) {
  hone.kernel.matmul ins(%a, %b : memref<7x64xf32>, memref<2x64x16xf32>) maps [] outs(%out : memref<7x30xf32>) packed <16, 1> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// Quantized weights are unpacked to scratch memory, in a chunk of K. Of the eight codes in a word, the first five are
// mantissas as they lie; the others are shifted there together.
// CHECK-LABEL: func.func @quantized(
// CHECK:         memref.alloc() {{.*}} : memref<8192xf32>
// CHECK:         scf.for {{.+}} step %c32 {
// CHECK:           %[[STORED:.+]] = vector.bitcast %{{.+}} : vector<8xi32> to vector<8xf32>
// CHECK:           %[[SCALES:.+]] = arith.mulf %[[STORED]], %{{.+}}
// CHECK:           scf.for {{.+}} step %c8 {
// CHECK:             %[[WORDS:.+]] = vector.load
// CHECK:             %[[CODES:.+]] = arith.andi %[[WORDS]], %{{.+}}
// CHECK:             %[[BITS:.+]] = arith.ori %[[CODES]], %{{.+}}
// CHECK:             %[[REAL:.+]] = vector.bitcast %[[BITS]] : vector<8xi32> to vector<8xf32>
// CHECK:             arith.subf %[[REAL]], %{{.+}}
// CHECK-COUNT-4:     arith.andi %[[WORDS]]
// CHECK:             %[[SHIFTED:.+]] = arith.shrui %[[WORDS]]
// CHECK-COUNT-3:     arith.andi %[[SHIFTED]]
// CHECK-COUNT-8:     arith.mulf %{{.+}}, %[[SCALES]]
// CHECK:         scf.for
// CHECK:           vector.fma
func.func @quantized(%a: memref<24x512xf32>, %b: memref<2x16x80xi32>, %out: memref<24x32xf32>) {
  hone.kernel.matmul ins(%a, %b : memref<24x512xf32>, memref<2x16x80xi32>) maps [] outs(%out : memref<24x32xf32>)
      packed <16, 8> quantized <block = 32, scale = f32, zero = 8> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// Few rows multiply them as they unpack them, and scale the sums of a block; the same block of the next tile's panels is
// prefetched meanwhile. Of the last word, four codes exist.
// CHECK-LABEL: func.func @quantized_few(
// CHECK-NOT:     memref.alloca
// CHECK:         scf.for {{.+}} step %c32 iter_args
// CHECK:           %[[STORED:.+]] = vector.bitcast %{{.+}} : vector<8xi32> to vector<8xf32>
// CHECK:           %[[SCALES:.+]] = arith.mulf %[[STORED]], %{{.+}}
// CHECK-COUNT-5:   memref.prefetch
// CHECK-COUNT-32:  vector.fma
// CHECK:           vector.fma %[[SCALES]],
// CHECK-COUNT-4:   vector.fma
// CHECK:           vector.fma
// CHECK-NOT:       vector.fma
func.func @quantized_few(%a: memref<1x68xf32>, %b: memref<1x3x80xi32>, %out: memref<1x8xf32>) {
  hone.kernel.matmul ins(%a, %b : memref<1x68xf32>, memref<1x3x80xi32>) maps [] outs(%out : memref<1x8xf32>)
      packed <16, 8> quantized <block = 32, scale = f32, zero = 8> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// Rounded to bytes, rows have scales, and what the zero point adds to the sums of a block, which begin with it. Codes are
// unpacked as bytes, and sums are scaled in memory.
// CHECK-LABEL: func.func @bytes(
// CHECK-DAG:     %[[BYTES:.+]] = memref.alloc{{a?}}() {{.*}} : memref<14400xi8>
// CHECK-DAG:     %[[CORRECTIONS:.+]] = memref.alloc{{a?}}() {{.*}} : memref<400xi32>
// CHECK:         vector.reduction <maxsi>
// CHECK:         arith.divf
// CHECK:         arith.trunci %{{.+}} : vector<8xi32> to vector<8xi8>
// CHECK:         vector.reduction <add>
// CHECK:         memref.store %{{.+}}, %[[CORRECTIONS]]
// CHECK:         %[[WORDS:.+]] = vector.load %{{.+}} : memref<2560xi32>, vector<8xi32>
// CHECK-NEXT:    arith.andi %[[WORDS]]
// CHECK:         %[[SHIFTED:.+]] = arith.shrui %[[WORDS]]
// CHECK:         arith.andi %[[SHIFTED]]
// CHECK:         memref.load %[[CORRECTIONS]]
// CHECK:         "llvm.x86.avx2.pmadd.ub.sw"
// CHECK:         "llvm.x86.avx2.pmadd.wd"
// CHECK:         arith.sitofp
func.func @bytes(%a: memref<24x512xf32>, %b: memref<2x16x80xi32>, %out: memref<24x32xf32>) {
  hone.kernel.matmul ins(%a, %b : memref<24x512xf32>, memref<2x16x80xi32>) maps [] outs(%out : memref<24x32xf32>)
      packed <16, 8> quantized <block = 32, scale = f32, zero = 8, bytes = true> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// Few rows multiply codes in registers. Of the last block four elements exist, and bytes for all: 96 and some more. A zero
// point of 0 adds nothing.
// CHECK-LABEL: func.func @bytes_few(
// CHECK:         memref.alloca() {{.*}} : memref<3xf32>
// CHECK:         memref.alloca() {{.*}} : memref<160xi8>
// CHECK-NOT:     memref.alloc
// CHECK:         vector.maskedload
// CHECK:         scf.for {{.+}} step %c32 iter_args
// CHECK:           "llvm.x86.avx2.pmadd.ub.sw"
// CHECK:           arith.sitofp
// CHECK-NOT:     "llvm.x86.avx2.pmadd.ub.sw"
func.func @bytes_few(%a: memref<1x68xf32>, %b: memref<1x3x80xi32>, %out: memref<1x8xf32>) {
  hone.kernel.matmul ins(%a, %b : memref<1x68xf32>, memref<1x3x80xi32>) maps [] outs(%out : memref<1x8xf32>)
      packed <16, 8> quantized <block = 32, scale = f32, zero = 0, bytes = true> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// A transposed operand is packed in squares; batches that the operands share are part of the parallel loop.
// CHECK-LABEL: func.func @transposed(
// CHECK:         %[[SCRATCH:.+]] = memref.alloca() {{.*}} : memref<1024xf32>
// CHECK:         scf.forall (%{{.+}}) in (24)
// CHECK:           vector.shuffle
// CHECK:           vector.store %{{.+}}, %[[SCRATCH]]
// CHECK:           vector.fma
func.func @transposed(%a: memref<12x32x64xf32>, %b: memref<12x32x64xf32>, %out: memref<12x32x32xf32>) {
  hone.kernel.matmul ins(%a, %b : memref<12x32x64xf32>, memref<12x32x64xf32>) maps [] outs(%out : memref<12x32x32xf32>) transpose_rhs {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// A matrix and a vector: accumulators of several panels.
// CHECK-LABEL: func.func @vector(
// CHECK:         scf.for {{.*}} -> (vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>) {
func.func @vector(%a: memref<1x64xf32>, %b: memref<8x64x16xf32>, %out: memref<1x128xf32>) {
  hone.kernel.matmul ins(%a, %b : memref<1x64xf32>, memref<8x64x16xf32>) maps [] outs(%out : memref<1x128xf32>) packed <16, 1> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// A costly epilogue is emitted once, in a loop over the tile in scratch.
// CHECK-LABEL: func.func @costly_epilogue(
// CHECK:         memref.alloca
// CHECK:         scf.forall
// CHECK-COUNT-1: math.erf {{.*}} vector<8xf32>
// CHECK-NOT:     math.erf
func.func @costly_epilogue(%a: memref<12x64xf32>, %b: memref<2x64x16xf32>, %out: memref<12x32xf32>) {
  hone.kernel.matmul ins(%a, %b : memref<12x64xf32>, memref<2x64x16xf32>) maps [] outs(%out : memref<12x32xf32>) packed <16, 1> {
  ^bb0(%acc: f32):
    %e = math.erf %acc : f32
    hone.kernel.yield %e : f32
  }
  return
}

// -----

// Rows that are not known: tiles of six, and one of four where so many are left; then two at a time, of which the second
// repeats the first where it does not exist.
// CHECK-LABEL: func.func @dynamic_rows(
// CHECK:         scf.for {{.*}} iter_args
// CHECK-COUNT-24: vector.fma
// CHECK-NOT:     vector.fma
// CHECK:         scf.if
// CHECK:         scf.if
// CHECK-COUNT-16: vector.fma
// CHECK-NOT:     vector.fma
// CHECK:         scf.for %[[ROW:.+]] = %c0 to %[[LEFT:.+]] step %c2
// CHECK:           %[[EXISTING:.+]] = arith.subi %[[LEFT]], %[[ROW]]
// CHECK:           %[[LAST:.+]] = arith.subi %[[EXISTING]], %c1
// CHECK:           %[[SECOND:.+]] = arith.minsi %[[LAST]], %c1
// CHECK-COUNT-16: vector.fma
// CHECK-NOT:     vector.fma
// CHECK:           arith.muli %[[SECOND]], %c32
// CHECK-COUNT-4:   vector.store
// CHECK-NOT:       vector.store
func.func @dynamic_rows(%a: memref<?x64xf32>, %b: memref<2x64x16xf32>, %out: memref<?x32xf32>) {
  hone.kernel.matmul ins(%a, %b : memref<?x64xf32>, memref<2x64x16xf32>) maps [] outs(%out : memref<?x32xf32>) packed <16, 1> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// Rows of half precision are widened once for the block, and far enough apart for the L1 cache.
// CHECK-LABEL: func.func @half(
// CHECK-SAME:    %[[A:.+]]: memref<12x64xf16>
// CHECK:         %[[FLOATS:.+]] = memref.alloca() {{.*}} : memref<864xf32>
// CHECK:         scf.forall
// CHECK:           %[[HALF:.+]] = vector.load %{{.+}} : memref<768xf16>, vector<8xf16>
// CHECK:           %[[FLOAT:.+]] = arith.extf %[[HALF]] : vector<8xf16> to vector<8xf32>
// CHECK:           vector.store %[[FLOAT]], %[[FLOATS]]
// CHECK:           memref.load %[[FLOATS]]
// CHECK:           vector.fma
func.func @half(%a: memref<12x64xf16>, %b: memref<2x64x16xf16>, %out: memref<12x32xf16>) {
  hone.kernel.matmul ins(%a, %b : memref<12x64xf16>, memref<2x64x16xf16>) maps [] outs(%out : memref<12x32xf16>) packed <16, 1> {
  ^bb0(%acc: f32):
    %h = arith.truncf %acc : f32 to f16
    hone.kernel.yield %h : f16
  }
  return
}

// -----

// While five tiles of rows multiply a panel, each prefetches a fifth of the next one: 7 of 32 elements for each step.
// WIDE-LABEL: func.func @prefetched(
// WIDE:         scf.for {{.*}} iter_args
// WIDE-COUNT-1:   memref.prefetch {{.*}}, read, locality<2>, data
// WIDE-NOT:       memref.prefetch
// WIDE:           vector.fma
func.func @prefetched(%a: memref<64x256xf32>, %b: memref<32x256x16xf32>, %out: memref<64x512xf32>) {
  hone.kernel.matmul ins(%a, %b : memref<64x256xf32>, memref<32x256x16xf32>) maps [] outs(%out : memref<64x512xf32>) packed <16, 1> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// With K in two chunks those of four panels are in four places.
// WIDE-LABEL: func.func @prefetched_chunks(
// WIDE:         scf.for {{.*}} iter_args
// WIDE-COUNT-4:   memref.prefetch
// WIDE-NOT:       memref.prefetch
// WIDE:           vector.fma
func.func @prefetched_chunks(%a: memref<128x2048xf32>, %b: memref<4x2048x16xf32>, %out: memref<128x64xf32>) {
  hone.kernel.matmul ins(%a, %b : memref<128x2048xf32>, memref<4x2048x16xf32>) maps [] outs(%out : memref<128x64xf32>) packed <16, 1> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// Few rows wait for the panels anyway.
// WIDE-LABEL: func.func @streamed(
// WIDE-NOT:     memref.prefetch
func.func @streamed(%a: memref<8x256xf32>, %b: memref<32x256x16xf32>, %out: memref<8x512xf32>) {
  hone.kernel.matmul ins(%a, %b : memref<8x256xf32>, memref<32x256x16xf32>) maps [] outs(%out : memref<8x512xf32>) packed <16, 1> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// The panels are in the L2 cache since the last block.
// WIDE-LABEL: func.func @cached(
// WIDE-NOT:     memref.prefetch
func.func @cached(%a: memref<64x256xf32>, %b: memref<8x256x16xf32>, %out: memref<64x128xf32>) {
  hone.kernel.matmul ins(%a, %b : memref<64x256xf32>, memref<8x256x16xf32>) maps [] outs(%out : memref<64x128xf32>) packed <16, 1> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// Bytes that are not packed are interleaved by four along K, with zeros after the last two, and the rows on the left are
// copied, as they end within such a step.
// CHECK-LABEL: func.func @two_inputs(
// CHECK-DAG:     memref.alloca() {{.*}} : memref<{{[0-9]+}}xi16>
// CHECK-DAG:     %[[PANELS:.+]] = memref.alloca() {{.*}} : memref<{{[0-9]+}}xi8>
// CHECK:         vector.maskedload
// CHECK:         %[[A:.+]] = vector.interleave
// CHECK:         %[[B:.+]] = vector.interleave
// CHECK:         %[[C:.+]] = vector.interleave %[[A]], %[[B]] : vector<8xi8> -> vector<16xi8>
// CHECK:         vector.store %[[C]], %[[PANELS]]
// CHECK:         vector.interleave %{{.+}}, %[[NONE:cst.*]] : vector<4xi8> -> vector<8xi8>
// CHECK:         vector.interleave %{{.+}}, %[[NONE]] : vector<4xi8> -> vector<8xi8>
// CHECK:         "llvm.x86.avx2.pmadd.wd"
func.func @two_inputs(%a: memref<33x62xi8>, %b: memref<62x24xi8>, %out: memref<33x24xi32>) {
  hone.kernel.matmul ins(%a, %b : memref<33x62xi8>, memref<62x24xi8>) maps [] outs(%out : memref<33x24xi32>) {
  ^bb0(%acc: i32):
    hone.kernel.yield %acc : i32
  }
  return
}
