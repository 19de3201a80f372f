// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Calls of the runtime's library functions, which modules.py mutates.
func.func @main(%x: tensor<4x5xf32>) -> tensor<2x?xi64> {
  %0 = hone.library "nonzero"(%x) {type = 1 : i64} : (tensor<4x5xf32>) -> tensor<2x?xi64>
  return %0 : tensor<2x?xi64>
}

// -----

func.func @main(%x: tensor<4x5xf32>) -> (tensor<?xf32>, tensor<?xi64>) {
  %0, %1 = hone.library "unique"(%x) {axis = 0 : i64, flat = 1 : i64, sorted = 1 : i64, type = 1 : i64} : (tensor<4x5xf32>) -> (tensor<?xf32>, tensor<?xi64>)
  return %0, %1 : tensor<?xf32>, tensor<?xi64>
}

// -----

func.func @main(%x: tensor<2x4x4xf32>) -> tensor<2xf32> {
  %0 = hone.library "det"(%x) {type = 1 : i64} : (tensor<2x4x4xf32>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}

// -----

func.func @main(%x: tensor<2x8x1xf32>) -> tensor<2x?x2xf32> {
  %0 = hone.library "dft"(%x) {axis = 1 : i64, inverse = 0 : i64, onesided = 0 : i64, type = 1 : i64} : (tensor<2x8x1xf32>) -> tensor<2x?x2xf32>
  return %0 : tensor<2x?x2xf32>
}

// -----

func.func @main(%x: tensor<4xi64>, %k: tensor<3xi64>, %v: tensor<3xf32>, %d: tensor<1xf32>) -> tensor<4xf32> {
  %0 = hone.library "label_encoder"(%x, %k, %v, %d) {key_type = 7 : i64, value_type = 1 : i64} : (tensor<4xi64>, tensor<3xi64>, tensor<3xf32>, tensor<1xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @main(%x: tensor<4x5xf32>) -> (tensor<4x5xf32>, tensor<4x5xi8>) {
  %0, %1 = hone.library "dropout"(%x) {has_seed = 1 : i64, seed = 0.5 : f64, type = 1 : i64} : (tensor<4x5xf32>) -> (tensor<4x5xf32>, tensor<4x5xi8>)
  return %0, %1 : tensor<4x5xf32>, tensor<4x5xi8>
}

// -----

func.func @main(%c: tensor<4x1xi8>, %a: tensor<4x5xf32>, %b: tensor<5xf32>) -> tensor<4x5xf32> {
  %0 = hone.library "where"(%c, %a, %b) : (tensor<4x1xi8>, tensor<4x5xf32>, tensor<5xf32>) -> tensor<4x5xf32>
  return %0 : tensor<4x5xf32>
}

// -----

func.func @main(%x: tensor<3x4xf32>, %n: tensor<48xi8>, %t: tensor<4xi32>, %s: tensor<0xi64>) -> tensor<3x2xf32> {
  %0 = hone.library "tree_ensemble"(%x, %n, %t, %s) {aggregate_function = 1 : i64, features = 4 : i64, n_targets = 2 : i64, thresholds_only = 1 : i64, type = 1 : i64} : (tensor<3x4xf32>, tensor<48xi8>, tensor<4xi32>, tensor<0xi64>) -> tensor<3x2xf32>
  return %0 : tensor<3x2xf32>
}

// -----

func.func @main(%x: tensor<4x5xf32>, %y: tensor<2x5xf32>, %i: tensor<i64>) -> tensor<?x?xf32> {
  %0 = hone.library "sequence_construct"(%x, %y) {type = 1 : i64} : (tensor<4x5xf32>, tensor<2x5xf32>) -> !hone.sequence<tensor<?x?xf32>>
  %1 = hone.library "sequence_at"(%0, %i) : (!hone.sequence<tensor<?x?xf32>>, tensor<i64>) -> tensor<?x?xf32>
  return %1 : tensor<?x?xf32>
}

// -----

func.func @main(%x: tensor<4xf32>, %y: tensor<2xf32>) -> tensor<?xi8> {
  %0 = hone.library "string_from_number"(%x) {type = 1 : i64} : (tensor<4xf32>) -> tensor<4x!hone.string>
  %1 = hone.library "string_equal"(%0, %0) : (tensor<4x!hone.string>, tensor<4x!hone.string>) -> tensor<?xi8>
  return %1 : tensor<?xi8>
}
