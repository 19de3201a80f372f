// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Starts a worker, reads its output, stops it on request, and finds out how it
// ended.
#include "compiler/Worker/Worker.h"
#include "compiler/Worker/Report.h"
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <filesystem>
#include <poll.h>
#include <spawn.h>
#include <string_view>
#include <sys/mman.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

using namespace hone;
using Clock = std::chrono::steady_clock;

namespace {

/// How often the caller is asked whether to continue.
constexpr std::chrono::milliseconds kPeriod(50);
/// Grace period of a worker that is told to end.
constexpr std::chrono::milliseconds kPatience(700);
/// Longer lines of a worker's output are passed on in pieces.
constexpr size_t kLongestLine = 1 << 16;

/// A file descriptor that is closed at the end. Its number is above those
/// passed to a worker.
class File {
public:
  File() = default;
  File(const File &) = delete;
  File &operator=(const File &) = delete;
  ~File() { reset(-1); }

  void reset(int opened) {
    if (number >= 0)
      close(number);
    number = opened;
    if (number >= 0 && number <= kModelFile) {
      number = fcntl(opened, F_DUPFD_CLOEXEC, kModelFile + 1);
      close(opened);
    }
  }
  operator int() const { return number; }

private:
  int number = -1;
};

struct Pipe {
  File read, write;

  bool open() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC))
      return false;
    read.reset(ends[0]);
    write.reset(ends[1]);
    return read >= 0 && write >= 0 && fcntl(read, F_SETFL, O_NONBLOCK) == 0;
  }
};

/// How a worker ended.
struct End {
  int code = -1;  ///< exit code; -1: none
  int signal = 0; ///< that ended it; 0: none
  bool cancelled = false;
  bool began = false; ///< it wrote anything at all
};

/// One worker process.
class Process {
public:
  explicit Process(const WorkerCallbacks &callbacks) : callbacks(callbacks) {}
  Process(const Process &) = delete;
  Process &operator=(const Process &) = delete;
  ~Process() { finish(); }

  /// Returns an error number, 0 for success.
  int start(const std::string &program, std::vector<std::string> arguments,
            int model);
  End wait();

private:
  void readReports();
  void readMessages();
  void takeReport(const std::string &report);
  void endMessage();
  void watch();
  bool hasEnded();
  int finish();

  const WorkerCallbacks &callbacks;
  pid_t child = 0;
  Pipe reports, errors;
  bool reportsOpen = true, errorsOpen = true;
  std::string reportText, errorText, what = "start";
  std::vector<std::string> folders; ///< unfinished
  double fraction = 0;
  End end;
};

} // namespace

int Process::start(const std::string &program,
                   std::vector<std::string> arguments, int model) {
  if (!reports.open() || !errors.open())
    return errno;
  std::vector<char *> words;
  for (std::string &argument : arguments)
    words.push_back(argument.data());
  words.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  if (int error = posix_spawn_file_actions_init(&actions))
    return error;
  if (int error = posix_spawnattr_init(&attributes)) {
    posix_spawn_file_actions_destroy(&actions);
    return error;
  }
  // Signals that the caller blocks or ignores are restored where the worker
  // relies on them: to be told to end, and to wait for the assembler.
  sigset_t none, restored;
  sigemptyset(&none);
  sigemptyset(&restored);
  sigaddset(&restored, SIGTERM);
  sigaddset(&restored, SIGCHLD);
  sigaddset(&restored, SIGPIPE);
  int error = posix_spawnattr_setsigmask(&attributes, &none);
  for (int next :
       {posix_spawnattr_setsigdefault(&attributes, &restored),
        posix_spawnattr_setpgroup(&attributes, 0),
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK |
                                                  POSIX_SPAWN_SETSIGDEF |
                                                  POSIX_SPAWN_SETPGROUP),
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null",
                                         O_RDONLY, 0),
        posix_spawn_file_actions_adddup2(&actions, errors.write, STDERR_FILENO),
        posix_spawn_file_actions_adddup2(&actions, reports.write, kReportFile),
        model < 0
            ? 0
            : posix_spawn_file_actions_adddup2(&actions, model, kModelFile),
        posix_spawn_file_actions_addclosefrom_np(
            &actions, model < 0 ? kModelFile : kModelFile + 1)})
    error = error ? error : next;
  // The worker's own files must not get the number of standard output.
  if (!error && fcntl(STDOUT_FILENO, F_GETFD) < 0)
    error = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO,
                                             "/dev/null", O_WRONLY, 0);
  if (!error)
    error = posix_spawn(&child, program.c_str(), &actions, &attributes,
                        words.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error) {
    child = 0;
    return error;
  }
  reports.write.reset(-1);
  errors.write.reset(-1);
  if (callbacks.started)
    callbacks.started(child);
  return 0;
}

