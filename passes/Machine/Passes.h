// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Passes that describe the target to others.
#ifndef HONE_PASSES_MACHINE_PASSES_H
#define HONE_PASSES_MACHINE_PASSES_H

#include "dialects/Machine/Machine.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace hone {

#define GEN_PASS_DECL
#include "passes/Machine/Passes.h.inc"

/// hone-set-machine for any machine, whether or not a level describes it.
std::unique_ptr<mlir::Pass> createSetMachinePass(const CpuMachine &machine);

#define GEN_PASS_REGISTRATION
#include "passes/Machine/Passes.h.inc"

} // namespace hone

#endif // HONE_PASSES_MACHINE_PASSES_H
