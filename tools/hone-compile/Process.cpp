// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Signals are handled by a thread of their own, which ends the process whatever
// the others do: no phase has to poll.
#include "tools/hone-compile/Process.h"
#include "compiler/Worker/Report.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CrashRecoveryContext.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Signals.h"
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <mutex>
#include <new>
#include <poll.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <unistd.h>

using namespace hone;

namespace {

enum class State {
  Working,
  Publishing, ///< files are being put in place, or everything is done
  Stopping,   ///< the process ends, and its unfinished files are removed
};

/// One per process; never destroyed, as threads may outlive main.
struct Process {
  std::atomic<State> state = State::Working;
  std::atomic<bool> linking = false;
  bool reporting = false;
  std::mutex mutex; ///< of reports and `folders`
  std::vector<std::string> folders;
  // For handlers that must not allocate.
  std::string noMemory, diskFull, inputCut;
  sigset_t signals;
};

} // namespace

static Process &process = *new Process;

static void writeAll(int file, llvm::StringRef text) {
  while (!text.empty()) {
    ssize_t count = write(file, text.data(), text.size());
    if (count < 0 && errno != EINTR)
      return; // nobody is listening any more
    text = text.drop_front(std::max<ssize_t>(count, 0));
  }
}

static void report(Report kind, const std::string &text) {
  if (!process.reporting)
    return;
  std::string record(1, static_cast<char>(kind));
  record += text;
  record += '\0';
  std::lock_guard<std::mutex> lock(process.mutex);
  if (kind == Report::Folder)
    process.folders.push_back(text);
  writeAll(kReportFile, record);
}

/// Exits without further messages: other threads are running.
[[noreturn]] static void endAt(Outcome outcome, llvm::StringRef message) {
  static std::atomic_flag ending;
  while (ending.test_and_set())
    pause(); // another thread found the same
  writeAll(STDERR_FILENO, message);
  _exit(static_cast<int>(outcome));
}

/// Waits for a signal and ends the process, unless it is about to end anyway.
static void *watchSignals(void *) {
  int signal = 0;
  while (sigwait(&process.signals, &signal))
    continue;
  State working = State::Working;
  if (!process.state.compare_exchange_strong(working, State::Stopping))
    return nullptr;
  std::vector<std::string> folders;
  {
    std::lock_guard<std::mutex> lock(process.mutex);
    folders = process.folders;
  }
  // Other threads may still be creating files.
  for (const std::string &folder : folders)
    for (int attempt = 0; attempt < 100 && llvm::sys::fs::exists(folder);
         ++attempt)
      llvm::sys::fs::remove_directories(folder);
  report(Report::End, std::to_string(int(Outcome::Cancelled)));
  // Also ends the assembler, if one is running.
  if (process.reporting && getpgrp() == getpid())
    kill(0, SIGKILL);
  _exit(static_cast<int>(Outcome::Cancelled));
}

/// A page of a mapped file is missing: of the output, which the linker writes
/// through a mapping, or of the input.
static void handleBusError(int, siginfo_t *info, void *) {
  if (info->si_code != BUS_ADRERR) {
    std::signal(SIGBUS, SIG_DFL);
    return; // and again
  }
  if (process.linking)
    endAt(Outcome::CannotWrite, process.diskFull);
  endAt(Outcome::UserError, process.inputCut);
}

/// Where a failure is expected, as of a reader of files, it ends that alone.
static void endExpected() {
  if (auto *recovery = llvm::CrashRecoveryContext::GetCurrent())
    recovery->HandleExit(static_cast<int>(Outcome::Internal));
}

static void handleNoMemory() {
  endExpected();
  endAt(Outcome::Internal, process.noMemory);
}

static void handleFatalError(void *, const char *reason, bool) {
  endExpected();
  // The system refuses threads; not a bug in the compiler.
  const char *kind =
      std::strstr(reason, "pthread") ? "error: " : "error: internal error: ";
  endAt(Outcome::Internal, (llvm::Twine(kind) + reason + "\n").str());
}

void hone::nameFiles(const CompileOptions &options) {
  process.noMemory = "error: " + options.input +
                     ": there is not enough memory to compile it\n";
  process.inputCut =
      "error: " + options.input +
      ": the file, or one with its data, was truncated while it was "
      "read\n";
  process.diskFull =
      "error: " + options.output + ": " + std::strerror(ENOSPC) + "\n";
}

void hone::beginProcess(const CompileOptions &options, bool reporting) {
  nameFiles(options);
  std::set_new_handler(handleNoMemory);
  llvm::install_bad_alloc_error_handler(
      [](void *, const char *, bool) { handleNoMemory(); });
  llvm::install_fatal_error_handler(handleFatalError);
  // LLVM installs its signal handlers when it first needs to, and removes one
  // while handling it: it must have done so before this.
  struct sigaction before[NSIG] = {};
  for (int signal : {SIGHUP, SIGQUIT})
    sigaction(signal, nullptr, &before[signal]);
  llvm::sys::AddSignalHandler([](void *) {}, nullptr);
  struct sigaction busError = {};
  busError.sa_sigaction = handleBusError;
  busError.sa_flags = SA_SIGINFO;
  sigaction(SIGBUS, &busError, nullptr);
  // A write fails instead: to a closed pipe, or beyond a limit.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  // In its own process group, it may still write to its caller's terminal.
  std::signal(SIGTTOU, SIG_IGN);

  sigemptyset(&process.signals);
  sigaddset(&process.signals, SIGINT);
  sigaddset(&process.signals, SIGTERM);
  for (int signal : {SIGHUP, SIGQUIT})
    if (before[signal].sa_handler == SIG_IGN) // as under nohup
      std::signal(signal, SIG_IGN);
    else
      sigaddset(&process.signals, signal);
  pthread_sigmask(SIG_BLOCK, &process.signals, nullptr);
  pthread_t watcher;
  if (int error = pthread_create(&watcher, nullptr, watchSignals, nullptr))
    endAt(Outcome::Internal,
          llvm::formatv("error: the compiler cannot start a thread: {0}\n",
                        std::strerror(error))
              .str());
  pthread_detach(watcher);

  process.reporting = reporting;
  if (!reporting)
    return;
  fcntl(kReportFile, F_SETFD, FD_CLOEXEC);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  // It may have died before.
  pollfd caller = {kReportFile, 0, 0};
  if (poll(&caller, 1, 0) == 1 && (caller.revents & POLLERR))
    _exit(static_cast<int>(Outcome::Cancelled));
}

CompileCallbacks hone::makeCallbacks() {
  CompileCallbacks callbacks;
  callbacks.message = [](llvm::StringRef text) {
    writeAll(STDERR_FILENO, (text + "\n").str());
  };
  callbacks.progress = [](llvm::StringRef what, double fraction) {
    process.linking = what == "link";
    report(Report::Progress, llvm::formatv("{0:f3} {1}", fraction, what).str());
    return true;
  };
  callbacks.folder = [](llvm::StringRef path) {
    report(Report::Folder, path.str());
  };
  callbacks.publish = [] {
    State working = State::Working;
    return process.state.compare_exchange_strong(working, State::Publishing);
  };
  return callbacks;
}

int hone::endProcess(Outcome outcome) {
  State working = State::Working;
  process.state.compare_exchange_strong(working, State::Publishing);
  while (process.state == State::Stopping)
    pause(); // the other thread is about to end the process
  report(Report::End, std::to_string(int(outcome)));
  return static_cast<int>(outcome);
}
