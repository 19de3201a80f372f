// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Times and sizes of a compilation, as text.
#ifndef HONE_TOOLS_HONE_COMPILE_STATS_H
#define HONE_TOOLS_HONE_COMPILE_STATS_H

#include "compiler/Driver/Driver.h"

namespace hone {

// All write to standard output.

void showStats(const CompileStats &stats);

/// What was made, in two lines.
void showSummary(llvm::StringRef output, const CompileStats &stats);

} // namespace hone

#endif // HONE_TOOLS_HONE_COMPILE_STATS_H
