// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Checks of the form in which each phase leaves the IR.
#ifndef HONE_PASSES_VERIFY_PASSES
#define HONE_PASSES_VERIFY_PASSES

include "mlir/Pass/PassBase.td"

def VerifyGraphPass : Pass<"hone-verify-graph", "::mlir::func::FuncOp"> {
  let summary = "check that a model's function is ready for outlining";
  let description = [{
    Allowed are hone operations other than kernel operations, scalar arithmetic, control flow and access to elements of
    tensors; each group is in one block. The first violation is reported.
  }];
}

def VerifyKernelsPass : Pass<"hone-verify-kernels", "::mlir::ModuleOp"> {
  let summary = "check that a kernel is in the form that a phase ends with";
  let description = [{
    After `linalg`: functions with `hone.kernel` hold linalg, tensor and scalar operations, kernel operations of hone in
    destination style, and the hone operations that are bufferized directly. After `buffer`: no tensors, no linalg, and
    of hone only checks; every loop nest is below a top-level `scf.forall`. After `llvm`: only the llvm dialect. After
    `gpu-buffer`: as after `buffer`, but all writes to memory and all loops are below a `gpu.launch`. After `gpu-llvm`:
    the llvm dialect, and on the device also nvvm, without calls there. The first violation is reported.
  }];
  let options = [Option<"phase", "phase", "std::string", "", "linalg, buffer, llvm, gpu-buffer or gpu-llvm">];
}

def VerifyHostPass : Pass<"hone-verify-host", "::mlir::ModuleOp"> {
  let summary = "check that the host function is in the form that a phase ends with";
  let description = [{
    Kernels are not inspected. After `graph`: calls of kernels and of library functions, constants, views, slices,
    control flow and scalars; no other operation of hone. After `buffer`: no tensors, no `hone_rt.call`, and loops that
    own the blocks they carry and free the others (passes/Buffer/README.md). After `llvm`: only the llvm dialect. The
    first violation is reported.
  }];
  let options = [Option<"phase", "phase", "std::string", "", "graph, buffer or llvm">];
}

#endif // HONE_PASSES_VERIFY_PASSES
