// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Runs hone-compile in a separate process and reports how it ended: the entry
// to the compiler that the command line, the C API and the Python package
// share. Needs neither LLVM nor the rest of the compiler.
#ifndef HONE_COMPILER_WORKER_WORKER_H
#define HONE_COMPILER_WORKER_WORKER_H

#include <functional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace hone {

/// Exit codes of `hone compile`, and the outcome of a compilation everywhere.
enum class CompileStatus {
  Done = 0,
  UserError = 1,
  WrongUsage = 2,
  Internal = 70,
  CannotWrite = 74,
  Cancelled = 130,
};

struct WorkerCall {
  /// The file hone-compile. Empty: beside the library that contains this code,
  /// or in the folder bin of an enclosing folder.
  std::string program;
  /// The name that the program goes by, "compile" or "check", and its command
  /// line.
  std::vector<std::string> arguments;
  /// The model, if it is given in memory: the file among the arguments is then
  /// a name for messages.
  const void *bytes = nullptr;
  size_t size = 0;
};

/// All are called on the thread that called runWorker, and may be empty.
struct WorkerCallbacks {
  /// One message without a line end.
  std::function<void(const std::string &)> message;
  /// The current activity, and the fraction of the whole that is done, from 0
  /// to 1. False cancels. Called at least every 50 ms, with or without news.
  std::function<bool(const std::string &, double)> progress;
  /// A worker was started; it leads a process group of its own.
  std::function<void(pid_t)> started;
};

/// Runs the worker and waits for it. Whatever happens there, this process
/// continues and no partial output is left. After an internal error a second
/// worker writes the reproducer. Throws std::bad_alloc.
CompileStatus runWorker(const WorkerCall &call,
                        const WorkerCallbacks &callbacks);

} // namespace hone

#endif // HONE_COMPILER_WORKER_WORKER_H
