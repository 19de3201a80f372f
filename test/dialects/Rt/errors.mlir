// RUN: hone-opt %s --split-input-file --verify-diagnostics

func.func @call_c1(%x: tensor<4xf32>) {
  // expected-error @below {{calls 'k', which is no function}}
  %0 = hone_rt.call @k(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func private @k(tensor<8xf32>) -> tensor<4xf32>
func.func @call_c1(%x: tensor<4xf32>) {
  // expected-error @below {{does not fit the type of 'k'}}
  %0 = hone_rt.call @k(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func private @k(tensor<4xf32>) -> tensor<?xf32>
func.func @call_c2(%x: tensor<4xf32>) {
  // expected-error @below {{has 0 result dimensions for 1 dynamic ones}}
  %0 = hone_rt.call @k(%x) : (tensor<4xf32>) -> tensor<?xf32>
  return
}

// -----

func.func @slot() {
  // expected-error @below {{has 0 dimensions for 1 dynamic ones of 'memref<?xf32>'}}
  %0 = hone_rt.slot 0 : memref<?xf32>
  return
}

// -----

func.func @alloc() {
  // expected-error @below {{makes a buffer that is not contiguous}}
  %0 = hone_rt.alloc : memref<4xf32, strided<[2]>>
  return
}

// -----

func.func @input(%n: index) {
  // expected-error @below {{gives dimensions to what is no buffer}}
  %0 = hone_rt.input 0 dims(%n) : !hone.sequence<tensor<4xf32>>
  return
}

// -----

func.func @check_dims_c1(%n: index) {
  // expected-error @below {{has 1 dimensions for 2 dynamic ones of 'memref<?x?xf32>'}}
  hone_rt.check_dims dims(%n) node 0 : memref<?x?xf32>
  return
}
