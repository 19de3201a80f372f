// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Describes the machine that a module is compiled for.
#include "dialects/Machine/Machine.h"
#include "passes/Machine/Passes.h"

namespace hone {
#define GEN_PASS_DEF_SETMACHINEPASS
#include "passes/Machine/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;

namespace {
struct SetMachinePass : hone::impl::SetMachinePassBase<SetMachinePass> {
  using Base::Base;

  explicit SetMachinePass(const CpuMachine &given) : given(given) {
    cpu = given.name;
    threads = given.threads;
  }

  void runOnOperation() override {
    ModuleOp module = getOperation();
    std::optional<CpuMachine> machine = given;
    if (!machine) {
      machine = machineOfLevel(cpu);
      if (!machine) {
        module.emitError("unknown CPU level '")
            << cpu << "'; there are x86-64-v2, x86-64-v3 and x86-64-v4";
        return signalPassFailure();
      }
      machine->threads = threads;
    }
    auto attribute = machine::CpuAttr::getChecked(
        [&] { return module.emitError(); }, &getContext(), *machine);
    if (!attribute)
      return signalPassFailure();
    module->setAttr(kCpuAttr, attribute);
  }

private:
  std::optional<CpuMachine> given; ///< instead of the options
};
} // namespace

std::unique_ptr<Pass> hone::createSetMachinePass(const CpuMachine &machine) {
  return std::make_unique<SetMachinePass>(machine);
}
