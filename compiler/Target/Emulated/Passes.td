// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Device code for the emulator.
#ifndef HONE_COMPILER_TARGET_EMULATED_PASSES
#define HONE_COMPILER_TARGET_EMULATED_PASSES

include "mlir/Pass/PassBase.td"

def TranslateEmulatedPass : Pass<"hone-translate-emulated", "::mlir::ModuleOp"> {
  let summary = "turn device code into host code that calls the emulator";
  let description = [{
    Before: a module with one `gpu.module` over the llvm and nvvm dialects. After: its functions are the host's, over llvm
    alone; accesses to memory are checked, and operations of the device done, by functions of the emulator
    (runtime/device/emulator/Emulated.h), to which the global named by `symbol` describes the module.
  }];
  let options = [Option<"symbol", "symbol", "std::string", "\"image\"", "name of the module's description">];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

#endif // HONE_COMPILER_TARGET_EMULATED_PASSES
