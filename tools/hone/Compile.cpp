// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// `hone compile` and `hone check`: signals and the terminal of a compile, which
// runs in a process of its own.
#include "tools/hone/Compile.h"
#include "compiler/Worker/Worker.h"
#include "tools/hone/Terminal.h"
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <new>
#include <unistd.h>

using namespace hone;

static volatile std::sig_atomic_t stopped = 0;
static volatile pid_t worker = 0;

static void stop(int) { stopped = 1; }

/// The worker has a process group of its own and does not hear the terminal's
/// Ctrl-Z: it sleeps and wakes with this program.
static void suspend(int) {
  int error = errno;
  if (worker > 0)
    kill(-worker, SIGSTOP);
  raise(SIGSTOP);
  if (worker > 0)
    kill(-worker, SIGCONT);
  errno = error;
}

/// What was ignored from the start, as by nohup, stays so.
static void handleUnlessIgnored(int signal, void (*handler)(int)) {
  struct sigaction before = {};
  sigaction(signal, nullptr, &before);
  if (before.sa_handler != SIG_IGN)
    std::signal(signal, handler);
}

int hone::compileWatched(const char *program, int argc, char **argv) {
  for (int signal : {SIGINT, SIGTERM})
    std::signal(signal, stop);
  for (int signal : {SIGHUP, SIGQUIT})
    handleUnlessIgnored(signal, stop);
  handleUnlessIgnored(SIGTSTP, suspend);
  // Nobody may read the messages any more; the worker is then not left alone.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    WorkerCall call;
    call.program = program;
    call.arguments.assign(argv, argv + argc);
    WorkerCallbacks callbacks;
    callbacks.message = showMessage;
    callbacks.progress = [](const std::string &what, double fraction) {
      showProgress(what, fraction);
      return !stopped;
    };
    callbacks.started = [](pid_t started) { worker = started; };
    CompileStatus status = runWorker(call, callbacks);
    endProgress();
    return static_cast<int>(status);
  } catch (const std::bad_alloc &) {
    std::fputs("error: not enough memory\n", stderr);
    return static_cast<int>(CompileStatus::Internal);
  }
}
