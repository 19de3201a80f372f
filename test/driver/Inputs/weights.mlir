func.func @main(%x: tensor<4x64xf32> {hone.name = "x", hone.type = "float", hone.dims = [4, 64]})
    -> (tensor<4x64xf32> {hone.name = "y", hone.type = "float", hone.dims = [4, 64]}) {
  %w = hone.constant dense<0.5> : tensor<64x64xf32>
  %0 = hone.matmul %x, %w : tensor<4x64xf32>, tensor<64x64xf32> -> tensor<4x64xf32>
  return %0 : tensor<4x64xf32>
}
