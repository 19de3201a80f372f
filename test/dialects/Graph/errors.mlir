// RUN: hone-opt %s --split-input-file --verify-diagnostics

func.func @map_c1(%x: tensor<4xf32>) {
  // expected-error @+1 {{results have different shapes}}
  %a, %b = hone.map -> tensor<4xf32>, tensor<5xf32> {
    %c = arith.constant 0.0 : f32
    hone.yield %c, %c : f32, f32
  }
  return
}

// -----

func.func @map_no_result(%x: tensor<4xf32>) {
  // expected-error @+1 {{has no result}}
  "hone.map"() <{operandSegmentSizes = array<i32: 0, 0>}> ({
    "hone.yield"() : () -> ()
  }) : () -> ()
  return
}

// -----

func.func @map_dims(%x: tensor<4xf32>) {
  // expected-error @+1 {{has 0 dims for the 1 dynamic dimensions}}
  %a = hone.map -> tensor<?xf32> {
    %c = arith.constant 0.0 : f32
    hone.yield %c : f32
  }
  return
}

// -----

func.func @map_c2_rank(%x: tensor<2x4xf32>) {
  // expected-error @+1 {{input 0 has a higher rank than the result}}
  %a = hone.map ins(%x : tensor<2x4xf32>) -> tensor<4xf32> {
  ^bb0(%e: f32):
    hone.yield %e : f32
  }
  return
}

// -----

func.func @map_c2_size(%x: tensor<3xf32>) {
  // expected-error @+1 {{dimension 0 of input 0 is neither 1 nor that of the result}}
  %a = hone.map ins(%x : tensor<3xf32>) -> tensor<4xf32> {
  ^bb0(%e: f32):
    hone.yield %e : f32
  }
  return
}

// -----

func.func @map_c3_count(%x: tensor<4xf32>) {
  // expected-error @+1 {{region has 2 arguments for 1 inputs}}
  %a = hone.map ins(%x : tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%e: f32, %f: f32):
    hone.yield %e : f32
  }
  return
}

// -----

func.func @map_c3_type(%x: tensor<4xf32>) {
  // expected-error @+1 {{region argument 0 is not of the element type of its input}}
  %a = hone.map ins(%x : tensor<4xf32>) -> tensor<4xi8> {
  ^bb0(%e: i8):
    hone.yield %e : i8
  }
  return
}

// -----

func.func @map_c4_count(%x: tensor<4xf32>) {
  // expected-error @+1 {{region must yield one value per result}}
  %a = hone.map ins(%x : tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%e: f32):
    hone.yield %e, %e : f32, f32
  }
  return
}

// -----

func.func @map_c4_type(%x: tensor<4xf32>) {
  // expected-error @+1 {{region yields 'f32' for 'tensor<4xi8>'}}
  %a = hone.map ins(%x : tensor<4xf32>) -> tensor<4xi8> {
  ^bb0(%e: f32):
    hone.yield %e : f32
  }
  return
}

// -----

func.func @map_c5() {
  // expected-error @+1 {{region asks for coordinate 1 of a result of rank 1}}
  %a = hone.map -> tensor<4xi64> {
    %i = hone.index 1
    %j = arith.index_cast %i : index to i64
    hone.yield %j : i64
  }
  return
}

// -----

func.func @reduce_c1(%x: tensor<4x5xf32>) {
  // expected-error @+1 {{axes must be ascending and inside rank 2}}
  %a = hone.reduce sum %x axes [1, 0] : tensor<4x5xf32> -> tensor<f32>
  return
}

// -----

func.func @reduce_c2(%x: tensor<4x5xf32>) {
  // expected-error @+1 {{result shape does not follow from the input and the axes}}
  %a = hone.reduce sum %x axes [1] : tensor<4x5xf32> -> tensor<5xf32>
  return
}

// -----

func.func @arg_reduce_c1(%x: tensor<4x5xf32>) {
  // expected-error @+1 {{axis 2 is out of range for rank 2}}
  %a = hone.arg_reduce max %x axis 2 : tensor<4x5xf32> -> tensor<4xi64>
  return
}

// -----

