// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(hone-set-machine{cpu=x86-64-v3},func.func(hone-schedule-kernels,hone-lower-convolutions,canonicalize,cse))' | FileCheck %s
// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(hone-schedule-kernels,hone-lower-convolutions,canonicalize,cse))' | FileCheck %s --check-prefix=VNNI
// RUN: hone-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(hone-schedule-kernels,hone-lower-convolutions))' --remarks-filter-missed=.* -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
// REMARK: {{.Missed.}} slow | Category:lower-convolutions | Reason="a convolution whose channels come first is computed in plain loops", work=4860

// A kernel of one element is a matrix product over all pixels.
// CHECK-LABEL: func.func @pointwise(
// CHECK:         scf.forall
// CHECK:           scf.for {{.*}} iter_args
// CHECK-COUNT-24:  vector.fma
func.func @pointwise(%x: memref<1x24x24x32xf32>, %f: memref<1x1x1x32x16xf32>, %out: memref<1x24x24x16xf32>) {
  hone.kernel.conv ins(%x, %f : memref<1x24x24x32xf32>, memref<1x1x1x32x16xf32>) maps [] outs(%out : memref<1x24x24x16xf32>)
      kernel [1, 1] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] group 1 channels_last packed <16, 1> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// Of one pixel in each of an unknown number of images, rows are likely few: tiles of six, then two at a time.
// CHECK-LABEL: func.func @free_batch_of_pixels(
// CHECK:         scf.forall
// CHECK-COUNT-24:  vector.fma
// CHECK-NOT:       vector.fma
// CHECK:           scf.if
// CHECK-NOT:       scf.if
// CHECK-COUNT-16:  vector.fma
// CHECK-NOT:       vector.fma
func.func @free_batch_of_pixels(%x: memref<?x1x1x8192xf32>, %f: memref<1x1x1x8192x16xf32>, %out: memref<?x1x1x16xf32>) {
  hone.kernel.conv ins(%x, %f : memref<?x1x1x8192xf32>, memref<1x1x1x8192x16xf32>) maps [] outs(%out : memref<?x1x1x16xf32>)
      kernel [1, 1] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] group 1 channels_last packed <16, 1> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// With few weights they are tiles of two, then of one.
// CHECK-LABEL: func.func @free_batch_of_few_weights(
// CHECK:         scf.forall
// CHECK-COUNT-16:  vector.fma
// CHECK-NOT:       vector.fma
// CHECK:           scf.if
// CHECK-NOT:       scf.if
// CHECK-COUNT-8:   vector.fma
// CHECK-NOT:       vector.fma
func.func @free_batch_of_few_weights(%x: memref<?x1x1x32xf32>, %f: memref<1x1x1x32x16xf32>, %out: memref<?x1x1x16xf32>) {
  hone.kernel.conv ins(%x, %f : memref<?x1x1x32xf32>, memref<1x1x1x32x16xf32>) maps [] outs(%out : memref<?x1x1x16xf32>)
      kernel [1, 1] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] group 1 channels_last packed <16, 1> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// Images of many pixels are a matrix each, whose rows are known: 36 pixels are tiles of six.
// CHECK-LABEL: func.func @free_batch_of_images(
// CHECK:         scf.forall
// CHECK-COUNT-24:  vector.fma
// CHECK-NOT:       vector.fma
// CHECK-NOT:       scf.if
func.func @free_batch_of_images(%x: memref<?x6x6x32xf32>, %f: memref<1x1x1x32x16xf32>, %out: memref<?x6x6x16xf32>) {
  hone.kernel.conv ins(%x, %f : memref<?x6x6x32xf32>, memref<1x1x1x32x16xf32>) maps [] outs(%out : memref<?x6x6x16xf32>)
      kernel [1, 1] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] group 1 channels_last packed <16, 1> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// The first tile of a row leaves its first pixel out of the first kernel column (5 rows of the tile), the last one its
