// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Passes that describe the target to others.
#ifndef HONE_PASSES_MACHINE_PASSES
#define HONE_PASSES_MACHINE_PASSES

include "mlir/Pass/PassBase.td"

def SetMachinePass : Pass<"hone-set-machine", "::mlir::ModuleOp"> {
  let summary = "describe the machine that a module is compiled for";
  let description = [{
    Sets `hone_machine.cpu`, which all passes that choose vectors, tiles or blocks read, to the description of a level,
    replacing any previous one. `hone compile` sets it from `--cpu` and `--threads`.
  }];
  let options = [Option<"cpu", "cpu", "std::string", [{"x86-64-v3"}],
                        "x86-64-v2, x86-64-v3 or x86-64-v4">,
                 Option<
                     "threads", "threads", "int64_t", "0",
                     "threads that a run is expected to use; 0: unknown">];
  let dependentDialects = ["::hone::machine::MachineDialect"];
}

#endif // HONE_PASSES_MACHINE_PASSES
