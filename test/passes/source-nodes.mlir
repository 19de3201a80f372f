// RUN: hone-opt %s --mlir-print-debuginfo --mlir-print-local-scope --pass-pipeline='builtin.module(func.func(hone-infer-shapes,hone-simplify,hone-merge-equal,hone-fuse-maps,hone-simplify,hone-form-groups),hone-outline-kernels)' | FileCheck %s

// A kernel knows all nodes it originates from: a scale that was folded into the weights of a convolution, maps after it
// that became one, an equal one that was merged. The first is its own, which errors name.
// CHECK-LABEL: func.func @main
// CHECK:         hone_rt.call @{{k[0-9]+_conv_map}}({{.+}}) {{.*}}loc(fused["conv"("Conv"), "norm"("BatchNormalization"), "relu"("Relu")
// CHECK:         hone_rt.call @{{k[0-9]+_map}}({{.+}}) {{.*}}loc(fused["left"("Exp"), "right"("Exp")])
func.func @main(%x: tensor<1x16x8x8xf32> {hone.name = "x"}, %w: tensor<9xf32> {hone.name = "w"})
    -> (tensor<1x16x8x8xf32> {hone.name = "y"}, tensor<9xf32> {hone.name = "z"}, tensor<9xf32> {hone.name = "v"}) {
  %filter = hone.constant dense<0.5> : tensor<16x16x3x3xf32>
  %scale = hone.constant dense<[[[1.0]], [[2.0]], [[3.0]], [[4.0]], [[5.0]], [[6.0]], [[7.0]], [[8.0]], [[9.0]], [[1.5]], [[2.5]], [[3.5]], [[4.5]], [[5.5]], [[6.5]], [[7.5]]]> : tensor<16x1x1xf32>
  %c = hone.conv %x, %filter kernel [3, 3] strides [1, 1] dilations [1, 1] pads [1, 1, 1, 1] group 1
    : tensor<1x16x8x8xf32>, tensor<16x16x3x3xf32> -> tensor<1x16x8x8xf32> loc("conv"("Conv"))
  %b = hone.map ins(%c, %scale : tensor<1x16x8x8xf32>, tensor<16x1x1xf32>) -> tensor<1x16x8x8xf32> {
  ^bb0(%e: f32, %s: f32):
    %r = arith.mulf %e, %s : f32 loc("norm"("BatchNormalization"))
    hone.yield %r : f32 loc("norm"("BatchNormalization"))
  } loc("norm"("BatchNormalization"))
  %y = hone.map ins(%b : tensor<1x16x8x8xf32>) -> tensor<1x16x8x8xf32> {
  ^bb0(%e: f32):
    %zero = arith.constant 0.0 : f32
    %r = arith.maximumf %e, %zero : f32 loc("relu"("Relu"))
    hone.yield %r : f32 loc("relu"("Relu"))
  } loc("relu"("Relu"))
  %z = hone.map ins(%w : tensor<9xf32>) -> tensor<9xf32> {
  ^bb0(%e: f32):
    %r = math.exp %e : f32 loc("left"("Exp"))
    hone.yield %r : f32 loc("left"("Exp"))
  } loc("left"("Exp"))
  %v = hone.map ins(%w : tensor<9xf32>) -> tensor<9xf32> {
  ^bb0(%e: f32):
    %r = math.exp %e : f32 loc("right"("Exp"))
    hone.yield %r : f32 loc("right"("Exp"))
  } loc("right"("Exp"))
  return %y, %z, %v : tensor<1x16x8x8xf32>, tensor<9xf32>, tensor<9xf32>
}
