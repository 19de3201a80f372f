// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Files with the IR after each phase, as --dump-phases writes them.
#ifndef HONE_COMPILER_DRIVER_PHASEDUMP_H
#define HONE_COMPILER_DRIVER_PHASEDUMP_H

#include "compiler/Driver/Session.h"
#include "compiler/Target/Targets.h"

namespace hone {

/// A folder of the user with a file for each module of each phase:
/// `2-graph.mlir`, `4-buffer.host.mlir`, `4-buffer.k0_map.mlir`. A file is
/// complete as soon as it is there: after a failure they show how far the
/// compilation went. Does nothing if the options name no folder.
class PhaseDump {
public:
  PhaseDump(Session &session, const Targets &targets)
      : session(session), targets(targets), path(session.options.dumpPhases) {}
  ~PhaseDump();

  /// Creates the folder if it does not exist yet.
  Outcome open();
  /// Writes the model after the import phase, in place of all that an earlier
  /// compilation has left there. None of `inputs` may be among it.
  Outcome addImported(mlir::ModuleOp model, llvm::ArrayRef<std::string> inputs);
  /// Writes the model after the graph phase.
  Outcome addGraph(mlir::ModuleOp model);
  /// Writes host and kernels of a planned model after the later phases.
  Outcome addParts(mlir::ModuleOp model, Phase last);

private:
  llvm::Error clear(llvm::ArrayRef<std::string> inputs);
  Outcome write(mlir::ModuleOp module, Phase phase, llvm::StringRef part = "");
  Outcome writeKernels(mlir::ModuleOp model, Phase phase);

  Session &session;
  const Targets &targets;
  std::string path;
  bool isNew = false;
  TemporaryFolder unfinished; ///< inside of it
};

} // namespace hone

#endif // HONE_COMPILER_DRIVER_PHASEDUMP_H
