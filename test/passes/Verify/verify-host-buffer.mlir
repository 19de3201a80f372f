// RUN: hone-opt %s --split-input-file --verify-diagnostics --hone-verify-host=phase=buffer

func.func private @k(tensor<4xf32>) -> tensor<4xf32> attributes {hone.kernel}
func.func @hone_run() {
  %x = hone_rt.input 0 : memref<4xf32>
  %y = hone_rt.output 0 : memref<4xf32>
  hone_rt.dispatch @k ins(%x : memref<4xf32>) outs(%y : memref<4xf32>)
  return
}

// -----

func.func @hone_run() {
  // expected-error @below {{does not belong into the host function after phase 'buffer'}}
  %0 = hone.constant dense<1.0> : tensor<4xf32>
  return
}
