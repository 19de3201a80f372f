// RUN: hone-opt %s --split-input-file --verify-diagnostics --hone-verify-host=phase=graph

func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @below {{does not belong in the host function after phase 'graph'}}
  %0 = hone.reduce sum %x axes [0] keepdims : tensor<4xf32> -> tensor<1xf32>
  return %x : tensor<4xf32>
}

// -----

// Kernels have their own verifier.
func.func private @k(%x: tensor<4xf32>) -> tensor<1xf32> attributes {hone.kernel} {
  %0 = hone.reduce sum %x axes [0] keepdims : tensor<4xf32> -> tensor<1xf32>
  return %0 : tensor<1xf32>
}
func.func @main(%x: tensor<4xf32>) -> tensor<1xf32> {
  %0 = hone_rt.call @k(%x) : (tensor<4xf32>) -> tensor<1xf32>
  return %0 : tensor<1xf32>
}
