// RUN: hone-opt %s --split-input-file --verify-diagnostics | FileCheck %s

// Omitted fields are those of x86-64-v3.
// CHECK: #hone_machine.cpu<"some", vector_bits = 128, vector_registers = 16, fma = 0, byte_dot = 0, byte_permute = 0, bf16_dot = 0, byte_matrix = 0, bf16_matrix = 0, emulated = 0, fma_ports = 2, fma_latency = 4, load_ports = 2, l1_bytes = 32768, l1_ways = 8, l2_bytes = 1048576, threads = 4>
module attributes {hone_machine.cpu = #hone_machine.cpu<"some", vector_bits = 128, fma = 0, threads = 4>} {
}

// -----

// expected-error@+1 {{vector_bits is 192, which is not a power of 2}}
module attributes {hone_machine.cpu = #hone_machine.cpu<"odd", vector_bits = 192>} {
}

// -----

// expected-error@+1 {{l2_bytes is 0; it is from 1024 to 1099511627776}}
module attributes {hone_machine.cpu = #hone_machine.cpu<"empty", l2_bytes = 0>} {
}

// -----

// expected-error@+1 {{there is no field 'l4_bytes'}}
module attributes {hone_machine.cpu = #hone_machine.cpu<"more", l4_bytes = 4>} {
}

// -----

// expected-error@+1 {{'hone_machine.cpu' is a #hone_machine.cpu on a module}}
module attributes {hone_machine.cpu = 4} {
}

// -----

// expected-error@+1 {{unknown attribute 'hone_machine.tpu'}}
module attributes {hone_machine.tpu = 4} {
}

// -----

// CHECK: #hone_machine.gpu<"sm_90a", multiprocessors = 132, shared_bytes = 49152>
module attributes {hone_machine.gpu = #hone_machine.gpu<"sm_90a", multiprocessors = 132>} {
}

// -----

// expected-error@+1 {{multiprocessors is 0; it is from 1 to 65536}}
module attributes {hone_machine.gpu = #hone_machine.gpu<"none", multiprocessors = 0>} {
}
