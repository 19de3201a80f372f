// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Compilation from Python: without the interpreter's lock, and interruptible by
// Ctrl-C.
#include "compiler/Python/Compile.h"

#include "compiler/Worker/Worker.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

namespace nb = nanobind;
using namespace hone;
using namespace hone::python;

/// A text that is valid on a command line.
static std::string argument(const std::string &text) {
  if (text.find('\0') != std::string::npos)
    throw nb::value_error("embedded null character");
  return text;
}

/// A call of `command` with `options` for `model`, a file or bytes, and the
/// sizes of `dims`. `overrides` is None, or a list of names.
static WorkerCall makeCall(const char *command, nb::object model, nb::dict dims,
                           nb::object overrides,
                           const std::vector<std::string> &options) {
  WorkerCall call;
  std::string input = "model";
  if (PyBytes_Check(model.ptr())) {
    // Read in place: the caller's reference outlives the compilation.
    call.bytes = PyBytes_AS_STRING(model.ptr());
    call.size = PyBytes_GET_SIZE(model.ptr());
  } else {
    input = nb::cast<std::string>(model);
  }
  call.arguments = {"hone", command};
  for (const std::string &option : options)
    call.arguments.push_back(argument(option));
  for (auto [name, size] : dims)
    call.arguments.push_back("--dim=" + argument(nb::cast<std::string>(name)) +
                             "=" + argument(nb::str(size).c_str()));
  if (!overrides.is_none()) {
    call.arguments.push_back("--override=");
    for (nb::handle name : overrides)
      call.arguments.push_back("--override=" +
                               argument(nb::cast<std::string>(name)));
  }
  call.arguments.push_back("--");
  call.arguments.push_back(argument(input));
  return call;
}

/// Runs the worker without the interpreter's lock. Throws KeyboardInterrupt if
/// Ctrl-C stopped it.
static CompileStatus
run(const WorkerCall &call,
    const std::function<void(const std::string &)> &message) {
  WorkerCallbacks callbacks;
  callbacks.message = message;
  callbacks.progress = [](const std::string &, double) {
    nb::gil_scoped_acquire locked;
    return PyErr_CheckSignals() == 0;
  };
  CompileStatus status;
  {
    nb::gil_scoped_release unlocked;
    status = runWorker(call, callbacks);
  }
  if (PyErr_Occurred())
    throw nb::python_error();
  if (status == CompileStatus::Cancelled) {
    PyErr_SetNone(PyExc_KeyboardInterrupt);
    throw nb::python_error();
  }
  return status;
}

void hone::python::compile(nb::object model, const std::string &output,
                           const std::string &target, const std::string &cpu,
                           const std::optional<std::string> &gpu, nb::dict dims,
                           nb::object overrides, const std::string &precision,
                           int64_t threads, const std::string &symbol,
                           const std::vector<std::string> &tuned) {
  std::vector<std::string> options = {"--target=" + target,
                                      "--cpu=" + cpu,
                                      "--precision=" + precision,
                                      "--symbol=" + symbol,
                                      "--threads=" + std::to_string(threads),
                                      "-o",
                                      output};
  if (gpu)
    options.push_back("--gpu=" + *gpu);
  for (const std::string &file : tuned)
    options.push_back("--tuned=" + file);
  WorkerCall call = makeCall("compile", model, std::move(dims),
                             std::move(overrides), options);
  std::string messages;
  CompileStatus status = run(call, [&](const std::string &text) {
    if (!messages.empty())
      messages += '\n';
    messages += text;
  });
  switch (status) {
  case CompileStatus::Done:
  case CompileStatus::Cancelled:
    return;
  case CompileStatus::WrongUsage:
    throw nb::value_error(messages.c_str());
  case CompileStatus::CannotWrite:
    PyErr_SetString(PyExc_OSError, messages.c_str());
    throw nb::python_error();
  case CompileStatus::UserError:
  case CompileStatus::Internal:
    throw CompileError(messages);
  }
}

std::vector<std::string> hone::python::check(nb::object model, nb::dict dims,
                                             nb::object overrides) {
  WorkerCall call =
      makeCall("check", model, std::move(dims), std::move(overrides), {});
  std::vector<std::string> messages;
  CompileStatus status =
      run(call, [&](const std::string &text) { messages.push_back(text); });
  if (status != CompileStatus::Done && messages.empty())
    throw CompileError("the check ended without a message");
  return messages;
}
