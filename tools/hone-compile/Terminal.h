// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Messages, progress and statistics of a compile.
#ifndef HONE_TOOLS_HONE_COMPILE_TERMINAL_H
#define HONE_TOOLS_HONE_COMPILE_TERMINAL_H

#include "compiler/Driver/Driver.h"

namespace hone {

void showMessage(llvm::StringRef text);

/// One line on a terminal, from two seconds on.
void showProgress(llvm::StringRef what, double fraction);
void endProgress();

void showStats(const CompileStats &stats);

} // namespace hone

#endif // HONE_TOOLS_HONE_COMPILE_TERMINAL_H