/// Omitted if memory is short: how the worker ends is reported even then, as
/// its output may already be in place. False: omitted.
template <typename Action> static bool unlessOutOfMemory(Action action) {
  try {
    action();
    return true;
  } catch (const std::bad_alloc &) {
    return false;
  }
}

/// Passes on everything that can be read now. False at the end of the file.
template <typename Take> static bool drain(int file, Take take) {
  char buffer[4096];
  for (;;) {
    ssize_t count = read(file, buffer, sizeof(buffer));
    if (count > 0)
      take(buffer, size_t(count));
    else if (count == 0 || (errno != EAGAIN && errno != EINTR))
      return false;
    else if (errno == EAGAIN)
      return true;
  }
}

void Process::takeReport(const std::string &report) {
  end.began = true;
  switch (static_cast<Report>(report[0])) {
  case Report::Progress: {
    char *rest = nullptr;
    fraction = std::strtod(report.c_str() + 1, &rest);
    what = *rest ? rest + 1 : rest;
    break;
  }
  case Report::Folder:
    folders.push_back(report.substr(1));
    break;
  case Report::End:
    end.code = std::atoi(report.c_str() + 1);
    break;
  }
}

void Process::readReports() {
  reportsOpen =
      reportsOpen && drain(reports.read, [&](const char *text, size_t size) {
        for (char c : std::string_view(text, size))
          if (!unlessOutOfMemory([&] {
                if (c) {
                  reportText += c;
                } else if (!reportText.empty()) {
                  takeReport(reportText);
                  reportText.clear();
                }
              }))
            reportText.clear();
      });
}

void Process::readMessages() {
  errorsOpen =
      errorsOpen && drain(errors.read, [&](const char *text, size_t size) {
        for (char c : std::string_view(text, size))
          if (!unlessOutOfMemory([&] {
                if (c != '\n')
                  errorText += c;
                if (c == '\n' || errorText.size() > kLongestLine)
                  endMessage();
              }))
            errorText.clear();
      });
}

void Process::endMessage() {
  if (callbacks.message && !errorText.empty())
    callbacks.message(errorText);
  errorText.clear();
}

/// The pipe alone does not tell: another thread may have forked while its other
/// end was open here.
bool Process::hasEnded() {
  siginfo_t info = {};
  return !reportsOpen ||
         waitid(P_PID, child, &info, WEXITED | WNOHANG | WNOWAIT) ||
         info.si_pid == child;
}

/// Ends the worker and its helpers, removes what they left and returns its
/// status, or -1 if somebody else has collected it.
int Process::finish() {
  if (child == 0)
    return -1;
  // Until it is waited for, no other group can have its number.
  siginfo_t info = {};
  if (waitid(P_PID, child, &info, WEXITED | WNOHANG | WNOWAIT) == 0)
    kill(-child, SIGKILL);
  int status = -1;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) {
      status = -1;
      break;
    }
  child = 0;
  std::error_code ignored;
  for (const std::string &folder : folders)
    unlessOutOfMemory([&] { std::filesystem::remove_all(folder, ignored); });
  return status;
}

