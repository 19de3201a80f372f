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
  // expected-error @below {{does not belong in the host function after phase 'buffer'}}
  %0 = hone.constant dense<1.0> : tensor<4xf32>
  return
}

// -----

// A loop starts with a block that it does not own.
func.func @hone_run(%n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %x = hone_rt.input 0 dims(%n) : memref<?xf32>
  // expected-error @below {{starts with a buffer that it does not own}}
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x) -> memref<?xf32> {
    scf.yield %a : memref<?xf32>
  }
  return
}

// -----

// One block for two carried values.
func.func @hone_run(%n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %x = hone_rt.alloc dims(%n) : memref<?xf32>
  %y = hone_rt.alloc dims(%n) : memref<?xf32>
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x, %b = %y) -> (memref<?xf32>, memref<?xf32>) {
    // expected-error @below {{passes on a buffer that it does not own}}
    scf.yield %a, %a : memref<?xf32>, memref<?xf32>
  }
  return
}

// -----

// A block that was passed to an inner loop.
func.func @hone_run(%n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %x = hone_rt.alloc dims(%n) : memref<?xf32>
  // expected-error @below {{starts with a buffer that it does not own}}
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x) -> memref<?xf32> {
    scf.yield %a : memref<?xf32>
  }
  hone_rt.set_output 0, %x : memref<?xf32>
  return
}

// -----

func.func @hone_run(%n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    %x = hone_rt.alloc dims(%n) : memref<?xf32>
    // expected-error @below {{leaves blocks that are never freed}}
    scf.yield
  }
  return
}

// -----

func.func @hone_run(%n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %m = hone_rt.mark
  %x = hone_rt.alloc dims(%n) : memref<?xf32>
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x) -> memref<?xf32> {
    %y = hone_rt.alloc dims(%n) : memref<?xf32>
    // expected-error @below {{does not keep what is passed on}}
    hone_rt.end_iteration %m keep(%a : memref<?xf32>)
    scf.yield %y : memref<?xf32>
  }
  return
}

// -----

func.func @hone_run(%n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %m = hone_rt.mark
  scf.for %i = %c0 to %n step %c1 {
    scf.for %k = %c0 to %n step %c1 {
      %y = hone_rt.alloc dims(%n) : memref<?xf32>
      // expected-error @below {{has no mark of its loop}}
      hone_rt.end_iteration %m
    }
    hone_rt.end_iteration %m
  }
  return
}
