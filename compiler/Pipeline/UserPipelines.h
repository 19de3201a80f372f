// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Pass pipelines that the user adds to the phases of a compilation.
#ifndef HONE_COMPILER_PIPELINE_USERPIPELINES_H
#define HONE_COMPILER_PIPELINE_USERPIPELINES_H

#include "compiler/Pipeline/Phases.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/Error.h"
#include <atomic>
#include <string>
#include <vector>

namespace hone {

/// Loads a library with passes, which UserPipelines::add then knows
/// (mlirGetPassPluginInfo of mlir/Tools/Plugins/PassPlugin.h).
llvm::Error loadPassPlugin(const std::string &path);

/// The pipelines of one compilation. They run after the import and graph phases
/// on the model, and after the linalg, buffer and llvm phases on the module of
/// each kernel, on several threads.
class UserPipelines {
public:
  /// Adds a pipeline on builtin.module, in MLIR's syntax, after those that the
  /// phase has. Loads the dialects that its passes create.
  llvm::Error add(llvm::StringRef phase, llvm::StringRef text,
                  mlir::MLIRContext &context);

  /// Is applied to their pass managers.
  void setInstrument(Instrument given) { instrument = std::move(given); }

  bool runsAfter(Phase phase) const;
  /// Runs the pipelines of a phase, with MLIR's verifier after each pass, and
  /// reports which pass failed.
  llvm::LogicalResult run(Phase phase, mlir::ModuleOp module) const;

  /// Whether one of them failed: the user's error, which has been reported.
  bool hasFailed() const { return failed; }
  /// The phases that have pipelines, as a list for messages; "" if none has.
  std::string phases() const;

private:
  struct Pipeline {
    Phase phase;
    std::string text;
  };
  std::vector<Pipeline> pipelines;
  Instrument instrument;
  mutable std::atomic<bool> failed = false;
};

} // namespace hone

#endif // HONE_COMPILER_PIPELINE_USERPIPELINES_H
