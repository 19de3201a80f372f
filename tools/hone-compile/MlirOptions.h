// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// MLIR's own options on the command line of hone compile.
#ifndef HONE_TOOLS_HONE_COMPILE_MLIROPTIONS_H
#define HONE_TOOLS_HONE_COMPILE_MLIROPTIONS_H

#include "tools/hone-compile/Options.h"

namespace hone {

/// Takes those that begin with "--mlir-" out of a command line, and applies
/// them: some to the pass managers of a compilation, through its options,
/// others to whatever is printed in this process. Returns an exit code after a
/// message about wrong usage, otherwise nothing.
std::optional<int> takeMlirOptions(std::vector<char *> &words,
                                   CommandOptions &options);

/// Prints what they asked to measure.
void finishMlirOptions();

} // namespace hone

#endif // HONE_TOOLS_HONE_COMPILE_MLIROPTIONS_H