/// Until the worker has ended.
void Process::watch() {
  Clock::time_point deadline = Clock::time_point::max();
  for (bool ended = false; !ended;) {
    pollfd files[] = {{reports.read, POLLIN, 0},
                      {errorsOpen ? int(errors.read) : -1, POLLIN, 0}};
    ended = hasEnded();
    if (!ended)
      poll(files, 2, int(kPeriod.count()));
    readReports();
    readMessages();
    bool goesOn = true;
    if (!end.cancelled && callbacks.progress)
      unlessOutOfMemory([&] { goesOn = callbacks.progress(what, fraction); });
    if (!goesOn) {
      end.cancelled = true;
      deadline = Clock::now() + kPatience;
      kill(child, SIGTERM);
    }
    if (Clock::now() > deadline)
      kill(-child, SIGKILL);
  }
}

End Process::wait() {
  watch();
  // Nothing is reported once it has ended.
  siginfo_t info = {};
  while (waitid(P_PID, child, &info, WEXITED | WNOWAIT) && errno == EINTR)
    continue;
  readReports();
  readMessages();
  unlessOutOfMemory([&] { endMessage(); });
  int status = finish();
  if (end.code < 0 && status >= 0 && WIFEXITED(status))
    end.code = WEXITSTATUS(status);
  if (end.code < 0 && status >= 0)
    end.signal = WTERMSIG(status);
  return end;
}

/// Beside the library that this is part of, or in the folder bin of an
/// enclosing folder.
static std::string findProgram() {
  namespace fs = std::filesystem;
  Dl_info info;
  std::error_code ignored;
  if (!dladdr(reinterpret_cast<void *>(&findProgram), &info))
    return "";
  fs::path place = fs::canonical(info.dli_fname, ignored);
  for (int level = 0; level < 6 && place.has_relative_path(); ++level) {
    place = place.parent_path();
    for (const fs::path &program :
         {place / "hone-compile", place / "bin" / "hone-compile"})
      if (access(program.c_str(), X_OK) == 0)
        return program;
  }
  return "";
}

/// Makes bytes available for a worker to map.
static int share(const void *bytes, size_t size, File &file) {
  file.reset(memfd_create("model", MFD_CLOEXEC));
  if (file < 0)
    return errno;
  for (size_t done = 0; done < size;) {
    ssize_t count =
        write(file, static_cast<const char *>(bytes) + done, size - done);
    if (count < 0 && errno != EINTR)
      return errno;
    done += std::max<ssize_t>(count, 0);
  }
  return 0;
}

/// Signals raised by a program's own errors.
static bool isCrash(int signal) {
  for (int fault : {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS})
    if (signal == fault)
      return true;
  return false;
}

static std::string describeSignal(int signal) {
  const char *name = sigabbrev_np(signal);
  return name ? std::string("SIG") + name : "signal " + std::to_string(signal);
}

namespace {

/// A compilation: one worker, and after an internal error another.
class Compile {
public:
  Compile(const WorkerCall &call, const WorkerCallbacks &callbacks)
      : call(call), callbacks(callbacks) {}

  CompileStatus run();

private:
  CompileStatus judge(const End &end);
  bool hasForeignCode() const;
  void writeReproducer();
  std::vector<std::string> arguments(const std::string &option) const;
  void tell(const std::string &text) const {
    if (callbacks.message)
      callbacks.message(text);
  }

  const WorkerCall &call;
  const WorkerCallbacks &callbacks;
  std::string program;
  File model;
  std::string reason; ///< of the last internal error
};

} // namespace

/// The options of a worker come first: a caller's "--" may follow.
std::vector<std::string> Compile::arguments(const std::string &option) const {
  std::vector<std::string> all = call.arguments;
  std::vector<std::string> added = {"--worker-report"};
  if (model >= 0)
    added.push_back("--worker-model");
  if (!option.empty())
    added.push_back(option);
  all.insert(all.begin() + 2, added.begin(), added.end());
  return all;
}

