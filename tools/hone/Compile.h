// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// `hone compile` and `hone check`.
#ifndef HONE_TOOLS_HONE_COMPILE_H
#define HONE_TOOLS_HONE_COMPILE_H

namespace hone {

/// Runs hone-compile, the file `program`, with this program's arguments and
/// watches it: ends it with this program, and reports how it ended. Returns the
/// exit code.
int compileWatched(const char *program, int argc, char **argv);

} // namespace hone

#endif // HONE_TOOLS_HONE_COMPILE_H