// last pixel of the last column; between, the three columns are one loop along K.
// CHECK-LABEL: func.func @borders(
// CHECK-DAG:     %[[C32:.+]] = arith.constant 32 : index
// CHECK-DAG:     %[[C64:.+]] = arith.constant 64 : index
// CHECK-DAG:     %[[C96:.+]] = arith.constant 96 : index
// CHECK:         scf.forall
// CHECK:           scf.for {{.*}} iter_args
// CHECK:             scf.for %{{.+}} to %[[C32]] {{.*}} iter_args
// CHECK-COUNT-20:      vector.fma
// CHECK-NOT:           vector.fma
// CHECK:             scf.for %{{.+}} to %[[C64]] {{.*}} iter_args
// CHECK-COUNT-24:      vector.fma
// CHECK:             scf.for %{{.+}} to %[[C96]] {{.*}} iter_args
// CHECK-COUNT-24:      vector.fma
// CHECK:             scf.for %{{.+}} to %[[C64]] {{.*}} iter_args
// CHECK-COUNT-24:      vector.fma
// CHECK:             scf.for %{{.+}} to %[[C32]] {{.*}} iter_args
// CHECK-COUNT-20:      vector.fma
// CHECK-NOT:     memref.alloc
func.func @borders(%x: memref<1x18x18x32xf32>, %f: memref<1x3x3x32x16xf32>, %out: memref<1x18x18x16xf32>) {
  hone.kernel.conv ins(%x, %f : memref<1x18x18x32xf32>, memref<1x3x3x32x16xf32>) maps [] outs(%out : memref<1x18x18x16xf32>)
      kernel [3, 3] strides [1, 1] dilations [1, 1] pads [1, 1, 1, 1] group 1 channels_last packed <16, 1> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// Depthwise: eight pixels of eight channels, each tap and each input loaded once.
// CHECK-LABEL: func.func @depthwise(
// CHECK:         scf.forall
// CHECK:           scf.for {{.*}} iter_args
// CHECK-COUNT-13:    vector.load
// CHECK-NOT:         vector.load
// CHECK:             scf.yield
func.func @depthwise(%x: memref<1x10x10x8xf32>, %f: memref<3x3x8xf32>, %out: memref<1x9x8x8xf32>) {
  hone.kernel.conv ins(%x, %f : memref<1x10x10x8xf32>, memref<3x3x8xf32>) maps [] outs(%out : memref<1x9x8x8xf32>)
      kernel [3, 3] strides [1, 1] dilations [1, 1] pads [1, 0, 0, 0] group 8 channels_last depthwise {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// Bytes are widened, and dot products multiply one of four; without them, floats do.
// CHECK-LABEL: func.func @depthwise_bytes(
// CHECK:         arith.uitofp
// CHECK:         vector.fma
// VNNI-LABEL: func.func @depthwise_bytes(
// VNNI:         %[[X:.+]] = arith.extui {{.*}} : vector<16xi8> to vector<16xi32>
// VNNI:         %[[LEFT:.+]] = vector.bitcast %[[X]] : vector<16xi32> to vector<64xi8>
// VNNI:         llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.512"(%{{.+}}, %[[LEFT]], %{{.+}})
module attributes {hone_machine.cpu = #hone_machine.cpu<"dots", vector_bits = 512, vector_registers = 32, byte_dot = 1>} {
func.func @depthwise_bytes(%x: memref<1x10x10x16xi8>, %f: memref<3x3x16xi8>, %out: memref<1x8x8x16xi32>) {
  hone.kernel.conv ins(%x, %f : memref<1x10x10x16xi8>, memref<3x3x16xi8>) maps [] outs(%out : memref<1x8x8x16xi32>)
      kernel [3, 3] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] group 16 channels_last depthwise {
  ^bb0(%acc: i32):
    hone.kernel.yield %acc : i32
  }
  return
}
}

// -----

// A wide kernel is a loop over some taps at a time, for tiles of pixels; at the borders some pixels have taps of their own.
// CHECK-LABEL: func.func @wide_depthwise(
// CHECK:         scf.if
// CHECK:           scf.for {{.*}} to %c28 step %c4 iter_args
// CHECK-COUNT-15:    vector.load
// CHECK-NOT:         vector.load
// CHECK:             scf.yield
// CHECK:         } else {
func.func @wide_depthwise(%x: memref<1x80x8xf32>, %f: memref<31x8xf32>, %out: memref<1x80x8xf32>) {
  hone.kernel.conv ins(%x, %f : memref<1x80x8xf32>, memref<31x8xf32>) maps [] outs(%out : memref<1x80x8xf32>)
      kernel [31] strides [1] dilations [1] pads [15, 15] group 8 channels_last depthwise {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// A row of a size that only the run knows: tiles of eight pixels, then of two, between borders pixel by pixel.
// CHECK-LABEL: func.func @free_depthwise(
// CHECK:         scf.forall
// CHECK:           vector.store
// CHECK:           scf.for {{.*}} step %c8
// CHECK-COUNT-8:   vector.store
// CHECK-NOT:       vector.store
// CHECK:           scf.for {{.*}} step %c2
// CHECK-COUNT-2:   vector.store
func.func @free_depthwise(%x: memref<1x10x?x8xf32>, %f: memref<3x3x8xf32>, %out: memref<1x10x?x8xf32>) {
  hone.kernel.conv ins(%x, %f : memref<1x10x?x8xf32>, memref<3x3x8xf32>) maps [] outs(%out : memref<1x10x?x8xf32>)
      kernel [3, 3] strides [1, 1] dilations [1, 1] pads [1, 1, 1, 1] group 8 channels_last depthwise {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// A filter that is not packed: vectors of pixels, with masks where windows leave the input. Two rows share the rows of
// the input, of which the first and the last belong to one of them, if they exist.
// CHECK-LABEL: func.func @plain(
// CHECK:         scf.forall
// CHECK:           scf.if {{.*}} -> (vector<8xf32>, vector<8xf32>, vector<8xf32>) {
// CHECK:             %[[TAP:.+]] = vector.broadcast %{{.+}} : f32 to vector<8xf32>
// CHECK:             %[[IN:.+]] = vector.maskedload
// CHECK:             vector.fma %[[IN]], %[[TAP]], %{{.+}} : vector<8xf32>
// CHECK-COUNT-2:     vector.fma {{.+}}, %[[TAP]], %{{.+}} : vector<8xf32>
// CHECK:           scf.for
// CHECK:             %[[LATER:.+]] = vector.broadcast %{{.+}} : f32 to vector<8xf32>
// CHECK:             %[[EARLIER:.+]] = vector.broadcast %{{.+}} : f32 to vector<8xf32>
// CHECK:             %[[SHARED:.+]] = vector.maskedload
// CHECK:             vector.fma %[[SHARED]], %[[LATER]], %{{.+}} : vector<8xf32>
// CHECK:             vector.fma %[[SHARED]], %[[EARLIER]], %{{.+}} : vector<8xf32>
// CHECK:           scf.if {{.*}} -> (vector<8xf32>, vector<8xf32>, vector<8xf32>) {
func.func @plain(%x: memref<1x2x9x20xf32>, %f: memref<3x2x3x3xf32>, %out: memref<1x3x9x20xf32>) {
  hone.kernel.conv ins(%x, %f : memref<1x2x9x20xf32>, memref<3x2x3x3xf32>) maps [] outs(%out : memref<1x3x9x20xf32>)
      kernel [3, 3] strides [1, 1] dilations [1, 1] pads [1, 1, 1, 1] group 1 {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// However long a row is, its tiles are planned in runs of what is alike: the first, those between, the last.
// CHECK-LABEL: func.func @long_row(
// CHECK:         scf.for {{.*}} iter_args
// CHECK:         scf.for %{{.+}} = %c0 to %c715827881 step
// CHECK:         scf.for {{.*}} iter_args
func.func @long_row(%x: memref<1x4294967298x32xf32>, %f: memref<1x3x32x16xf32>, %out: memref<1x4294967298x16xf32>) {
  hone.kernel.conv ins(%x, %f : memref<1x4294967298x32xf32>, memref<1x3x32x16xf32>) maps [] outs(%out : memref<1x4294967298x16xf32>)
      kernel [3] strides [1] dilations [1] pads [1, 1] group 1 channels_last packed <16, 1> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// The filters of the next channels are prefetched by the tiles of an image's 14 rows.
// VNNI-LABEL: func.func @prefetched(
// VNNI:         memref.prefetch
// VNNI:         vector.fma
func.func @prefetched(%x: memref<1x14x14x128xf32>, %f: memref<4x3x3x128x16xf32>, %out: memref<1x14x14x64xf32>) {
  hone.kernel.conv ins(%x, %f : memref<1x14x14x128xf32>, memref<4x3x3x128x16xf32>) maps [] outs(%out : memref<1x14x14x64xf32>)
      kernel [3, 3] strides [1, 1] dilations [1, 1] pads [1, 1, 1, 1] group 1 channels_last packed <16, 1> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// A result with channels first: two pixels of three vectors of channels are transposed, and stored as two pixels of each
// channel, of which there are 20.
// CHECK-LABEL: func.func @transposed(
// CHECK:         %[[OUT:.+]] = memref.reinterpret_cast %arg2 {{.*}} to memref<2880xf32>
// CHECK:         scf.for {{.*}} iter_args
// CHECK:         %[[MASK:.+]] = vector.constant_mask [2] : vector<8xi1>
// CHECK-COUNT-20: vector.shuffle {{.*}} : vector<8xf32>, vector<8xf32>
// CHECK-COUNT-8: vector.maskedstore %[[OUT]][%{{.+}}], %[[MASK]], %{{.+}} : memref<2880xf32>, vector<8xi1>, vector<8xf32>
// CHECK-COUNT-20: vector.shuffle {{.*}} : vector<8xf32>, vector<8xf32>
// CHECK-COUNT-8: vector.maskedstore %[[OUT]]
// CHECK-COUNT-10: vector.shuffle {{.*}} : vector<8xf32>, vector<8xf32>
// CHECK-COUNT-4: vector.maskedstore %[[OUT]]
// CHECK-NOT:     vector.maskedstore
// CHECK:         scf.for {{.*}} iter_args
func.func @transposed(%x: memref<1x12x12x8xf32>, %f: memref<2x3x3x8x16xf32>, %out: memref<1x20x12x12xf32>) {
  %view = memref.transpose %out (n, c, h, w) -> (n, h, w, c) : memref<1x20x12x12xf32> to memref<1x12x12x20xf32, strided<[2880, 12, 1, 144]>>
  hone.kernel.conv ins(%x, %f : memref<1x12x12x8xf32>, memref<2x3x3x8x16xf32>) maps [] outs(%view : memref<1x12x12x20xf32, strided<[2880, 12, 1, 144]>>)
      kernel [3, 3] strides [1, 1] dilations [1, 1] pads [1, 1, 1, 1] group 1 channels_last packed <16, 1> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

// The pixels of two images have no uniform distance in such a result: they are not the rows of one product.
// CHECK-LABEL: func.func @two_images_transposed(
// CHECK:         %[[ROW:.+]] = arith.remui %[[NUMBER:.+]], %c12 : index
// CHECK-NEXT:    %[[IMAGE:.+]] = arith.divui %[[NUMBER]], %c12 : index
func.func @two_images_transposed(%x: memref<2x12x12x8xf32>, %f: memref<2x1x1x8x16xf32>, %out: memref<2x20x12x12xf32>) {
  %view = memref.transpose %out (n, c, h, w) -> (n, h, w, c) : memref<2x20x12x12xf32> to memref<2x12x12x20xf32, strided<[2880, 12, 1, 144]>>
  hone.kernel.conv ins(%x, %f : memref<2x12x12x8xf32>, memref<2x1x1x8x16xf32>) maps [] outs(%view : memref<2x12x12x20xf32, strided<[2880, 12, 1, 144]>>)
      kernel [1, 1] strides [1, 1] dilations [1, 1] pads [0, 0, 0, 0] group 1 channels_last packed <16, 1> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}
