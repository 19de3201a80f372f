// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Signals of a program with a running worker.
#ifndef HONE_TOOLS_HONE_SIGNALS_H
#define HONE_TOOLS_HONE_SIGNALS_H

#include <sys/types.h>

namespace hone {

/// From now on signals that would end a program set a flag instead, and Ctrl-Z
/// also suspends the worker.
void catchSignals();

/// Whether a signal asked this program to end.
bool isStopped();

/// The worker that was started last; 0: none.
void setWorker(pid_t started);

} // namespace hone

#endif // HONE_TOOLS_HONE_SIGNALS_H
