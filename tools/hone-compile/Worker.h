// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Work in a process of its own, so that a crash there is only a message here.
#ifndef HONE_TOOLS_HONE_COMPILE_WORKER_H
#define HONE_TOOLS_HONE_COMPILE_WORKER_H

#include <functional>
#include <sys/types.h>

namespace hone {

struct WorkerEnd {
  int code = 0;   ///< what the work returned
  int signal = 0; ///< what ended the process, or 0
  pid_t process = 0;
};

/// Runs `work` in a child process and waits for it. Ctrl-C reaches both; a
/// signal sent to this process alone is handed on. Without a second process the
/// work is done in this one.
WorkerEnd runWorker(const std::function<int()> &work);

/// In the child: whether the work should end. A second Ctrl-C ends it at once.
bool isInterrupted();

} // namespace hone

#endif // HONE_TOOLS_HONE_COMPILE_WORKER_H
