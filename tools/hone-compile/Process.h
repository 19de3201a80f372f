// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The worker as a process: how it handles signals, missing memory and a full
// disk, and what it reports to its caller.
#ifndef HONE_TOOLS_HONE_COMPILE_PROCESS_H
#define HONE_TOOLS_HONE_COMPILE_PROCESS_H

#include "compiler/Driver/Driver.h"

namespace hone {

/// To be called while there is one thread. `reporting`: a caller is listening,
/// and this process ends with it. `options` name the files in messages.
void beginProcess(const CompileOptions &options, bool reporting);

/// From now on, messages are about these files.
void nameFiles(const CompileOptions &options);

/// Messages as lines of standard error, everything else as reports.
CompileCallbacks makeCallbacks();

/// The exit code of the process, which is reported; from here on signals come
/// too late.
int endProcess(Outcome outcome);

} // namespace hone

#endif // HONE_TOOLS_HONE_COMPILE_PROCESS_H