func.func @arg_reduce_kind(%x: tensor<4x5xf32>) {
  // expected-error @+1 {{kind must be max, min, umax or umin}}
  %a = hone.arg_reduce sum %x axis 1 : tensor<4x5xf32> -> tensor<4xi64>
  return
}

// -----

func.func @cumulate_axis(%x: tensor<4xf32>) {
  // expected-error @+1 {{axis 1 is out of range for rank 1}}
  %a = hone.cumulate sum %x axis 1 : tensor<4xf32>
  return
}

// -----

func.func @cumulate_kind(%x: tensor<4xf32>) {
  // expected-error @+1 {{kind must be sum or prod}}
  %a = hone.cumulate max %x axis 0 : tensor<4xf32>
  return
}

// -----

func.func @lookup_c1(%x: i8) -> i8 {
  // expected-error @+1 {{'hone.lookup' op has a table of 2 elements; it has 256}}
  %y = hone.lookup %x [1, 2] : i8
  return %y : i8
}

// -----

func.func @top_k_c1(%x: tensor<4xf32>) {
  // expected-error @+1 {{axis 1 is out of range for rank 1}}
  %v, %i = hone.top_k %x axis 1 : tensor<4xf32> -> tensor<2xf32>, tensor<2xi64>
  return
}

// -----

func.func @top_k_c2(%x: tensor<4xf32>) {
  // expected-error @+1 {{values and indices have different shapes}}
  %v, %i = hone.top_k %x axis 0 : tensor<4xf32> -> tensor<2xf32>, tensor<3xi64>
  return
}

// -----

func.func @matmul_c1_rank(%x: tensor<4xf32>, %y: tensor<4x5xf32>) {
  // expected-error @+1 {{operands must have at least two dimensions}}
  %r = hone.matmul %x, %y : tensor<4xf32>, tensor<4x5xf32> -> tensor<1x5xf32>
  return
}

// -----

func.func @matmul_c1_inner(%x: tensor<3x4xf32>, %y: tensor<5x6xf32>) {
  // expected-error @+1 {{inner dimensions 4 and 5 differ}}
  %r = hone.matmul %x, %y : tensor<3x4xf32>, tensor<5x6xf32> -> tensor<3x6xf32>
  return
}

// -----

func.func @matmul_c1_panels(%x: tensor<3x4xf32>, %y: tensor<1x4x8xf32>) {
  // expected-error @+1 {{panels must be of shape [ceil(N/nr), ceil(K/kr), nr, kr]}}
  %r = hone.matmul %x, %y packed <16, 1> : tensor<3x4xf32>, tensor<1x4x8xf32> -> tensor<3x6xf32>
  return
}

// -----

func.func @matmul_c2(%x: tensor<3x4xf32>, %y: tensor<4x6xf64>) {
  // expected-error @+1 {{operands have different element types}}
  %r = hone.matmul %x, %y : tensor<3x4xf32>, tensor<4x6xf64> -> tensor<3x6xf32>
  return
}

// -----

func.func @matmul_c3(%x: tensor<3x4xf32>, %y: tensor<4x6xf32>) {
  // expected-error @+1 {{result must have the rows of the left and the columns of the right operand}}
  %r = hone.matmul %x, %y : tensor<3x4xf32>, tensor<4x6xf32> -> tensor<3x5xf32>
  return
}

// -----

func.func @matmul_c3_panels(%x: tensor<3x4xf32>, %y: tensor<1x4x16xf32>) {
  // expected-error @+1 {{result must have the rows of the left and the columns of the right operand}}
  %r = hone.matmul %x, %y packed <16, 1> : tensor<3x4xf32>, tensor<1x4x16xf32> -> tensor<3x17xf32>
  return
}

// -----

func.func @matmul_c1_steps(%x: tensor<3x6xi8>, %y: tensor<1x2x16x4xi8>) {
  // expected-error @+1 {{inner dimensions 6 and 8 differ}}
  %r = hone.matmul %x, %y packed <16, 4> : tensor<3x6xi8>, tensor<1x2x16x4xi8> -> tensor<3x6xi32>
  return
}

// -----

