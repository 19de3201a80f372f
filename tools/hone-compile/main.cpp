// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The worker behind `hone compile`, `check`, `inspect` and `reduce`, the C API
// and the Python package: one compilation. When run by hand, as under a
// debugger, no caller watches it.
#include "compiler/Driver/Driver.h"
#include "compiler/Import/Onnx/OnnxImporter.h"
#include "compiler/Reduce/Reducer.h"
#include "compiler/Worker/Report.h"
#include "tools/command-line/Commands.h"
#include "tools/hone-compile/Inspect.h"
#include "tools/hone-compile/MlirOptions.h"
#include "tools/hone-compile/Options.h"
#include "tools/hone-compile/Process.h"
#include "tools/hone-compile/Stats.h"
#include "tools/hone-opt/Opt.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using namespace hone;

/// Writes what was printed; returns the outcome if that fails.
static Outcome flush(Outcome outcome, const CompileCallbacks &callbacks) {
  llvm::outs().flush();
  std::error_code error = llvm::outs().error();
  if (!error)
    return outcome;
  llvm::outs().clear_error();
  // A reader that has seen enough is not an error.
  if (error != std::errc::broken_pipe)
    callbacks.message("error: standard output: " + error.message());
  return Outcome::CannotWrite;
}

/// Begins the process, and opens the model that a calling process passed.
static std::optional<Outcome> begin(CommandOptions &options) {
  beginProcess(options.compile, options.reporting);
  options.compile.ownProcess = true;
  if (!options.givenModel)
    return std::nullopt;
  auto bytes = llvm::MemoryBuffer::getOpenFile(
      llvm::sys::fs::convertFDToNativeFile(kModelFile), options.compile.input,
      /*FileSize=*/-1, /*RequiresNullTerminator=*/false);
  if (bytes) {
    options.compile.bytes = std::move(*bytes);
    return std::nullopt;
  }
  llvm::errs() << "error: the model that was passed cannot be read: "
               << bytes.getError().message() << "\n";
  return Outcome::WrongUsage;
}

static Outcome writeReproducer(const CommandOptions &options,
                               const CompileCallbacks &callbacks) {
  std::string path =
      writeReproducer(options.compile, callbacks, options.reproducer);
  if (path.empty())
    return Outcome::Internal;
  callbacks.message("note: please report it with '" + path + "'" +
                    (options.compile.reproducerWithWeights
                         ? ""
                         : "; it holds no weight values"));
  return Outcome::Done;
}

static Outcome compile(CommandOptions &options,
                       const CompileCallbacks &callbacks) {
  if (!options.reproducer.empty())
    return writeReproducer(options, callbacks);
  CompileStats stats;
  Outcome outcome = compile(options.compile, callbacks, &stats);
  finishMlirOptions();
  if (options.stats && outcome == Outcome::Done)
    showStats(stats);
  if (options.compile.explain && outcome == Outcome::Done)
    llvm::outs() << stats.explanation;
  outcome = flush(outcome, callbacks);
  bool isFile = options.compile.emit == "so" || options.compile.emit == "obj";
  if (outcome == Outcome::Done && isFile && !options.stats && !options.quiet) {
    showSummary(options.compile.output, stats);
    // The library is there, whether anybody can read this or not.
    llvm::outs().clear_error();
  }
  return outcome;
}

/// Checks one model after another; returns the gravest outcome.
static Outcome check(CommandOptions &options,
                     const CompileCallbacks &callbacks) {
  if (options.operators) {
    onnx::printOperators(llvm::outs());
    return flush(Outcome::Done, callbacks);
  }
  Outcome gravest = Outcome::Done;
  llvm::json::Array reports;
  for (const std::string &model : options.models) {
    options.compile.input = model;
    nameFiles(options.compile);
    Outcome outcome;
    if (options.json) {
      Estimate estimate = estimateModel(options.compile, callbacks);
      outcome = estimate.outcome;
      reports.push_back(estimate.json(model));
    } else {
      outcome = check(options.compile, callbacks);
    }
    gravest = std::max(gravest, outcome);
  }
  if (!options.json)
    return gravest;
  printJson(llvm::json::Object{{"models", std::move(reports)}});
  return std::max(gravest, flush(Outcome::Done, callbacks));
}

static Outcome inspect(CommandOptions &options,
                       const CompileCallbacks &callbacks) {
  return flush(inspectModel(options.compile, callbacks, options.json),
               callbacks);
}

static Outcome reduce(CommandOptions &options,
                      const CompileCallbacks &callbacks) {
  Failure failure{options.test, "", unsigned(options.timeout)};
  ReduceStats stats;
  Outcome outcome =
      reduceModel(options.compile, std::move(failure), callbacks, stats);
  if (outcome == Outcome::Done)
    llvm::outs() << options.compile.output << ": " << stats.after
                 << " operations of " << stats.before << ", after "
                 << stats.tests << " variants\n";
  return flush(outcome, callbacks);
}

/// Parses the command line and executes the command; returns the exit code.
static int run(int argc, char **argv,
               std::optional<int> (*parse)(int, char **, CommandOptions &),
               Outcome (*execute)(CommandOptions &, const CompileCallbacks &)) {
  CommandOptions options;
  if (std::optional<int> code = parse(argc, argv, options))
    return *code;
  std::optional<Outcome> failed = begin(options);
  return endProcess(failed ? *failed : execute(options, makeCallbacks()));
}

int main(int argc, char **argv) {
  if (llvm::sys::path::filename(argv[0]) == "hone-opt")
    return optMain(argc, argv);
  if (argc > 1 && argv[1] == kTestCommand)
    return testForFailure(std::vector<std::string>(argv + 2, argv + argc));
  return runCommand({{"compile",
                      [](int count, char **words) {
                        return run(count, words, parseCompile, compile);
                      }},
                     {"check",
                      [](int count, char **words) {
                        return run(count, words, parseCheck, check);
                      }},
                     {"reduce",
                      [](int count, char **words) {
                        return run(count, words, parseReduce, reduce);
                      }},
                     {"inspect",
                      [](int count, char **words) {
                        return run(count, words, parseInspect, inspect);
                      }}},
                    argc, argv);
}
