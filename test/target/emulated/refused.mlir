// RUN: hone-opt %s --verify-diagnostics --hone-translate-emulated

module {
  gpu.module @k_gpu {
    llvm.func @k() attributes {gpu.kernel, nvvm.kernel} {
      // expected-error @below {{cannot be emulated}}
      nvvm.cluster.arrive
      llvm.return
    }
  }
}