func.func @matmul_c1_blocks(%x: tensor<3x8xi8>, %y: tensor<1x3x16x4xi8>) {
  // expected-error @+1 {{ordered panels are of bytes and whole blocks of K}}
  %r = hone.matmul %x, %y packed <16, 4, corrections = 0> : tensor<3x8xi8>, tensor<1x3x16x4xi8> -> tensor<3x6xi32>
  return
}

// -----

// Four steps, and one of orders.
func.func @matmul_c1_orders(%x: tensor<3x16xi8>, %y: tensor<1x4x16x4xi8>) {
  // expected-error @+1 {{ordered panels are of bytes and whole blocks of K}}
  %r = hone.matmul %x, %y packed <16, 4, corrections = 0> : tensor<3x16xi8>, tensor<1x4x16x4xi8> -> tensor<3x6xi32>
  return
}

// -----

func.func @packed_corrections(%x: tensor<3x16xf32>, %y: tensor<1x4x16xf32>) {
  // expected-error @+1 {{corrections are of bytes, and not}}
  %r = hone.matmul %x, %y packed <16, 1, corrections = 0> : tensor<3x16xf32>, tensor<1x4x16xf32> -> tensor<3x6xf32>
  return
}

// -----

func.func @conv_c6_blocks(%x: tensor<1x9x8xi8>, %f: tensor<1x7x16x4xi8>) {
  // expected-error @+1 {{ordered panels are of bytes, whole blocks of the channels}}
  %r = hone.conv %x, %f kernel [3] strides [1] dilations [1] pads [0, 0] group 1 channels_last packed <16, 4, corrections = 0>
    : tensor<1x9x8xi8>, tensor<1x7x16x4xi8> -> tensor<1x7x6xi32>
  return
}

// -----

// Words of a block: 16 scales, and 16 for each 8 of its 32 elements.
func.func @matmul_c5_words(%x: tensor<3x40xf32>, %y: tensor<1x2x64xi32>) {
  // expected-error @+1 {{words do not have the layout of the quantized operand}}
  %r = hone.matmul %x, %y packed <16, 8> quantized <block = 32, scale = f32, zero = 8> : tensor<3x40xf32>, tensor<1x2x64xi32> -> tensor<3x6xf32>
  return
}

// -----

func.func @matmul_c5_packed(%x: tensor<3x40xf32>, %y: tensor<1x2x80xi32>) {
  // expected-error @+1 {{words do not have the layout of the quantized operand}}
  %r = hone.matmul %x, %y quantized <block = 32, scale = f32, zero = 8> : tensor<3x40xf32>, tensor<1x2x80xi32> -> tensor<3x6xf32>
  return
}

// -----

func.func @matmul_c2_quantized(%x: tensor<3x40xf16>, %y: tensor<1x2x80xi32>) {
  // expected-error @+1 {{operands have different element types}}
  %r = hone.matmul %x, %y packed <16, 8> quantized <block = 32, scale = f32, zero = 8> : tensor<3x40xf16>, tensor<1x2x80xi32> -> tensor<3x6xf16>
  return
}

// -----

func.func @quantized_block(%x: tensor<3x40xf32>, %y: tensor<1x2x48xi32>) {
  // expected-error @+1 {{words do not have the layout of the quantized operand}}
  %r = hone.matmul %x, %y packed <16, 8> quantized <block = 20, scale = f32, zero = 8> : tensor<3x40xf32>, tensor<1x2x48xi32> -> tensor<3x6xf32>
  return
}

// -----

func.func @quantized_no_block(%x: tensor<3x40xf32>, %y: tensor<1x2x80xi32>) {
  // expected-error @+1 {{blocks have elements, not 0}}
  %r = hone.matmul %x, %y packed <16, 8> quantized <block = 0, scale = f32, zero = 8> : tensor<3x40xf32>, tensor<1x2x80xi32> -> tensor<3x6xf32>
  return
}

// -----

