// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The driver as Python calls it: without the interpreter's lock, and stopped by
// Ctrl-C.
#include "compiler/Python/Compile.h"

#include "compiler/Driver/Driver.h"

#include <llvm/Support/JSON.h>
#include <nanobind/stl/string.h>

#include <mutex>

namespace nb = nanobind;
using namespace hone;
using namespace hone::python;

/// `model` as file or bytes, and the sizes of `dims`.
static CompileOptions optionsOf(nb::object model, nb::dict dims) {
  CompileOptions options;
  if (PyBytes_Check(model.ptr())) {
    // Read where it lies: the caller's reference outlives the compile.
    llvm::StringRef bytes(PyBytes_AS_STRING(model.ptr()),
                          PyBytes_GET_SIZE(model.ptr()));
    options.input = "model";
    options.bytes = llvm::MemoryBuffer::getMemBuffer(
        bytes, "model", /*RequiresNullTerminator=*/false);
  } else {
    options.input = nb::cast<std::string>(model);
  }
  for (auto [name, size] : dims)
    options.dims.emplace_back(nb::cast<std::string>(name),
                              nb::cast<int64_t>(size));
  return options;
}

void hone::python::compile(nb::object model, const std::string &output,
                           const std::string &target, const std::string &cpu,
                           const std::string &gpu, nb::dict dims,
                           int64_t threads, const std::string &symbol) {
  CompileOptions options = optionsOf(std::move(model), std::move(dims));
  options.output = output;
  options.target = target;
  options.cpu = cpu;
  options.gpu = gpu;
  options.threads = threads;
  options.symbol = symbol;

  std::string messages;
  std::mutex mutex;
  CompileCallbacks callbacks;
  callbacks.message = [&](llvm::StringRef text) {
    std::lock_guard<std::mutex> lock(mutex);
    if (!messages.empty())
      messages += '\n';
    messages += llvm::json::fixUTF8(text);
  };
  callbacks.progress = [](llvm::StringRef, double) {
    nb::gil_scoped_acquire locked;
    return PyErr_CheckSignals() == 0;
  };
  Outcome outcome;
  {
    nb::gil_scoped_release unlocked;
    outcome = hone::compile(options, callbacks);
  }
  if (PyErr_Occurred())
    throw nb::python_error();
  switch (outcome) {
  case Outcome::Done:
    return;
  case Outcome::WrongUsage:
    throw nb::value_error(messages.c_str());
  case Outcome::CannotWrite:
    PyErr_SetString(PyExc_OSError, messages.c_str());
    throw nb::python_error();
  case Outcome::Cancelled:
    PyErr_SetNone(PyExc_KeyboardInterrupt);
    throw nb::python_error();
  case Outcome::UserError:
  case Outcome::Internal:
    throw CompileError(messages);
  }
}

std::vector<std::string> hone::python::check(nb::object model, nb::dict dims) {
  CompileOptions options = optionsOf(model, std::move(dims));
  std::vector<std::string> messages;
  CompileCallbacks callbacks;
  callbacks.message = [&](llvm::StringRef text) {
    messages.push_back(llvm::json::fixUTF8(text));
  };
  nb::gil_scoped_release unlocked;
  hone::check(options, callbacks);
  return messages;
}
