// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The C API: options become a worker's command line.
#include "compiler/Worker/Worker.h"
#include "hone/compiler.h"
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <initializer_list>
#include <new>
#include <string_view>

using namespace hone;

struct hone_compiler {
  std::vector<std::string> options; ///< "--name=value"
  hone_message_fn message = nullptr;
  void *messageUser = nullptr;
  hone_progress_fn progress = nullptr;
  void *progressUser = nullptr;
  std::string messages;
  bool outOfMemory = false; ///< during the last compile

  CompileStatus run(WorkerCall call, const char *model, const char *output);
};

CompileStatus hone_compiler::run(WorkerCall call, const char *model,
                                 const char *output) {
  messages.clear();
  call.arguments = {"hone", "compile"};
  call.arguments.insert(call.arguments.end(), options.begin(), options.end());
  call.arguments.push_back("--quiet");
  call.arguments.push_back("-o");
  call.arguments.push_back(output ? output : "");
  call.arguments.push_back("--");
  call.arguments.push_back(model ? model : "");
  WorkerCallbacks callbacks;
  callbacks.message = [this](const std::string &text) {
    messages += text + "\n";
    if (message)
      message(messageUser, text.c_str());
  };
  callbacks.progress = [this](const std::string &what, double fraction) {
    return !progress || progress(progressUser, what.c_str(), fraction) == 0;
  };
  return runWorker(call, callbacks);
}

const char *hone_compiler_version(void) { return HONE_VERSION; }

hone_compiler *hone_compiler_create(void) {
  return new (std::nothrow) hone_compiler;
}

void hone_compiler_destroy(hone_compiler *compiler) { delete compiler; }

static bool isNumber(const std::string &text, long long smallest) {
  char *end = nullptr;
  errno = 0;
  long long number = std::strtoll(text.c_str(), &end, 10);
  return !text.empty() && *end == 0 && errno == 0 && number >= smallest;
}

static bool isOneOf(std::string_view name,
                    std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// An option's argument for the worker; "" if it is unknown or its value cannot
/// be valid.
static std::string makeArgument(const std::string &name, std::string value) {
  bool known = isOneOf(name, {"target", "cpu", "gpu", "precision", "symbol",
                              "emit", "override"});
  if (name == "threads" || name == "jobs")
    known = isNumber(value, 0);
  if (name == "header" || name == "reproducer-with-weights") {
    if (value.empty() || value == "1")
      value = "true";
    if (value == "0")
      value = "false";
    known = value == "true" || value == "false";
  }
  if (name == "dim") {
    size_t split = value.rfind('=');
    known = split != std::string::npos && split > 0 &&
            isNumber(value.substr(split + 1), 0);
  }
  if (name == "shape" || name == "pipeline-after") {
    size_t split = value.rfind('=');
    known = split != std::string::npos && split > 0;
  }
  if (isOneOf(name, {"tuned", "report", "load-pass-plugin", "custom-ops",
                     "session-op"}))
    known = !value.empty();
  return known ? "--" + name + "=" + value : "";
}

static void set(hone_compiler &compiler, const std::string &name,
                const std::string &argument) {
  std::string prefix = "--" + name + "=";
  bool addsUp =
      isOneOf(name, {"dim", "shape", "override", "tuned", "load-pass-plugin",
                     "pipeline-after", "custom-ops", "session-op"});
  for (std::string &other : compiler.options)
    if (!addsUp && other.compare(0, prefix.size(), prefix) == 0) {
      other = argument;
      return;
    }
  compiler.options.push_back(argument);
}

int hone_compiler_set(hone_compiler *compiler, const char *option,
                      const char *value) {
  try {
    std::string name = option ? option : "";
    std::string argument = makeArgument(name, value ? value : "");
    if (argument.empty())
      return HONE_COMPILE_WRONG_OPTION;
    set(*compiler, name, argument);
    return HONE_COMPILE_OK;
  } catch (const std::bad_alloc &) {
    return HONE_COMPILE_INTERNAL;
  }
}

void hone_compiler_on_message(hone_compiler *compiler, hone_message_fn function,
                              void *user) {
  compiler->message = function;
  compiler->messageUser = user;
}

void hone_compiler_on_progress(hone_compiler *compiler,
                               hone_progress_fn function, void *user) {
  compiler->progress = function;
  compiler->progressUser = user;
}

static int compile(hone_compiler *compiler, const WorkerCall &call,
                   const char *model, const char *output) {
  compiler->outOfMemory = false;
  try {
    return static_cast<int>(compiler->run(call, model, output));
  } catch (const std::bad_alloc &) {
    compiler->outOfMemory = true;
    return HONE_COMPILE_INTERNAL;
  }
}

int hone_compile_file(hone_compiler *compiler, const char *model,
                      const char *output) {
  return compile(compiler, {}, model, output);
}

int hone_compile_bytes(hone_compiler *compiler, const void *bytes, size_t size,
                       const char *name, const char *output) {
  WorkerCall call;
  call.bytes = bytes ? bytes : "";
  call.size = size;
  return compile(compiler, call, name ? name : "model", output);
}

const char *hone_compiler_messages(const hone_compiler *compiler) {
  return compiler->outOfMemory ? "error: not enough memory"
                               : compiler->messages.c_str();
}
