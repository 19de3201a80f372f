// RUN: hone-opt %s --split-input-file --verify-diagnostics --hone-verify-graph

func.func @main(%x: tensor<4xf32>, %p: i1) -> tensor<1xf32> {
  %a = scf.if %p -> tensor<1xf32> {
    %r = hone.reduce sum %x axes [0] keepdims {hone.group = 0 : i64} : tensor<4xf32> -> tensor<1xf32>
    scf.yield %r : tensor<1xf32>
  } else {
    %r = hone.reduce max %x axes [0] keepdims {hone.group = 1 : i64} : tensor<4xf32> -> tensor<1xf32>
    scf.yield %r : tensor<1xf32>
  }
  return %a : tensor<1xf32>
}

// -----

func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = tensor.empty() : tensor<4xf32>
  // expected-error @below {{must not be left in a model after the 'graph' phase}}
  %1 = linalg.exp ins(%x : tensor<4xf32>) outs(%0 : tensor<4xf32>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}

// -----

func.func @main(%x: tensor<4xf32>, %p: i1) -> tensor<1xf32> {
  %a = scf.if %p -> tensor<1xf32> {
    %r = hone.reduce sum %x axes [0] keepdims {hone.group = 0 : i64} : tensor<4xf32> -> tensor<1xf32>
    scf.yield %r : tensor<1xf32>
  } else {
    // expected-error @below {{is of group 0, which has members in another block}}
    %r = hone.reduce max %x axes [0] keepdims {hone.group = 0 : i64} : tensor<4xf32> -> tensor<1xf32>
    scf.yield %r : tensor<1xf32>
  }
  return %a : tensor<1xf32>
}