func.func @quantized_table(%x: tensor<3x40xf32>, %y: tensor<1x2x80xi32>) {
  // expected-error @+1 {{a table has 16 values, and no zero point}}
  %r = hone.matmul %x, %y packed <16, 8> quantized <block = 32, scale = f32, zero = 0, table = [1.0, 2.0]> : tensor<3x40xf32>, tensor<1x2x80xi32> -> tensor<3x6xf32>
  return
}

// -----

func.func @dequantize_c4(%c: tensor<6x16xi8>, %s: tensor<6x1xf32>) {
  // expected-error @+1 {{needs codes of 4 bits, without zero points or products of bytes, for a table of 16 elements}}
  %w = hone.dequantize %c, %s bits 4 block 32 axis 1 unsigned table [1.0, 2.0] : tensor<6x16xi8>, tensor<6x1xf32> -> tensor<6x32xf32>
  return
}

// -----

func.func @quantized_bytes(%x: tensor<3x40xf32>, %y: tensor<1x5x32xi32>) {
  // expected-error @+1 {{bytes are multiplied by codes, in blocks of a multiple of 16 up to 32768}}
  %r = hone.matmul %x, %y packed <16, 8> quantized <block = 8, scale = f32, zero = 8, bytes = true> : tensor<3x40xf32>, tensor<1x5x32xi32> -> tensor<3x6xf32>
  return
}

// -----

func.func @quantized_scale(%x: tensor<3x40xf32>, %y: tensor<1x2x80xi32>) {
  // expected-error @+1 {{scales are f32, f16 or bf16, not 'f64'}}
  %r = hone.matmul %x, %y packed <16, 8> quantized <block = 32, scale = f64, zero = 8> : tensor<3x40xf32>, tensor<1x2x80xi32> -> tensor<3x6xf32>
  return
}

// -----

func.func @quantized_zero(%x: tensor<3x40xf32>, %y: tensor<1x2x80xi32>) {
  // expected-error @+1 {{a zero point is a difference of bytes, not -256}}
  %r = hone.matmul %x, %y packed <16, 8> quantized <block = 32, scale = f32, zero = -256> : tensor<3x40xf32>, tensor<1x2x80xi32> -> tensor<3x6xf32>
  return
}

// -----

func.func @quantized_huge_block(%x: tensor<3x40xf32>, %y: tensor<1x1x16xi32>) {
  // expected-error @+1 {{blocks have elements, not 4611686018427387904}}
  %r = hone.matmul %x, %y packed <16, 4> quantized <block = 4611686018427387904, scale = f32, zero = 8> : tensor<3x40xf32>, tensor<1x1x16xi32> -> tensor<3x6xf32>
  return
}

// -----

// Words that are not quantized, and steps of another type.
func.func @packed_type(%x: tensor<3x8xf32>, %y: tensor<1x1x16x8xf32>) {
  // expected-error @+1 {{panels must be of shape}}
  %r = hone.matmul %x, %y packed <16, 8> : tensor<3x8xf32>, tensor<1x1x16x8xf32> -> tensor<3x6xf32>
  return
}

// -----

func.func @kernel_matmul_c3(%x: tensor<3x40xf32>, %y: tensor<1x2x64xi32>, %o: tensor<3x6xf32>) {
  // expected-error @+1 {{words do not have the layout of the quantized operand}}
  %r = hone.kernel.matmul ins(%x, %y : tensor<3x40xf32>, tensor<1x2x64xi32>) maps [] outs(%o : tensor<3x6xf32>)
      packed <16, 8> quantized <block = 32, scale = f32, zero = 8> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  } -> tensor<3x6xf32>
  return
}

// -----

func.func @kernel_matmul_c3_type(%x: tensor<3x40xf16>, %y: tensor<1x2x80xi32>, %o: tensor<3x6xf32>) {
  // expected-error @+1 {{a quantized product is of f32}}
  %r = hone.kernel.matmul ins(%x, %y : tensor<3x40xf16>, tensor<1x2x80xi32>) maps [] outs(%o : tensor<3x6xf32>)
      packed <16, 8> quantized <block = 32, scale = f32, zero = 8> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  } -> tensor<3x6xf32>
  return
}

// -----

