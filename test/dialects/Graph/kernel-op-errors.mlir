// RUN: hone-opt %s --split-input-file --verify-diagnostics

func.func @kernel_matmul_c1(%a: memref<4x8xf32>, %b: memref<9x16xf32>, %o: memref<4x16xf32>) {
  // expected-error @+1 {{inner dimensions 8 and 9 differ}}
  hone.kernel.matmul ins(%a, %b : memref<4x8xf32>, memref<9x16xf32>) maps [] outs(%o : memref<4x16xf32>) {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

func.func @kernel_matmul_c2_arguments(%a: memref<4x8xf32>, %b: memref<8x16xf32>, %o: memref<4x16xf32>) {
  // expected-error @+1 {{has 2 region arguments for 1 accumulators and 0 extra operands}}
  hone.kernel.matmul ins(%a, %b : memref<4x8xf32>, memref<8x16xf32>) maps [] outs(%o : memref<4x16xf32>) {
  ^bb0(%acc: f32, %x: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

func.func @kernel_matmul_c2_maps(%a: memref<4x8xf32>, %b: memref<8x16xf32>, %x: memref<16xf32>, %o: memref<4x16xf32>) {
  // expected-error @+1 {{map 0 has a result that is neither a dimension nor 0}}
  hone.kernel.matmul ins(%a, %b : memref<4x8xf32>, memref<8x16xf32>) extras(%x : memref<16xf32>)
      maps [affine_map<(d0, d1) -> (d0 + d1)>] outs(%o : memref<4x16xf32>) {
  ^bb0(%acc: f32, %e: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

func.func @kernel_matmul_c2_yield(%a: memref<4x8xf32>, %b: memref<8x16xf32>, %o: memref<4x16xi8>) {
  // expected-error @+1 {{yields a value that is not of the element type of its destination}}
  hone.kernel.matmul ins(%a, %b : memref<4x8xf32>, memref<8x16xf32>) maps [] outs(%o : memref<4x16xi8>) {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

func.func @kernel_conv_c1(%x: memref<1x4x9xf32>, %f: memref<4x4x3xf32>, %o: memref<1x4x9xf32>) {
  // expected-error @+1 {{attributes do not fit 1 spatial dimensions}}
  hone.kernel.conv ins(%x, %f : memref<1x4x9xf32>, memref<4x4x3xf32>) maps [] outs(%o : memref<1x4x9xf32>)
      kernel [3, 3] strides [1, 1] dilations [1, 1] pads [1, 1] group 1 {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

func.func @kernel_conv_c3(%x: memref<1x9x6xi8>, %f: memref<1x3x2x16x4xi8>, %o: memref<1x7x16xi32>) {
  // expected-error @+1 {{channels of a group are no multiple of kr}}
  hone.kernel.conv ins(%x, %f : memref<1x9x6xi8>, memref<1x3x2x16x4xi8>) maps [] outs(%o : memref<1x7x16xi32>)
      kernel [3] strides [1] dilations [1] pads [0, 0] group 1 channels_last packed <16, 4> {
  ^bb0(%acc: i32):
    hone.kernel.yield %acc : i32
  }
  return
}

// -----

func.func @kernel_matmul_c1_orders(%x: memref<8x16xi8>, %y: memref<1x4x16x4xi8>, %o: memref<8x16xi32>) {
  // expected-error @+1 {{ordered panels are of bytes and whole blocks of K}}
  hone.kernel.matmul ins(%x, %y : memref<8x16xi8>, memref<1x4x16x4xi8>) maps [] outs(%o : memref<8x16xi32>)
      packed <16, 4, corrections = 0> {
  ^bb0(%acc: i32):
    hone.kernel.yield %acc : i32
  }
  return
}

// -----

func.func @kernel_matmul_c1_orders_of_floats(%x: memref<8x16xi8>, %y: memref<1x5x16x4xi8>, %o: memref<8x16xf32>) {
  // expected-error @+1 {{ordered panels are of bytes and whole blocks of K}}
  hone.kernel.matmul ins(%x, %y : memref<8x16xi8>, memref<1x5x16x4xi8>) maps [] outs(%o : memref<8x16xf32>)
      packed <16, 4, corrections = 0> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
}

// -----

func.func @kernel_conv_c3_orders(%x: memref<1x9x16xi8>, %f: memref<1x3x4x16x4xi8>, %o: memref<1x7x16xi32>) {
  // expected-error @+1 {{ordered panels have other channels}}
  hone.kernel.conv ins(%x, %f : memref<1x9x16xi8>, memref<1x3x4x16x4xi8>) maps [] outs(%o : memref<1x7x16xi32>)
      kernel [3] strides [1] dilations [1] pads [0, 0] group 1 channels_last packed <16, 4, corrections = 0> {
  ^bb0(%acc: i32):
    hone.kernel.yield %acc : i32
  }
  return
}

// -----

func.func @kernel_pool_indices(%x: memref<1x4x9xf32>, %o: memref<1x4x3xf32>, %i: memref<1x4x3xi64>) {
  // expected-error @+1 {{only a maximum has indices}}
  hone.kernel.pool sum ins(%x : memref<1x4x9xf32>) maps [] outs(%o, %i : memref<1x4x3xf32>, memref<1x4x3xi64>)
      kernel [3] strides [3] dilations [1] pads [0, 0] indices {
  ^bb0(%acc: f32, %index: i64):
    hone.kernel.yield %acc, %index : f32, i64
  }
  return
}
