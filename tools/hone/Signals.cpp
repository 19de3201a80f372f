// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Signals of a program with a running worker.
#include "tools/hone/Signals.h"
#include <cerrno>
#include <csignal>
#include <initializer_list>

using namespace hone;

static volatile std::sig_atomic_t stopped = 0;
static volatile pid_t worker = 0;

static void stop(int) { stopped = 1; }

/// The worker is in a process group of its own and does not receive the
/// terminal's Ctrl-Z: it is stopped and continued with this program.
static void suspend(int) {
  int error = errno;
  if (worker > 0)
    kill(-worker, SIGSTOP);
  raise(SIGSTOP);
  if (worker > 0)
    kill(-worker, SIGCONT);
  errno = error;
}

/// Signals that were ignored from the start, as by nohup, stay ignored.
static void handleUnlessIgnored(int signal, void (*handler)(int)) {
  struct sigaction before = {};
  sigaction(signal, nullptr, &before);
  if (before.sa_handler != SIG_IGN)
    std::signal(signal, handler);
}

void hone::catchSignals() {
  for (int signal : {SIGINT, SIGTERM})
    std::signal(signal, stop);
  for (int signal : {SIGHUP, SIGQUIT})
    handleUnlessIgnored(signal, stop);
  handleUnlessIgnored(SIGTSTP, suspend);
  // Nobody may be reading the messages any more; the worker is then not left
  // alone.
  std::signal(SIGPIPE, SIG_IGN);
}

bool hone::isStopped() { return stopped; }

void hone::setWorker(pid_t started) { worker = started; }