CompileStatus Compile::run() {
  program = call.program.empty() ? findProgram() : call.program;
  if (program.empty()) {
    tell(
        "error: the program hone-compile is neither beside this library nor in "
        "an enclosing folder's bin; reinstall Hone");
    return CompileStatus::Internal;
  }
  int error = call.bytes ? share(call.bytes, call.size, model) : 0;
  if (error) {
    tell(std::string("error: the model cannot be passed to the compiler: ") +
         std::strerror(error));
    return CompileStatus::Internal;
  }
  WorkerCallbacks own = callbacks;
  own.message = [&](const std::string &text) {
    static const std::string internal = "error: internal error: ";
    if (text.compare(0, internal.size(), internal) == 0)
      reason = text.substr(internal.size());
    tell(text);
  };
  Process worker(own);
  error = worker.start(program, arguments(""), model);
  if (error) {
    tell("error: " + program + " cannot be started: " + std::strerror(error));
    return CompileStatus::Internal;
  }
  CompileStatus status = judge(worker.wait());
  if (status == CompileStatus::Internal && !reason.empty())
    writeReproducer();
  return status;
}

CompileStatus Compile::judge(const End &end) {
  if (end.cancelled && end.code != 0)
    return CompileStatus::Cancelled;
  for (CompileStatus known :
       {CompileStatus::Done, CompileStatus::UserError,
        CompileStatus::WrongUsage, CompileStatus::Internal,
        CompileStatus::CannotWrite, CompileStatus::Cancelled})
    if (end.code == static_cast<int>(known))
      return known;
  for (int stop : {SIGINT, SIGTERM, SIGHUP, SIGQUIT})
    if (end.signal == stop)
      return CompileStatus::Cancelled;
  if (end.signal == SIGPIPE) // the reader of the text has enough of it
    return CompileStatus::CannotWrite;
  std::string how = end.signal ? "by " + describeSignal(end.signal)
                    : end.code >= 0
                        ? "with exit code " + std::to_string(end.code)
                        : std::string("without a message");
  if (end.signal && !isCrash(end.signal)) {
    tell("error: the compiler was ended " + how + " from outside" +
         (end.signal == SIGKILL ? "; the system does that when memory runs out"
                                : ""));
  } else if (!end.began) {
    // Before its first line there is only loading.
    tell("error: the compiler could not start: it ended " + how +
         "; is there enough memory?");
  } else {
    reason = "the compiler ended " + how;
    tell("error: internal error: " + reason);
    if (hasForeignCode())
      tell("note: it ran code of --custom-ops or --load-pass-plugin, which may "
           "be the reason");
  }
  return CompileStatus::Internal;
}

/// Whether the worker ran code of the user's.
bool Compile::hasForeignCode() const {
  for (const std::string &argument : call.arguments)
    for (std::string_view option : {"--custom-ops", "--load-pass-plugin"})
      if (std::string_view(argument).substr(0, option.size()) == option)
        return true;
  return false;
}

void Compile::writeReproducer() {
  std::vector<std::string> lines;
  WorkerCallbacks own;
  own.progress = callbacks.progress;
  own.started = callbacks.started;
  own.message = [&](const std::string &text) { lines.push_back(text); };
  bool written = false;
  if (call.arguments[1] == "compile") {
    Process worker(own);
    if (worker.start(program, arguments("--worker-reproducer=" + reason),
                     model) == 0)
      written = worker.wait().code == 0;
  }
  if (!written)
    lines = {"note: please report it together with the model"};
  for (const std::string &line : lines)
    tell(line);
}

CompileStatus hone::runWorker(const WorkerCall &call,
                              const WorkerCallbacks &callbacks) {
  return Compile(call, callbacks).run();
}
