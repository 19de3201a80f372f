// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// `hone compile` and `hone check`: signals and the terminal of a compilation,
// which runs in a process of its own.
#include "tools/hone/Compile.h"
#include "compiler/Worker/Worker.h"
#include "tools/hone/Signals.h"
#include "tools/hone/Terminal.h"
#include <cstdio>
#include <new>

using namespace hone;

int hone::compileWatched(const char *program, int argc, char **argv) {
  catchSignals();
  try {
    WorkerCall call;
    call.program = program;
    call.arguments.assign(argv, argv + argc);
    WorkerCallbacks callbacks;
    callbacks.message = showMessage;
    callbacks.progress = [](const std::string &what, double fraction) {
      showProgress(what, fraction);
      return !isStopped();
    };
    callbacks.started = setWorker;
    CompileStatus status = runWorker(call, callbacks);
    endProgress();
    return static_cast<int>(status);
  } catch (const std::bad_alloc &) {
    std::fputs("error: not enough memory\n", stderr);
    return static_cast<int>(CompileStatus::Internal);
  }
}
