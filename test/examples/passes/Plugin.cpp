// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What `hone compile` and hone-opt look for in a plugin.
#include "FoldScales.h"
#include "mlir/Tools/Plugins/PassPlugin.h"

extern "C" mlir::PassPluginLibraryInfo mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "fold-scales", "1.0", registerFoldScales};
}
