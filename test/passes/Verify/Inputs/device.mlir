llvm.func @stub() -> i32 {
  %r = llvm.call @hone_rt_launch() : () -> i32
  llvm.return %r : i32
}
llvm.func @hone_rt_launch() -> i32
gpu.module @device {
  llvm.func @sinf(f32) -> f32
  llvm.func @step(%x: f32) attributes {nvvm.kernel} {
    // expected-error @below {{'llvm.call' op must not be left in a kernel after the 'gpu-llvm' phase}}
    %r = llvm.call @sinf(%x) : (f32) -> f32
    llvm.return
  }
}
