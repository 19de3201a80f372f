func.func private @fits(%x: memref<32xf32>) attributes {hone.kernel} {
  %c1 = arith.constant 1 : index
  %c32 = arith.constant 32 : index
  gpu.launch blocks(%bx, %by, %bz) in (%gx = %c1, %gy = %c1, %gz = %c1)
      threads(%tx, %ty, %tz) in (%sx = %c32, %sy = %c1, %sz = %c1) {
    scf.for %i = %tx to %c32 step %c1 {
      %v = memref.load %x[%i] : memref<32xf32>
      memref.store %v, %x[%tx] : memref<32xf32>
    }
    gpu.terminator
  }
  return
}

// -----

func.func private @host_store(%x: memref<f32>) attributes {hone.kernel} {
  %zero = arith.constant 0.0 : f32
  // expected-error @below {{'memref.store' op must not be left in a kernel after the 'gpu-buffer' phase}}
  memref.store %zero, %x[] : memref<f32>
  return
}
