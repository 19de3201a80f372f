// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The command lines of hone-compile.
#ifndef HONE_TOOLS_COMPILE_OPTIONS_H
#define HONE_TOOLS_COMPILE_OPTIONS_H

#include "compiler/Driver/Driver.h"

namespace hone {

struct CommandOptions {
  CompileOptions compile;
  std::vector<std::string> models; ///< of `check`, one after another
  std::string test;                ///< of `reduce`, a command
  int timeout = 60;                ///< of `reduce`, in seconds
  bool stats = false, quiet = false, operators = false, json = false;
  // Set by a calling process (compiler/Worker).
  bool reporting = false;  ///< it listens
  bool givenModel = false; ///< the model is open
  std::string reproducer;  ///< the error to write a reproducer of; empty: none
};

/// All return nothing if the command can be executed, otherwise the exit code.
std::optional<int> parseCompile(int argc, char **argv, CommandOptions &options);
std::optional<int> parseCheck(int argc, char **argv, CommandOptions &options);
std::optional<int> parseInspect(int argc, char **argv, CommandOptions &options);
std::optional<int> parseReduce(int argc, char **argv, CommandOptions &options);

} // namespace hone

#endif // HONE_TOOLS_COMPILE_OPTIONS_H
