// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// `hone inspect`, and what `hone check --json` says.
#ifndef HONE_TOOLS_COMPILE_INSPECT_H
#define HONE_TOOLS_COMPILE_INSPECT_H

#include "compiler/Driver/Driver.h"
#include "llvm/Support/JSON.h"

namespace hone {

/// What a model would need, or why it would not compile.
struct Estimate {
  Outcome outcome;
  CompileStats stats;                ///< if the outcome is Done
  std::vector<std::string> messages; ///< of all kinds

  llvm::json::Object json(llvm::StringRef model) const;
};

Estimate estimateModel(const CompileOptions &options,
                       const CompileCallbacks &callbacks);

/// To standard output, as several lines.
void printJson(llvm::json::Value value);

/// Prints what the file holds, and the estimate.
Outcome inspectModel(const CompileOptions &options,
                     const CompileCallbacks &callbacks, bool asJson);

} // namespace hone

#endif // HONE_TOOLS_COMPILE_INSPECT_H
