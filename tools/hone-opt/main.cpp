// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Runs passes on IR from the command line.
#include "compiler/Pipeline/Phases.h"
#include "compiler/Target/Targets.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  hone::registerDialects(registry);
  hone::registerPasses();
  hone::registerTargetPasses();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "Hone's passes\n", registry));
}
