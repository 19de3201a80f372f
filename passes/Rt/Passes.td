// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Passes that turn the host plan into code.
#ifndef HONE_PASSES_RT_PASSES
#define HONE_PASSES_RT_PASSES

include "mlir/Pass/PassBase.td"

def LowerRtPass : Pass<"hone-lower-rt", "::mlir::ModuleOp"> {
  let summary = "lower the host plan to calls of the runtime core";
  let description = [{
    `@hone_run` and `@hone_prepare` get the signatures of abi.h. A buffer becomes a pointer and its dynamic dimensions;
    `scf` and `arith` stay. If a step may fail, a call of `@hone.return_if` takes its status; `hone-return-status` turns
    it into an early return once there is no structured control flow any more. Kernel functions are removed;
    `hone.kernels` on the module lists their names and pieces.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect"];
}

def LowerHostControlPass : Pass<"hone-lower-host-control", "::mlir::ModuleOp"> {
  let summary = "lower the branches and loops of the host function to a control flow graph";
  let description = [{
    The same patterns as `convert-scf-to-cf`, in time linear in the function: a host function may have ten thousand
    branches in one block, and processed from its start each would move everything after it.
  }];
  let dependentDialects = ["::mlir::cf::ControlFlowDialect"];
}

def ConvertHostToLlvmPass : Pass<"hone-convert-host-to-llvm", "::mlir::ModuleOp"> {
  let summary = "convert the host function's arithmetic, branches and calls to LLVM operations";
  let description = [{
    The patterns of MLIR's conversions of `arith`, `math`, `cf` and `func` together: a host function of ten thousand calls is
    larger than the caches, and each conversion walks it several times.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::vector::VectorDialect"];
}

def ReturnStatusPass : Pass<"hone-return-status", "::mlir::ModuleOp"> {
  let summary = "return at once from the host function, or from a kernel, when a step fails";
  let description = [{
    Every call of `@hone.return_if` in an `llvm.func` becomes a branch: a status other than 0 is returned.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

#endif // HONE_PASSES_RT_PASSES