func.func @dequantize_c3_axis(%x: tensor<3x40xi8>, %s: tensor<3x2xf32>) {
  // expected-error @+1 {{needs blocks of rows or columns}}
  %r = hone.dequantize %x, %s bits 8 block 32 axis 2 : tensor<3x40xi8>, tensor<3x2xf32> -> tensor<3x40xf32>
  return
}

// -----

func.func @dequantize_c1(%x: tensor<3x40xi16>, %s: tensor<3x2xf32>) {
  // expected-error @+1 {{needs matrices of bytes, and of f32, f16 or bf16}}
  %r = hone.dequantize %x, %s bits 8 block 32 axis 1 : tensor<3x40xi16>, tensor<3x2xf32> -> tensor<3x40xf32>
  return
}

// -----

func.func @dequantize_c2(%x: tensor<3x20xi8>, %s: tensor<3x2xf32>) {
  // expected-error @+1 {{needs codes of 2, 4 or 8 bits, unsigned below 8}}
  %r = hone.dequantize %x, %s bits 4 block 32 axis 1 : tensor<3x20xi8>, tensor<3x2xf32> -> tensor<3x40xf32>
  return
}

// -----

func.func @dequantize_c3(%x: tensor<3x20xi8>, %s: tensor<3x1xf32>) {
  // expected-error @+1 {{operands do not have the sizes of the result}}
  %r = hone.dequantize %x, %s bits 4 block 32 axis 1 unsigned : tensor<3x20xi8>, tensor<3x1xf32> -> tensor<3x40xf32>
  return
}

// -----

func.func @packed_width(%x: tensor<3x4xf32>, %y: tensor<1x4x8xf32>) {
  // expected-error @+1 {{panels have 16 columns, not 8}}
  %r = hone.matmul %x, %y packed <8, 1> : tensor<3x4xf32>, tensor<1x4x8xf32> -> tensor<3x6xf32>
  return
}

// -----

func.func @packed_step(%x: tensor<3x4xf32>, %y: tensor<1x4x16x3xf32>) {
  // expected-error @+1 {{1, 2, 4, 8 or 16 elements of K lie together, not 3}}
  %r = hone.matmul %x, %y packed <16, 3> : tensor<3x4xf32>, tensor<1x4x16x3xf32> -> tensor<3x6xf32>
  return
}

// -----

func.func @matmul_c4(%x: tensor<2x3x4xf32>, %y: tensor<3x4x6xf32>) {
  // expected-error @+1 {{batch dimensions do not broadcast to the result}}
  %r = hone.matmul %x, %y : tensor<2x3x4xf32>, tensor<3x4x6xf32> -> tensor<2x3x6xf32>
  return
}

// -----

func.func @matmul_c4_rank(%x: tensor<2x3x4xf32>, %y: tensor<4x6xf32>) {
  // expected-error @+1 {{result has a lower rank than an operand}}
  %r = hone.matmul %x, %y : tensor<2x3x4xf32>, tensor<4x6xf32> -> tensor<3x6xf32>
  return
}

// -----

func.func @conv_c1_count(%x: tensor<1x4x9xf32>, %w: tensor<2x4x3xf32>) {
  // expected-error @+1 {{needs 1 strides and dilations and 2 pads}}
  %r = hone.conv %x, %w kernel [3] strides [1, 1] dilations [1] pads [0, 0] group 1 : tensor<1x4x9xf32>, tensor<2x4x3xf32> -> tensor<1x2x7xf32>
  return
}

// -----

func.func @conv_c1_positive(%x: tensor<1x4x9xf32>, %w: tensor<2x4x3xf32>) {
  // expected-error @+1 {{strides and dilations must be positive}}
  %r = hone.conv %x, %w kernel [3] strides [1] dilations [0] pads [0, 0] group 1 : tensor<1x4x9xf32>, tensor<2x4x3xf32> -> tensor<1x2x7xf32>
  return
}

// -----

func.func @conv_c1_kernel(%x: tensor<1x4x9xf32>, %w: tensor<2x4x3xf32>) {
  // expected-error @+1 {{needs one kernel size per spatial dimension}}
  %r = hone.conv %x, %w kernel [3, 3] strides [1] dilations [1] pads [0, 0] group 1 : tensor<1x4x9xf32>, tensor<2x4x3xf32> -> tensor<1x2x7xf32>
  return
}

