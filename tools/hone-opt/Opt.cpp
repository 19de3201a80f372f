// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Runs passes on IR from the command line.
#include "tools/hone-opt/Opt.h"
#include "compiler/Import/Mlir/Passes.h"
#include "compiler/Pipeline/Phases.h"
#include "compiler/Target/Targets.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

void hone::registerOptPasses() {
  registerPasses();
  registerMlirInput();
  registerTargetPasses();
}

int hone::optMain(int argc, char **argv) {
  mlir::DialectRegistry registry;
  registerDialects(registry);
  registerMlirInputDialects(registry);
  registerOptPasses();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "Hone's passes\n", registry));
}
