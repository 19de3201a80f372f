func.func private @fits(%x: memref<4xf32>) attributes {hone.kernel} {
  %zero = arith.constant 0.0 : f32
  scf.forall (%i) in (4) {
    memref.store %zero, %x[%i] : memref<4xf32>
  }
  return
}

// -----

func.func private @linalg(%x: memref<4xf32>) attributes {hone.kernel} {
  %zero = arith.constant 0.0 : f32
  // expected-error @below {{'linalg.fill' op must not be left in a kernel after the 'buffer' phase}}
  linalg.fill ins(%zero : f32) outs(%x : memref<4xf32>)
  return
}

// -----

func.func private @loop(%x: memref<4xf32>) attributes {hone.kernel} {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0 : index
  %high = arith.constant 4 : index
  %step = arith.constant 1 : index
  // expected-error @below {{'scf.for' op must not be left in a kernel after the 'buffer' phase}}
  scf.for %i = %low to %high step %step {
    memref.store %zero, %x[%i] : memref<4xf32>
  }
  return
}