// -----

func.func @conv_c1_spatial(%x: tensor<1x4xf32>, %w: tensor<2x4x3xf32>) {
  // expected-error @+1 {{input must have at least one spatial dimension}}
  %r = hone.conv %x, %w kernel [] strides [] dilations [] pads [] group 1 : tensor<1x4xf32>, tensor<2x4x3xf32> -> tensor<1x2xf32>
  return
}

// -----

func.func @conv_rank(%x: tensor<1x4x9xf32>, %w: tensor<2x4x3xf32>) {
  // expected-error @+1 {{result must have the rank of the input}}
  %r = hone.conv %x, %w kernel [3] strides [1] dilations [1] pads [0, 0] group 1 : tensor<1x4x9xf32>, tensor<2x4x3xf32> -> tensor<1x2xf32>
  return
}

// -----

func.func @conv_c2_group(%x: tensor<1x4x9xf32>, %w: tensor<2x4x3xf32>) {
  // expected-error @+1 {{channels must be multiples of the group count 3}}
  %r = hone.conv %x, %w kernel [3] strides [1] dilations [1] pads [0, 0] group 3 : tensor<1x4x9xf32>, tensor<2x4x3xf32> -> tensor<1x2x7xf32>
  return
}

// -----

func.func @conv_c2_filter(%x: tensor<1x4x9xf32>, %w: tensor<2x3x3xf32>) {
  // expected-error @+1 {{filter does not agree with the channels of input and result}}
  %r = hone.conv %x, %w kernel [3] strides [1] dilations [1] pads [0, 0] group 1 : tensor<1x4x9xf32>, tensor<2x3x3xf32> -> tensor<1x2x7xf32>
  return
}

// -----

func.func @conv_c3(%x: tensor<1x4x9xf32>, %w: tensor<2x4x3xf32>) {
  // expected-error @+1 {{spatial dimension 0 of the result must be 7}}
  %r = hone.conv %x, %w kernel [3] strides [1] dilations [1] pads [0, 0] group 1 : tensor<1x4x9xf32>, tensor<2x4x3xf32> -> tensor<1x2x8xf32>
  return
}

// -----

func.func @conv_c4(%x: tensor<1x4x9xf32>, %w: tensor<1x3x4x16xf32>) {
  // expected-error @+1 {{a packed filter needs channels_last}}
  %r = hone.conv %x, %w kernel [3] strides [1] dilations [1] pads [0, 0] group 1 packed <16, 1> : tensor<1x4x9xf32>, tensor<1x3x4x16xf32> -> tensor<1x2x7xf32>
  return
}

// -----

func.func @conv_c5_plain(%x: tensor<1x4x9xf32>, %w: tensor<2x4x2xf32>) {
  // expected-error @+1 {{filter does not have the sizes of the kernel}}
  %r = hone.conv %x, %w kernel [3] strides [1] dilations [1] pads [0, 0] group 1 : tensor<1x4x9xf32>, tensor<2x4x2xf32> -> tensor<1x2x7xf32>
  return
}

// -----

func.func @conv_c5_panels(%x: tensor<1x9x4xf32>, %w: tensor<1x3x4x8xf32>) {
  // expected-error @+1 {{packed filter has the wrong shape}}
  %r = hone.conv %x, %w kernel [3] strides [1] dilations [1] pads [0, 0] group 1 channels_last packed <16, 1> : tensor<1x9x4xf32>, tensor<1x3x4x8xf32> -> tensor<1x7x2xf32>
  return
}

// -----

func.func @conv_c5_depthwise(%x: tensor<1x9x4xf32>, %w: tensor<2x4xf32>) {
  // expected-error @+1 {{packed filter has the wrong shape}}
  %r = hone.conv %x, %w kernel [3] strides [1] dilations [1] pads [0, 0] group 4 channels_last depthwise : tensor<1x9x4xf32>, tensor<2x4xf32> -> tensor<1x7x4xf32>
  return
}

// -----

