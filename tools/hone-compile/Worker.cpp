// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The child process that does the work, and the signals between it and its
// parent.
#include "tools/hone-compile/Worker.h"
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace hone;

static volatile std::sig_atomic_t interrupted = 0;
static volatile pid_t child = 0;

bool hone::isInterrupted() { return interrupted != 0; }

WorkerEnd hone::runWorker(const std::function<int()> &work) {
  // Until the child has handlers of its own, a signal must not be lost.
  sigset_t signals, before;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &signals, &before);
  child = fork();
  if (child <= 0) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    std::signal(SIGINT, [](int) {
      interrupted = 1;
      std::signal(SIGINT, SIG_DFL);
    });
    std::signal(SIGTERM, [](int) { interrupted = 1; });
    sigprocmask(SIG_SETMASK, &before, nullptr);
    int code = work();
    if (child == 0)
      std::exit(code);
    return {code, 0, 0};
  }
  for (int signal : {SIGINT, SIGTERM})
    std::signal(signal, [](int) { kill(child, SIGTERM); });
  sigprocmask(SIG_SETMASK, &before, nullptr);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR)
    continue;
  if (WIFEXITED(status))
    return {WEXITSTATUS(status), 0, child};
  return {0, WTERMSIG(status), child};
}
