// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The program hone-opt.
#ifndef HONE_TOOLS_HONE_OPT_OPT_H
#define HONE_TOOLS_HONE_OPT_OPT_H

namespace hone {

/// Registers every pass and pipeline by name.
void registerOptPasses();

/// Runs the passes that the arguments name, as mlir-opt does, with Hone's
/// dialects, passes and pipelines. Returns the exit code.
int optMain(int argc, char **argv);

} // namespace hone

#endif // HONE_TOOLS_HONE_OPT_OPT_H