func.func @conv_transpose_c1(%x: tensor<1x4x9xf32>, %w: tensor<4x2x3xf32>) {
  // expected-error @+1 {{needs 1 strides and dilations and 2 pads}}
  %r = hone.conv_transpose %x, %w strides [] dilations [1] pads [0, 0] group 1 : tensor<1x4x9xf32>, tensor<4x2x3xf32> -> tensor<1x2x11xf32>
  return
}

// -----

func.func @conv_transpose_c2(%x: tensor<1x4x9xf32>, %w: tensor<3x2x3xf32>) {
  // expected-error @+1 {{filter does not agree with the channels of the input}}
  %r = hone.conv_transpose %x, %w strides [1] dilations [1] pads [0, 0] group 1 : tensor<1x4x9xf32>, tensor<3x2x3xf32> -> tensor<1x2x11xf32>
  return
}

// -----

func.func @pool_c1_kernel(%x: tensor<1x4x9xf32>) {
  // expected-error @+1 {{needs one kernel size per spatial dimension}}
  %r = hone.pool max %x kernel [2, 2] strides [1] dilations [1] pads [0, 0] : tensor<1x4x9xf32> -> tensor<1x4x8xf32>
  return
}

// -----

func.func @pool_c1_strides(%x: tensor<1x4x9xf32>) {
  // expected-error @+1 {{strides and dilations must be positive}}
  %r = hone.pool max %x kernel [2] strides [-1] dilations [1] pads [0, 0] : tensor<1x4x9xf32> -> tensor<1x4x8xf32>
  return
}

// -----

func.func @reshape_c1(%x: tensor<4x5xf32>) {
  // expected-error @+1 {{changes the number of elements from 20 to 21}}
  %r = hone.reshape %x : tensor<4x5xf32> -> tensor<21xf32>
  return
}

// -----

func.func @transpose_c1_count(%x: tensor<4x5xf32>) {
  // expected-error @+1 {{permutation must have one entry per dimension}}
  %r = hone.transpose %x [0] : tensor<4x5xf32> -> tensor<4x5xf32>
  return
}

// -----

func.func @transpose_c1_twice(%x: tensor<4x5xf32>) {
  // expected-error @+1 {{permutation must hold each dimension once}}
  %r = hone.transpose %x [0, 0] : tensor<4x5xf32> -> tensor<4x4xf32>
  return
}

// -----

func.func @transpose_c2(%x: tensor<4x5xf32>) {
  // expected-error @+1 {{dimension 0 of the result must be dimension 1 of the input}}
  %r = hone.transpose %x [1, 0] : tensor<4x5xf32> -> tensor<4x5xf32>
  return
}

// -----

func.func @slice_c1_count(%x: tensor<4x5xf32>) {
  // expected-error @+1 {{needs one offset and one step per dimension}}
  %r = hone.slice %x at [0] steps [1, 1] : tensor<4x5xf32> -> tensor<4x5xf32>
  return
}

// -----

func.func @slice_c1_step(%x: tensor<4x5xf32>) {
  // expected-error @+1 {{step of dimension 1 is 0}}
  %r = hone.slice %x at [0, 0] steps [1, 0] : tensor<4x5xf32> -> tensor<4x5xf32>
  return
}

// -----

func.func @slice_c2(%x: tensor<4x5xf32>) {
  // expected-error @+1 {{leaves the input in dimension 1}}
  %r = hone.slice %x at [0, 2] steps [1, 1] : tensor<4x5xf32> -> tensor<4x4xf32>
  return
}

// -----

func.func @concat_c1_axis(%x: tensor<4xf32>) {
  // expected-error @+1 {{axis 1 is out of range for rank 1}}
  %r = hone.concat %x axis 1 : tensor<4xf32> -> tensor<4xf32>
  return
}

// -----

func.func @concat_c1_type(%x: tensor<4xf32>) {
  // expected-error @+1 {{operands must have the rank and element type of the result}}
  %r = hone.concat %x axis 0 : tensor<4xf32> -> tensor<4xf16>
  return
}

// -----

