// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The extension module that compiles: without the interpreter's lock, and
// interruptible by Ctrl-C.
#include "compiler/Worker/Worker.h"
#include "python/Errors.h"
#include "python/Text.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <string_view>

namespace nb = nanobind;
using namespace hone;
using namespace hone::python;

/// A text that is valid on a command line.
static std::string argument(nb::handle text) {
  std::string bytes = bytesOf(text);
  if (bytes.find('\0') != std::string::npos)
    throw Error("ArgumentValueError", "embedded null character");
  return bytes;
}

static void addAll(const char *option, nb::list values,
                   std::vector<std::string> &options) {
  for (nb::handle value : values)
    options.push_back(option + argument(value));
}

/// A call of `command` with `options` for `model`, a file or bytes, and the
/// sizes of `dims` and `shapes`. `overrides` is None, or a list of names.
static WorkerCall makeCall(const char *command, nb::object model, nb::dict dims,
                           nb::dict shapes, nb::object overrides,
                           const std::vector<std::string> &options) {
  WorkerCall call;
  std::string input = "model";
  if (PyBytes_Check(model.ptr())) {
    // Read in place: the caller's reference outlives the compilation.
    call.bytes = PyBytes_AS_STRING(model.ptr());
    call.size = PyBytes_GET_SIZE(model.ptr());
  } else {
    input = argument(model);
  }
  call.arguments = {"hone", command};
  call.arguments.insert(call.arguments.end(), options.begin(), options.end());
  for (auto [name, size] : dims)
    call.arguments.push_back("--dim=" + argument(name) + "=" +
                             argument(nb::str(size)));
  for (auto [name, shape] : shapes) {
    std::string sizes;
    for (nb::handle size : shape)
      sizes += (sizes.empty() ? "" : ",") + argument(nb::str(size));
    call.arguments.push_back("--shape=" + argument(name) + "=" + sizes);
  }
  if (!overrides.is_none()) {
    call.arguments.push_back("--override=");
    for (nb::handle name : overrides)
      call.arguments.push_back("--override=" + argument(name));
  }
  call.arguments.push_back("--");
  call.arguments.push_back(input);
  return call;
}

/// Runs the worker without the interpreter's lock. Throws KeyboardInterrupt if
/// Ctrl-C stopped it, and what `progress` raised.
static CompileStatus
run(const WorkerCall &call,
    const std::function<void(const std::string &)> &message,
    nb::handle progress) {
  WorkerCallbacks callbacks;
  callbacks.message = message;
  callbacks.progress = [&](const std::string &activity, double fraction) {
    nb::gil_scoped_acquire locked;
    if (PyErr_Occurred() || PyErr_CheckSignals() != 0)
      return false;
    if (progress.is_none())
      return true;
    nb::object text = nb::steal(
        PyUnicode_DecodeUTF8(activity.data(), activity.size(), "replace"));
    return nb::steal(PyObject_CallFunction(progress.ptr(), "Od", text.ptr(),
                                           fraction))
        .is_valid();
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

/// Compiles the file `model`, or the bytes where it is a bytes object, to the
/// library `output`, with the schedules of the files `tuned`, the operators of
/// the files `custom_ops` and those named `session_ops`, and the `pipelines`
/// after phases, whose passes may be in `plugins`, and describes it in the page
/// `report`; `gpu`, `overrides` and `report` may be None. `progress` is None,
/// or called with the current activity and the fraction that is done.
static void compile(nb::object model, nb::str output, nb::str target,
                    nb::str cpu, nb::object gpu, nb::dict dims, nb::dict shapes,
                    nb::object overrides, nb::str precision, int64_t threads,
                    nb::str symbol, nb::list tuned, nb::list customOps,
                    nb::list sessionOps, nb::dict pipelines, nb::list plugins,
                    nb::object report, nb::object progress) {
  std::vector<std::string> options = {"--target=" + argument(target),
                                      "--cpu=" + argument(cpu),
                                      "--precision=" + argument(precision),
                                      "--symbol=" + argument(symbol),
                                      "--threads=" + std::to_string(threads),
                                      "--quiet",
                                      "-o",
                                      argument(output)};
  if (!gpu.is_none())
    options.push_back("--gpu=" + argument(gpu));
  addAll("--tuned=", tuned, options);
  addAll("--custom-ops=", customOps, options);
  addAll("--session-op=", sessionOps, options);
  for (auto [phase, pipeline] : pipelines)
    options.push_back("--pipeline-after=" + argument(phase) + "=" +
                      argument(pipeline));
  addAll("--load-pass-plugin=", plugins, options);
  if (!report.is_none())
    options.push_back("--report=" + argument(report));
  WorkerCall call = makeCall("compile", model, std::move(dims),
                             std::move(shapes), std::move(overrides), options);
  std::string messages;
  auto addMessage = [&](const std::string &text) {
    constexpr std::string_view error = "error: ";
    if (!messages.empty())
      messages += '\n';
    messages += text.rfind(error, 0) == 0 ? text.substr(error.size()) : text;
  };
  CompileStatus status = run(call, addMessage, progress);
  switch (status) {
  case CompileStatus::Done:
  case CompileStatus::Cancelled:
    return;
  case CompileStatus::WrongUsage:
    throw Error("ArgumentValueError", messages);
  case CompileStatus::CannotWrite:
    throw CompileError(messages, "CompileOSError");
  case CompileStatus::UserError:
  case CompileStatus::Internal:
    throw CompileError(messages);
  }
}

/// The messages of a check of `model`, given as above: what would not compile.
/// Empty if everything would.
static std::vector<std::string> check(nb::object model, nb::dict dims,
                                      nb::dict shapes, nb::object overrides,
                                      nb::list customOps, nb::list sessionOps,
                                      nb::object progress) {
  std::vector<std::string> options;
  addAll("--custom-ops=", customOps, options);
  addAll("--session-op=", sessionOps, options);
  WorkerCall call = makeCall("check", model, std::move(dims), std::move(shapes),
                             std::move(overrides), options);
  std::vector<std::string> messages;
  auto addMessage = [&](const std::string &text) { messages.push_back(text); };
  CompileStatus status = run(call, addMessage, progress);
  if (status != CompileStatus::Done && messages.empty())
    throw CompileError("the check ended without a message");
  return messages;
}

NB_MODULE(_compiler, m) {
  translateErrors();
  m.def("compile", &::compile, nb::arg("model"), nb::arg("output"),
        nb::arg("target"), nb::arg("cpu"), nb::arg("gpu").none(),
        nb::arg("dims"), nb::arg("shapes"), nb::arg("overrides").none(),
        nb::arg("precision"), nb::arg("threads"), nb::arg("symbol"),
        nb::arg("tuned"), nb::arg("custom_ops"), nb::arg("session_ops"),
        nb::arg("pipelines"), nb::arg("plugins"), nb::arg("report").none(),
        nb::arg("progress").none());
  m.def("check", &::check, nb::arg("model"), nb::arg("dims"), nb::arg("shapes"),
        nb::arg("overrides").none(), nb::arg("custom_ops"),
        nb::arg("session_ops"), nb::arg("progress").none());
}
