// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What shows an internal error to others: the model and the command.
#include "compiler/Driver/Reproducer.h"
#include "compiler/Driver/Files.h"
#include "compiler/Driver/Session.h"
#include "dialects/Rt/Rt.h"
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

SmallVector<std::string> hone::compileArguments(const CompileOptions &options) {
  const CompileOptions defaults;
  SmallVector<std::string> arguments;
  auto add = [&](StringRef option, const Twine &value) {
    arguments.push_back((option + "=" + value).str());
  };
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
  for (const std::string &file : options.customOperators)
    add("--custom-ops", file);
  for (const std::string &name : options.sessionOperators)
    add("--session-op", name);
  for (const std::string &plugin : options.passPlugins)
    add("--load-pass-plugin", plugin);
  for (const auto &[phase, pipeline] : options.pipelines)
    add("--pipeline-after", phase + "=" + pipeline);
  if (!options.report.empty())
    add("--report", options.report);
  if (options.header)
    arguments.push_back("--header");
  if (options.explain)
    arguments.push_back("--explain");
  return arguments;
}

SmallVector<std::string> hone::importArguments(const CompileOptions &options) {
  SmallVector<std::string> arguments;
  for (const auto &[name, size] : options.dims)
    arguments.push_back("--dim=" + name + "=" + std::to_string(size));
  for (const auto &[name, sizes] : options.shapes)
    arguments.push_back(
        "--shape=" + name + "=" +
        llvm::join(
            llvm::map_range(sizes,
                            [](int64_t size) { return std::to_string(size); }),
            ","));
  if (options.overrides && options.overrides->empty())
    arguments.push_back("--override=");
  for (const std::string &name :
       options.overrides.value_or(std::vector<std::string>()))
    arguments.push_back("--override=" + name);
  if (options.randomWeights)
    arguments.push_back("--random-weights");
  return arguments;
}

std::string hone::reproducerHead(StringRef reason, StringRef file,
                                 StringRef output,
                                 const CompileOptions &options) {
  std::string command =
      "hone compile " + quoted(file) + " -o " + quoted(output);
  for (const std::string &argument : compileArguments(options)) {
    auto [option, value] = StringRef(argument).split('=');
    command += (" " + option).str();
    if (!value.empty())
      command += "=" + quoted(value);
  }
  if (!options.reproducerWithWeights)
    command += " --random-weights";
  std::string head = "// hone " HONE_VERSION ": " + printable(reason) + "\n";
  head += "// " + printable(command) + "\n";
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
  // A module has no code of custom operators.
  if (!module || (*module)->hasAttr(rt::kCustomAttr))
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
    if (llvm::Error error = writeFile(
            file, reproducerHead(reason, output, options.output, options) +
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
