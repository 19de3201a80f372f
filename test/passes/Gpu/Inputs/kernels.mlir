// Kernels for device-assembly.test, over tensors as after the linalg phase.
#id = affine_map<(i) -> (i)>
#all = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

func.func @elementwise(%a: tensor<64x32xf32>) -> tensor<64x32xf32> attributes {hone.kernel} {
  %e = tensor.empty() : tensor<64x32xf32>
  %r = linalg.generic {indexing_maps = [#all, #all], iterator_types = ["parallel", "parallel"]}
      ins(%a : tensor<64x32xf32>) outs(%e : tensor<64x32xf32>) {
  ^bb0(%x: f32, %z: f32):
    %m = arith.maximumf %x, %x : f32
    linalg.yield %m : f32
  } -> tensor<64x32xf32>
  return %r : tensor<64x32xf32>
}

func.func @softmax(%a: tensor<?x100xf32>) -> tensor<?x100xf32> attributes {hone.kernel} {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %n = tensor.dim %a, %c0 : tensor<?x100xf32>
  %e = tensor.empty(%n) : tensor<?x100xf32>
  %s0 = tensor.empty(%n) : tensor<?xf32>
  %s1 = linalg.fill ins(%zero : f32) outs(%s0 : tensor<?xf32>) -> tensor<?xf32>
  %x, %sum = linalg.generic {indexing_maps = [#all, #all, #row], iterator_types = ["parallel", "reduction"]}
      ins(%a : tensor<?x100xf32>) outs(%e, %s1 : tensor<?x100xf32>, tensor<?xf32>) {
  ^bb0(%v: f32, %z: f32, %w: f32):
    %p = math.exp %v : f32
    %t = arith.addf %p, %w : f32
    linalg.yield %p, %t : f32, f32
  } -> (tensor<?x100xf32>, tensor<?xf32>)
  %r = linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel"]}
      ins(%x, %sum : tensor<?x100xf32>, tensor<?xf32>) outs(%e : tensor<?x100xf32>) {
  ^bb0(%v: f32, %w: f32, %z: f32):
    %q = arith.divf %v, %w : f32
    linalg.yield %q : f32
  } -> tensor<?x100xf32>
  return %r : tensor<?x100xf32>
}

func.func @functions(%a: tensor<?xf32>, %b: tensor<?xf32>) -> tensor<?xf32> attributes {hone.kernel} {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %a, %c0 : tensor<?xf32>
  %e = tensor.empty(%n) : tensor<?xf32>
  %r = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]}
      ins(%a, %b : tensor<?xf32>, tensor<?xf32>) outs(%e : tensor<?xf32>) {
  ^bb0(%x: f32, %y: f32, %z: f32):
    %v0 = math.acos %x : f32
    %v1 = math.acosh %v0 : f32
    %v2 = math.asin %v1 : f32
    %v3 = math.asinh %v2 : f32
    %v4 = math.atan %v3 : f32
    %v5 = math.atanh %v4 : f32
    %v6 = math.cbrt %v5 : f32
    %v7 = math.ceil %v6 : f32
    %v8 = math.cos %v7 : f32
    %v9 = math.cosh %v8 : f32
    %v10 = math.erf %v9 : f32
    %v11 = math.exp %v10 : f32
    %v12 = math.exp2 %v11 : f32
    %v13 = math.expm1 %v12 : f32
    %v14 = math.floor %v13 : f32
    %v15 = math.log %v14 : f32
    %v16 = math.log10 %v15 : f32
    %v17 = math.log1p %v16 : f32
    %v18 = math.log2 %v17 : f32
    %v19 = math.roundeven %v18 : f32
    %v20 = math.rsqrt %v19 : f32
    %v21 = math.sin %v20 : f32
    %v22 = math.sinh %v21 : f32
    %v23 = math.sqrt %v22 : f32
    %v24 = math.tan %v23 : f32
    %v25 = math.tanh %v24 : f32
    %v26 = math.trunc %v25 : f32
    %p = math.powf %v26, %y : f32
    %q = math.atan2 %p, %y : f32
    %m = arith.remf %q, %y : f32
    linalg.yield %m : f32
  } -> tensor<?xf32>
  return %r : tensor<?xf32>
}

func.func @gather(%a: tensor<?xi64>, %b: tensor<?x8xf32>) -> tensor<?x8xf32> attributes {hone.kernel} {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %a, %c0 : tensor<?xi64>
  %rows = tensor.dim %b, %c0 : tensor<?x8xf32>
  %e = tensor.empty(%n) : tensor<?x8xf32>
  %r = linalg.generic {indexing_maps = [#row, #all], iterator_types = ["parallel", "parallel"]}
      ins(%a : tensor<?xi64>) outs(%e : tensor<?x8xf32>) {
  ^bb0(%x: i64, %z: f32):
    %i = arith.index_cast %x : i64 to index
    %k = hone.checked_index %i of %rows wrap
    %j = linalg.index 1 : index
    %v = tensor.extract %b[%k, %j] : tensor<?x8xf32>
    linalg.yield %v : f32
  } -> tensor<?x8xf32>
  return %r : tensor<?x8xf32>
}

// Teams of threads with their own memory.
func.func @best(%a: tensor<4x300xf32>) -> (tensor<4x20xf32>, tensor<4x20xi64>) attributes {hone.kernel} {
  %v, %i = hone.top_k %a axis 1 : tensor<4x300xf32> -> tensor<4x20xf32>, tensor<4x20xi64>
  return %v, %i : tensor<4x20xf32>, tensor<4x20xi64>
}

func.func @running_sum(%a: tensor<4x?xf16>) -> tensor<4x?xf16> attributes {hone.kernel} {
  %r = hone.cumulate sum %a axis 1 : tensor<4x?xf16>
  return %r : tensor<4x?xf16>
}

func.func @scatter(%a: tensor<100x64xf32>, %i: tensor<?x1xi64>, %u: tensor<?x64xf32>) -> tensor<100x64xf32>
    attributes {hone.kernel} {
  %r = hone.scatter sum %u into %a[%i] {hone.node = 0 : i32} : tensor<100x64xf32>, tensor<?x1xi64>, tensor<?x64xf32>
  return %r : tensor<100x64xf32>
}

#turned = affine_map<(i, j) -> (j, i)>
func.func @transpose(%a: tensor<?x40xf32>) -> tensor<40x?xf32> attributes {hone.kernel} {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %a, %c0 : tensor<?x40xf32>
  %e = tensor.empty(%n) : tensor<40x?xf32>
  %r = linalg.generic {indexing_maps = [#turned, #all], iterator_types = ["parallel", "parallel"]}
      ins(%a : tensor<?x40xf32>) outs(%e : tensor<40x?xf32>) {
  ^bb0(%x: f32, %z: f32):
    linalg.yield %x : f32
  } -> tensor<40x?xf32>
  return %r : tensor<40x?xf32>
}