func.func @concat_c2_other(%x: tensor<4x5xf32>) {
  // expected-error @+1 {{operands differ from the result in dimension 1}}
  %r = hone.concat %x axis 0 : tensor<4x5xf32> -> tensor<4x6xf32>
  return
}

// -----

func.func @concat_c2_sum(%x: tensor<4x5xf32>) {
  // expected-error @+1 {{sizes along the axis add up to 8, not 9}}
  %r = hone.concat %x, %x axis 0 : tensor<4x5xf32>, tensor<4x5xf32> -> tensor<9x5xf32>
  return
}

// -----

func.func @concat_empty() {
  // expected-error @+1 {{has no operand}}
  %r = "hone.concat"() <{axis = 0 : i64, operandSegmentSizes = array<i32: 0, 0>}> : () -> tensor<4xf32>
  return
}

// -----

func.func @pad_c1(%x: tensor<4xf32>, %v: f32) {
  // expected-error @+1 {{needs one low and one high size per dimension}}
  %r = hone.pad %x with %v low [1, 1] high [1] : tensor<4xf32>, f32 -> tensor<6xf32>
  return
}

// -----

func.func @pad_c2(%x: tensor<4xf32>, %v: f16) {
  // expected-error @+1 {{value is not of the element type}}
  %r = hone.pad %x with %v low [1] high [1] : tensor<4xf32>, f16 -> tensor<6xf32>
  return
}

// -----

func.func @pad_result(%x: tensor<4xf32>, %v: f32) {
  // expected-error @+1 {{dimension 0 of the result does not follow from the sizes}}
  %r = hone.pad %x with %v low [1] high [1] : tensor<4xf32>, f32 -> tensor<5xf32>
  return
}

// -----

func.func @gather_c1(%x: tensor<4xf32>, %i: tensor<2xi64>) {
  // expected-error @+1 {{axis 1 is out of range for rank 1}}
  %r = hone.gather %x[%i] axis 1 : tensor<4xf32>, tensor<2xi64> -> tensor<2xf32>
  return
}

// -----

func.func @gather_c2_rank(%x: tensor<4xf32>, %i: tensor<2xi64>) {
  // expected-error @+1 {{result rank must be that of input and indices together, less one}}
  %r = hone.gather %x[%i] axis 0 : tensor<4xf32>, tensor<2xi64> -> tensor<2x1xf32>
  return
}

// -----

func.func @gather_c2_shape(%x: tensor<4xf32>, %i: tensor<2xi64>) {
  // expected-error @+1 {{result shape does not follow from the operands}}
  %r = hone.gather %x[%i] axis 0 : tensor<4xf32>, tensor<2xi64> -> tensor<3xf32>
  return
}

// -----

func.func @scatter_elements(%x: tensor<4xf32>, %i: tensor<2x1xi64>, %u: tensor<2xf32>) {
  // expected-error @+1 {{input, indices and updates must have one rank}}
  %r = hone.scatter assign %u into %x[%i] axis 0 : tensor<4xf32>, tensor<2x1xi64>, tensor<2xf32>
  return
}

// -----

func.func @scatter_nd_indices(%x: tensor<4xf32>, %i: tensor<i64>, %u: tensor<2xf32>) {
  // expected-error @+1 {{indices must have at least one dimension}}
  %r = hone.scatter assign %u into %x[%i] : tensor<4xf32>, tensor<i64>, tensor<2xf32>
  return
}

// -----

func.func @scatter_nd_updates(%x: tensor<4xf32>, %i: tensor<2x1xi64>, %u: tensor<2x3xf32>) {
  // expected-error @+1 {{updates must have the leading dimensions of the indices and the trailing ones of the input}}
  %r = hone.scatter assign %u into %x[%i] : tensor<4xf32>, tensor<2x1xi64>, tensor<2x3xf32>
  return
}

// -----

func.func @attention_c1_narrowed(%q: tensor<2x4xf32>) {
  // expected-error @+1 {{operands and result must be all f32, f16 or bf16, or the result of f32 bf16}}
  %r = hone.attention %q, %q, %q : tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32> -> tensor<2x4xf16> {
  ^bb0(%p: f32, %i: index, %j: index):
    hone.yield %p : f32
  }
  return
}
