// y = x * w + 2 over a free dimension.
func.func @main(%x: tensor<?x8xf32> {hone.name = "x", hone.type = "float", hone.dims = ["n", 8]})
    -> (tensor<?x8xf32> {hone.name = "y", hone.type = "float", hone.dims = ["n", 8]}) {
  %n = hone.dim "n"
  %w = hone.constant dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]> : tensor<8xf32>
  %two = hone.constant dense<2.0> : tensor<f32>
  %0 = hone.map ins(%x, %w, %two : tensor<?x8xf32>, tensor<8xf32>, tensor<f32>) dims(%n) -> tensor<?x8xf32> {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %p, %c : f32
    hone.yield %s : f32
  }
  return %0 : tensor<?x8xf32>
}
