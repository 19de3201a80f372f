// RUN: hone-opt %s --pass-pipeline='builtin.module(hone-set-machine)' | FileCheck %s
// RUN: hone-opt %s --pass-pipeline='builtin.module(hone-set-machine{cpu=x86-64-v4 threads=8})' | FileCheck %s --check-prefix=WIDE
// RUN: not hone-opt %s --pass-pipeline='builtin.module(hone-set-machine{cpu=sparc})' 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// RUN: not hone-opt %s --pass-pipeline='builtin.module(hone-set-machine{threads=-1})' 2>&1 | FileCheck %s --check-prefix=THREADS

// A previous description is replaced.
// CHECK: module attributes {hone_machine.cpu = #hone_machine.cpu<"x86-64-v3", vector_bits = 256, vector_registers = 16, fma = 1, {{.*}}, threads = 0>}
// WIDE: module attributes {hone_machine.cpu = #hone_machine.cpu<"x86-64-v4", vector_bits = 512, vector_registers = 32, fma = 1, {{.*}}, threads = 8>}
// UNKNOWN: unknown CPU level 'sparc'; there are x86-64-v2, x86-64-v3 and x86-64-v4
// THREADS: threads is -1; it is from 0 to 65536
module attributes {hone_machine.cpu = #hone_machine.cpu<"x86-64-v2", vector_bits = 128>} {
}
