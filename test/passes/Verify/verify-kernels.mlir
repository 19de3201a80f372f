// RUN: hone-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(hone-verify-kernels{phase=linalg})'
// RUN: hone-opt %S/Inputs/buffered.mlir --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(hone-verify-kernels{phase=buffer})'
// RUN: hone-opt %S/Inputs/lowered.mlir --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(hone-verify-kernels{phase=llvm})'
// RUN: hone-opt %S/Inputs/launched.mlir --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(hone-verify-kernels{phase=gpu-buffer})'
// RUN: hone-opt %S/Inputs/device.mlir --verify-diagnostics --pass-pipeline='builtin.module(hone-verify-kernels{phase=gpu-llvm})'

func.func private @fits(%x: tensor<4xf32>) -> tensor<2x2xf32> attributes {hone.kernel} {
  %r = hone.reshape %x : tensor<4xf32> -> tensor<2x2xf32>
  return %r : tensor<2x2xf32>
}

// The host function is not inspected.
func.func @main(%x: tensor<4x5xf32>) -> tensor<4xf32> {
  %r = hone.reduce sum %x axes [1] : tensor<4x5xf32> -> tensor<4xf32>
  return %r : tensor<4xf32>
}

// -----

func.func private @reduction(%x: tensor<4x5xf32>) -> tensor<4xf32> attributes {hone.kernel} {
  // expected-error @below {{'hone.reduce' op must not be left in a kernel after the 'linalg' phase}}
  %r = hone.reduce sum %x axes [1] : tensor<4x5xf32> -> tensor<4xf32>
  return %r : tensor<4xf32>
}
