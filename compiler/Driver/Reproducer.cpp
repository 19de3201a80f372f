// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What shows an internal error to others: the model and the command.
#include "compiler/Driver/Files.h"
#include "compiler/Driver/Session.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/TargetParser/Host.h"

using namespace mlir;
using namespace hone;

/// As a shell reads it as one word.
static std::string quoted(StringRef word) {
  auto isPlain = [](char c) {
    return llvm::isAlnum(c) || StringRef("_-./,=:+%@").contains(c);
  };
  if (!word.empty() && llvm::all_of(word, isPlain))
    return word.str();
  std::string text = "'";
  for (char c : word)
    text += c == '\'' ? "'\\''" : std::string(1, c);
  return text + "'";
}

/// The command that fails on a file with the imported model, whose sizes are
/// those that the options give.
static std::string commandFor(StringRef file, const CompileOptions &options) {
  const CompileOptions defaults;
  std::string command = "hone compile " + quoted(file);
  auto add = [&](StringRef option, const Twine &value) {
    command += (" " + option + "=" + quoted(value.str())).str();
  };
  auto addFlag = [&](StringRef option, bool given) {
    if (given)
      command += (" " + option).str();
  };
  add("--output", options.output);
  if (options.emit != defaults.emit)
    add("--emit", options.emit);
  if (!options.kernel.empty())
    add("--kernel", options.kernel);
  if (options.target != defaults.target)
    add("--target", options.target);
  if (options.cpu != defaults.cpu)
    add("--cpu", options.cpu);
  if (options.gpu)
    add("--gpu", *options.gpu);
  if (options.precision != defaults.precision)
    add("--precision", options.precision);
  if (options.threads)
    add("--threads", Twine(options.threads));
  if (options.symbol != defaults.symbol)
    add("--symbol", options.symbol);
  for (const std::string &tuned : options.tuned)
    add("--tuned", tuned);
  for (const std::string &plugin : options.passPlugins)
    add("--load-pass-plugin", plugin);
  for (const auto &[phase, pipeline] : options.pipelines)
    add("--pipeline-after", phase + "=" + pipeline);
  if (!options.report.empty())
    add("--report", options.report);
  addFlag("--header", options.header);
  addFlag("--explain", options.explain);
  addFlag("--random-weights", !options.reproducerWithWeights);
  return command;
}

static std::string headOf(StringRef reason, StringRef file,
                          const CompileOptions &options) {
  std::string head = "// hone " HONE_VERSION ": " + printable(reason) + "\n";
  head += "// " + printable(commandFor(file, options)) + "\n";
  if (StringRef(options.cpu).contains("native"))
    head += ("// native: " + llvm::sys::getHostCPUName() + "\n").str();
  return head;
}

std::string hone::writeReproducer(const CompileOptions &options,
                                  const CompileCallbacks &callbacks,
                                  StringRef reason) {
  if (options.output.empty() || options.output == "-")
    return "";
  // The failed compilation has changed its IR: the model is imported again,
  // silently.
  CompileCallbacks silent;
  silent.folder = callbacks.folder;
  silent.publish = callbacks.publish;
  CompileOptions own = options;
  own.instrument = nullptr;
  Session session(own, silent, nullptr);
  OwningOpRef<ModuleOp> module = session.import();
  if (!module)
    return "";
  std::string output = options.output + ".reproducer.mlir";
  llvm::Expected<OutputPlace> place = findPlace(output, session.inputs());
  TemporaryFolder folder;
  auto write = [&]() -> llvm::Error {
    if (!place)
      return place.takeError();
    if (llvm::Error error = session.makeFolder(folder, *place))
      return error;
    std::string file = folder.file("text");
    PrintedIr printed;
    printed.weights = options.reproducerWithWeights;
    printed.locations = true;
    if (llvm::Error error = writeFile(file, headOf(reason, output, options) +
                                                printIr(*module, printed)))
      return error;
    return publish(file, *place);
  };
  if (!session.mayPublish())
    return "";
  if (llvm::Error error = write()) {
    llvm::consumeError(std::move(error));
    return "";
  }
  return place->path;
}
