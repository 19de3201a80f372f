// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The C API over the driver.
#include "compiler/Driver/Driver.h"
#include "hone/compiler.h"
#include "llvm/ADT/StringSwitch.h"
#include <new>

using namespace hone;
using llvm::StringRef;

struct hone_compiler {
  CompileOptions options;
  hone_message_fn message = nullptr;
  void *messageUser = nullptr;
  hone_progress_fn progress = nullptr;
  void *progressUser = nullptr;
  std::string messages;

  int run(std::string input, std::shared_ptr<llvm::MemoryBuffer> bytes,
          const char *output) {
    messages.clear();
    CompileOptions run = options;
    run.input = std::move(input);
    run.bytes = std::move(bytes);
    run.output = output ? output : "";
    CompileCallbacks callbacks;
    callbacks.message = [this](StringRef text) {
      messages += (text + "\n").str();
      if (message)
        message(messageUser, text.str().c_str());
    };
    callbacks.progress = [this](StringRef what, double fraction) {
      return !progress ||
             progress(progressUser, what.str().c_str(), fraction) == 0;
    };
    return static_cast<int>(compile(run, callbacks));
  }
};

const char *hone_compiler_version(void) { return HONE_VERSION; }

hone_compiler *hone_compiler_create(void) {
  return new (std::nothrow) hone_compiler;
}

void hone_compiler_destroy(hone_compiler *compiler) { delete compiler; }

static bool setFlag(bool &flag, StringRef value) {
  if (value != "true" && value != "false" && value != "1" && value != "0" &&
      value != "")
    return false;
  flag = value != "false" && value != "0";
  return true;
}

int hone_compiler_set(hone_compiler *compiler, const char *option,
                      const char *value) {
  CompileOptions &options = compiler->options;
  StringRef name(option ? option : ""), text(value ? value : "");
  bool known = true;
  if (name == "target")
    options.target = text.str();
  else if (name == "cpu")
    options.cpu = text.str();
  else if (name == "gpu")
    options.gpu = text.str();
  else if (name == "symbol")
    options.symbol = text.str();
  else if (name == "emit")
    options.emit = text.str();
  else if (name == "header")
    known = setFlag(options.header, text);
  else if (name == "reproducer-with-weights")
    known = setFlag(options.reproducerWithWeights, text);
  else if (name == "threads")
    known = !text.getAsInteger(10, options.threads);
  else if (name == "jobs")
    known = !text.getAsInteger(10, options.jobs);
  else if (name == "dim") {
    auto [dim, size] = text.rsplit('=');
    int64_t number = -1;
    known = !dim.empty() && !size.getAsInteger(10, number) && number >= 0;
    if (known)
      options.dims.push_back({dim.str(), number});
  } else
    known = false;
  return known ? HONE_COMPILE_OK : HONE_COMPILE_WRONG_OPTION;
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

int hone_compile_file(hone_compiler *compiler, const char *model,
                      const char *output) {
  return compiler->run(model ? model : "", nullptr, output);
}

int hone_compile_bytes(hone_compiler *compiler, const void *bytes, size_t size,
                       const char *name, const char *output) {
  StringRef data(static_cast<const char *>(bytes), size);
  std::string label = name ? name : "model";
  return compiler->run(label,
                       llvm::MemoryBuffer::getMemBuffer(
                           data, label, /*RequiresNullTerminator=*/false),
                       output);
}

const char *hone_compiler_messages(const hone_compiler *compiler) {
  return compiler->messages.c_str();
}
