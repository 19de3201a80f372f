// RUN: hone-opt %s --split-input-file --hone-pack-weights \
// RUN:   --mlir-print-elementsattrs-with-hex-if-larger=-1 | FileCheck %s
// RUN: hone-opt %s --split-input-file --hone-pack-weights --remarks-filter-missed=.* -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
// REMARK: {{.Missed.}} slow | Category:pack-weights | Reason="the right operand is batched", work=30
// REMARK: {{.Missed.}} slow | Category:pack-weights | Reason="channels are not last", work=36

// CHECK-LABEL: func.func @matmul(
// CHECK:         %[[W:.+]] = hone.constant dense_resource<packed_0> : tensor<2x12x16xf32>
// CHECK:         hone.matmul %{{.+}}, %[[W]] packed <16, 1> : tensor<5x12xf32>, tensor<2x12x16xf32> -> tensor<5x24xf32>
func.func @matmul(%x: tensor<5x12xf32>) -> tensor<5x24xf32> {
  %w = hone.constant dense_resource<w> : tensor<12x24xf32>
  %r = hone.matmul %x, %w : tensor<5x12xf32>, tensor<12x24xf32> -> tensor<5x24xf32>
  return %r : tensor<5x24xf32>
}
{-#
  dialect_resources: { builtin: { w: "0x40000000000000000000803F0000004000004040000080400000A0400000C0400000E0400000004100001041000020410000304100004041000050410000604100007041000080410000884100009041000098410000A0410000A8410000B0410000B8410000C0410000C8410000D0410000D8410000E0410000E8410000F0410000F84100000042000004420000084200000C4200001042000014420000184200001C4200002042000024420000284200002C4200003042000034420000384200003C4200004042000044420000484200004C4200005042000054420000584200005C4200006042000064420000684200006C4200007042000074420000784200007C42000080420000824200008442000086420000884200008A4200008C4200008E42000090420000924200009442000096420000984200009A4200009C4200009E420000A0420000A2420000A4420000A6420000A8420000AA420000AC420000AE420000B0420000B2420000B4420000B6420000B8420000BA420000BC420000BE420000C0420000C2420000C4420000C6420000C8420000CA420000CC420000CE420000D0420000D2420000D4420000D6420000D8420000DA420000DC420000DE420000E0420000E2420000E4420000E6420000E8420000EA420000EC420000EE420000F0420000F2420000F4420000F6420000F8420000FA420000FC420000FE420000004300000143000002430000034300000443000005430000064300000743000008430000094300000A4300000B4300000C4300000D4300000E4300000F430000104300001143000012430000134300001443000015430000164300001743000018430000194300001A4300001B4300001C4300001D4300001E4300001F430000204300002143000022430000234300002443000025430000264300002743000028430000294300002A4300002B4300002C4300002D4300002E4300002F430000304300003143000032430000334300003443000035430000364300003743000038430000394300003A4300003B4300003C4300003D4300003E4300003F430000404300004143000042430000434300004443000045430000464300004743000048430000494300004A4300004B4300004C4300004D4300004E4300004F430000504300005143000052430000534300005443000055430000564300005743000058430000594300005A4300005B4300005C4300005D4300005E4300005F430000604300006143000062430000634300006443000065430000664300006743000068430000694300006A4300006B4300006C4300006D4300006E4300006F430000704300007143000072430000734300007443000075430000764300007743000078430000794300007A4300007B4300007C4300007D4300007E4300007F43000080430080804300008143008081430000824300808243000083430080834300008443008084430000854300808543000086430080864300008743008087430000884300808843000089430080894300008A4300808A4300008B4300808B4300008C4300808C4300008D4300808D4300008E4300808E4300008F4300808F43" } }
#-}

// -----

// The columns that fill up a panel are zero.
// CHECK-LABEL: func.func @values(
// CHECK:         hone.constant dense<{{\[\[\[}}1.000000e+00, 2.000000e+00, 0.000000e+00
// CHECK-SAME{LITERAL}: ], [3.000000e+00, 4.000000e+00, 0.000000e+00
func.func @values(%x: tensor<5x2xf32>) -> tensor<5x2xf32> {
  %w = hone.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %r = hone.matmul %x, %w : tensor<5x2xf32>, tensor<2x2xf32> -> tensor<5x2xf32>
  return %r : tensor<5x2xf32>
}

// -----

// CHECK-LABEL: func.func @transposed(
// CHECK:         hone.constant dense<{{\[\[\[}}1.000000e+00, 3.000000e+00, 0.000000e+00
// CHECK-SAME{LITERAL}: ], [2.000000e+00, 4.000000e+00, 0.000000e+00
// CHECK-NOT:     transpose_rhs
func.func @transposed(%x: tensor<5x2xf32>) -> tensor<5x2xf32> {
  %w = hone.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %r = hone.matmul %x, %w transpose_rhs : tensor<5x2xf32>, tensor<2x2xf32> -> tensor<5x2xf32>
  return %r : tensor<5x2xf32>
}

// -----

// CHECK-LABEL: func.func @shared(
// CHECK-COUNT-1: hone.constant
// CHECK-NOT:     hone.constant
// CHECK-COUNT-2: packed
func.func @shared(%x: tensor<5x2xf32>) -> tensor<5x2xf32> {
  %w = hone.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %r = hone.matmul %x, %w : tensor<5x2xf32>, tensor<2x2xf32> -> tensor<5x2xf32>
  %s = hone.matmul %r, %w : tensor<5x2xf32>, tensor<2x2xf32> -> tensor<5x2xf32>
  return %s : tensor<5x2xf32>
}

// -----

// Two groups of one output each: a panel for each group.
// CHECK-LABEL: func.func @conv(
// CHECK:         hone.constant dense<{{\[\[\[\[}}1.000000e+00, 0.000000e+00
// CHECK-SAME{LITERAL}: ], [3.000000e+00, 0.000000e+00
// CHECK-SAME{LITERAL}: ]], [[2.000000e+00, 0.000000e+00
// CHECK-SAME{LITERAL}: ]]], [[[5.000000e+00, 0.000000e+00
// CHECK-SAME:    tensor<2x2x2x16xf32>
// CHECK:         hone.conv {{.+}} channels_last packed <16, 1>
func.func @conv(%x: tensor<1x9x4xf32>) -> tensor<1x8x2xf32> {
  %w = hone.constant dense<[[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]]> : tensor<2x2x2xf32>
  %r = hone.conv %x, %w kernel [2] strides [1] dilations [1] pads [0, 0] group 2 channels_last
    : tensor<1x9x4xf32>, tensor<2x2x2xf32> -> tensor<1x8x2xf32>
  return %r : tensor<1x8x2xf32>
}

// -----

// CHECK-LABEL: func.func @depthwise(
// CHECK:         hone.constant dense<{{\[\[}}1.000000e+00, 3.000000e+00], [2.000000e+00, 4.000000e+00]]>
// CHECK:         hone.conv {{.+}} channels_last depthwise
func.func @depthwise(%x: tensor<1x9x2xf32>) -> tensor<1x8x2xf32> {
  %w = hone.constant dense<[[[1.0, 2.0]], [[3.0, 4.0]]]> : tensor<2x1x2xf32>
  %r = hone.conv %x, %w kernel [2] strides [1] dilations [1] pads [0, 0] group 2 channels_last
    : tensor<1x9x2xf32>, tensor<2x1x2xf32> -> tensor<1x8x2xf32>
  return %r : tensor<1x8x2xf32>
}

// -----

// Four bytes along K lie together; K is padded to whole steps.
// CHECK-LABEL: func.func @bytes(
// CHECK-SAME:    %[[X:.+]]: tensor<5x6xi8>
// CHECK:         %[[W:.+]] = hone.constant {{.+}} : tensor<1x2x16x4xi8>
// CHECK:         %[[P:.+]] = hone.pad %[[X]] with %{{.+}} low [0, 0] high [0, 2] : tensor<5x6xi8>, i8 -> tensor<5x8xi8>
// CHECK:         hone.matmul %[[P]], %[[W]] packed <16, 4> : tensor<5x8xi8>, tensor<1x2x16x4xi8> -> tensor<5x9xi32>
// CHECK:         hone.conv {{.+}} channels_last packed <16, 4> : tensor<1x9x8xi8>, tensor<2x3x1x16x4xi8> -> tensor<1x7x6xi32>
func.func @bytes(%x: tensor<5x6xi8>, %y: tensor<1x9x8xi8>) -> (tensor<5x9xi32>, tensor<1x7x6xi32>) {
  %w = hone.constant dense<3> : tensor<6x9xi8>
  %a = hone.matmul %x, %w : tensor<5x6xi8>, tensor<6x9xi8> -> tensor<5x9xi32>
  %f = hone.constant dense<2> : tensor<6x4x3xi8>
  %b = hone.conv %y, %f kernel [3] strides [1] dilations [1] pads [0, 0] group 2 channels_last
    : tensor<1x9x8xi8>, tensor<6x4x3xi8> -> tensor<1x7x6xi32>
  return %a, %b : tensor<5x9xi32>, tensor<1x7x6xi32>
}

// -----

// CHECK-LABEL: func.func @left_alone(
// CHECK-NOT:     packed
func.func @left_alone(%x: tensor<5x2xi32>, %y: tensor<3x5x2xf32>, %z: tensor<1x4x9xf32>)
    -> (tensor<5x2xi32>, tensor<3x5x2xf32>, tensor<1x2x8xf32>) {
  %integers = hone.constant dense<[[1, 2], [3, 4]]> : tensor<2x2xi32>
  %a = hone.matmul %x, %integers : tensor<5x2xi32>, tensor<2x2xi32> -> tensor<5x2xi32>
  %batched = hone.constant dense<1.0> : tensor<3x2x2xf32>
  %b = hone.matmul %y, %batched : tensor<3x5x2xf32>, tensor<3x2x2xf32> -> tensor<3x5x2xf32>
  %filter = hone.constant dense<1.0> : tensor<2x4x2xf32>
  %c = hone.conv %z, %filter kernel [2] strides [1] dilations [1] pads [0, 0] group 1
    : tensor<1x4x9xf32>, tensor<2x4x2xf32> -> tensor<1x2x8xf32>
  return %a, %b, %c : tensor<5x2xi32>, tensor<3x5x2xf32>, tensor<1x2x8xf32>
}

// -----

// Filters that a run computes are packed in the run.
// CHECK-LABEL: func.func @in_the_run(
// CHECK-SAME:    %{{.+}}: tensor<1x9x4xf32>, %[[W:.+]]: tensor<6x2x3xf32>
// CHECK:         %[[G:.+]] = hone.reshape %[[W]] : tensor<6x2x3xf32> -> tensor<2x3x2x3xf32>
// CHECK:         %[[P:.+]] = hone.pad %[[G]] with %{{.+}} low [0, 0, 0, 0] high [0, 13, 0, 0]
// CHECK:         %[[S:.+]] = hone.reshape %[[P]] : {{.+}} -> tensor<2x16x2x1x3xf32>
// CHECK:         %[[T:.+]] = hone.transpose %[[S]] [0, 4, 2, 1, 3]
// CHECK:         %[[F:.+]] = hone.reshape %[[T]] : {{.+}} -> tensor<2x3x2x16xf32>
// CHECK:         hone.conv %{{.+}}, %[[F]] {{.+}} channels_last packed <16, 1>
func.func @in_the_run(%x: tensor<1x9x4xf32>, %w: tensor<6x2x3xf32>) -> tensor<1x7x6xf32> {
  %r = hone.conv %x, %w kernel [3] strides [1] dilations [1] pads [0, 0] group 2 channels_last
    : tensor<1x9x4xf32>, tensor<6x2x3xf32> -> tensor<1x7x6xf32>
  return %r : tensor<1x7x6xf32>
}

// -----

// CHECK-LABEL: func.func @depthwise_in_the_run(
// CHECK:         hone.transpose %{{.+}} [1, 0] : tensor<4x3xf32> -> tensor<3x4xf32>
// CHECK:         hone.conv {{.+}} channels_last depthwise
func.func @depthwise_in_the_run(%x: tensor<1x9x4xf32>, %w: tensor<4x1x3xf32>) -> tensor<1x7x4xf32> {
  %r = hone.conv %x, %w kernel [3] strides [1] dilations [1] pads [0, 0] group 4 channels_last
    : tensor<1x9x4xf32>, tensor<4x1x3xf32> -> tensor<1x7x4xf32>
  return %r : tensor<1x7x4xf32>
}
