// RUN: hone-opt %s --hone-choose-device-kernels | FileCheck %s

// CHECK: func.func private @sum({{.*}}attributes {hone.device, hone.kernel}
func.func private @sum(%x: tensor<4xf32>) -> tensor<4xf32> attributes {hone.kernel} {
  %r = hone.map ins(%x : tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%a: f32):
    %s = arith.addf %a, %a : f32
    hone.yield %s : f32
  }
  return %r : tensor<4xf32>
}

// CHECK: func.func private @product({{.*}}attributes {hone.device, hone.kernel}
func.func private @product(%x: tensor<4x8xf32>, %y: tensor<8x2xf32>) -> tensor<4x2xf32> attributes {hone.kernel} {
  %r = hone.matmul %x, %y : tensor<4x8xf32>, tensor<8x2xf32> -> tensor<4x2xf32>
  return %r : tensor<4x2xf32>
}

// Functions of f64 have expansions, too.
// CHECK: func.func private @double({{.*}}attributes {hone.device, hone.kernel}
func.func private @double(%x: tensor<4xf64>) -> tensor<4xf64> attributes {hone.kernel} {
  %r = hone.map ins(%x : tensor<4xf64>) -> tensor<4xf64> {
  ^bb0(%a: f64):
    %s = math.sin %a : f64
    hone.yield %s : f64
  }
  return %r : tensor<4xf64>
}

// The device does not support its element type.
// CHECK: func.func private @strings({{.*}}attributes {hone.kernel}
func.func private @strings(%x: tensor<4x!hone.string>) -> tensor<2x2x!hone.string> attributes {hone.kernel} {
  %r = hone.reshape %x : tensor<4x!hone.string> -> tensor<2x2x!hone.string>
  return %r : tensor<2x2x!hone.string>
}

// CHECK: func.func @host(%{{.+}}: tensor<4xf32>) -> tensor<4xf32> {
func.func @host(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
