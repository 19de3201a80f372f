// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The worker behind `hone compile` and `hone check`, the C API and the Python
// package: one compilation. When run by hand, as under a debugger, no caller
// watches it.
#include "compiler/Driver/Driver.h"
#include "compiler/Import/Onnx/OnnxImporter.h"
#include "compiler/Target/Targets.h"
#include "compiler/Worker/Report.h"
#include "tools/hone-compile/Process.h"
#include "tools/hone-compile/Stats.h"
#include "tools/hone-opt/Opt.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using namespace hone;
namespace cl = llvm::cl;

static cl::OptionCategory category("Options");
static cl::SubCommand
    compileCommand("compile", "compile a model file to a shared library");
static cl::SubCommand
    checkCommand("check", "list everything in a model that would not compile");

static cl::opt<std::string> input(cl::Positional, cl::desc("MODEL"),
                                  cl::Required, cl::cat(category),
                                  cl::sub(compileCommand));
static cl::list<std::string> inputs(cl::Positional, cl::desc("MODEL..."),
                                    cl::cat(category), cl::sub(checkCommand));
static cl::opt<bool> operators("operators",
                               cl::desc("Print the supported operators"),
                               cl::cat(category), cl::sub(checkCommand));
static cl::list<std::string> dims("dim", cl::desc("Fix a free dimension"),
                                  cl::value_desc("NAME=N"), cl::cat(category),
                                  cl::sub(compileCommand),
                                  cl::sub(checkCommand));
static cl::list<std::string> overrides(
    "override",
    cl::desc("Initializers that become inputs with a default value; empty: "
             "none. Not given: small ones that the model lists as inputs"),
    cl::value_desc("NAME"), cl::cat(category), cl::sub(compileCommand),
    cl::sub(checkCommand));
#define COMPILE_OPTION(...)                                                    \
  cl::cat(category), cl::sub(compileCommand), __VA_ARGS__
static cl::opt<std::string>
    output("o",
           COMPILE_OPTION(
               cl::desc("Output file; FILE.a is an archive to link statically"),
               cl::value_desc("FILE")));
static const std::string targetHelp =
    "Where the model runs: " + targetNames() +
    ", or a device with the CPU as fallback, as in " + targetExample();
static cl::opt<std::string>
    target("target", COMPILE_OPTION(cl::desc(targetHelp),
                                    cl::value_desc("DEVICE"), cl::init("cpu")));
static cl::opt<std::string>
    gpu("gpu",
        COMPILE_OPTION(cl::desc("GPUs to include machine code for; newer ones "
                                "get PTX"),
                       cl::value_desc("CHIP,...")));
static cl::opt<std::string>
    cpu("cpu",
        COMPILE_OPTION(
            cl::desc("CPU levels: native, x86-64-v2, x86-64-v3, x86-64-v4, "
                     "or LLVM's names, separated by commas"),
            cl::value_desc("LEVEL,..."), cl::init("native")));
static cl::opt<std::string> precision(
    "precision",
    COMPILE_OPTION(cl::desc("Type of f32 weights in products: f32, bf16, f16, "
                            "or auto: for each the one that is faster at all "
                            "CPU levels and loses little; sums are f32"),
                   cl::value_desc("TYPE"), cl::init("f32")));
static cl::opt<int64_t>
    threads("threads",
            COMPILE_OPTION(cl::desc("Threads that runs will use; 0: unknown"),
                           cl::init(0)));
static cl::opt<unsigned>
    jobs("jobs", COMPILE_OPTION(cl::desc("Threads of the compiler; 0: one per "
                                         "processor"),
                                cl::init(0)));
static cl::list<std::string> tuned(
    "tuned",
    COMPILE_OPTION(cl::desc("Schedules found by hone tune; if several files "
                            "have one for a kernel, the best wins"),
                   cl::value_desc("FILE")));
static cl::opt<std::string>
    symbol("symbol",
           COMPILE_OPTION(cl::desc("The function that the library exports"),
                          cl::init("hone_model")));
static cl::opt<bool>
    header("header",
           COMPILE_OPTION(cl::desc("Write a C header beside the library")));
static cl::opt<bool> stats("stats",
                           COMPILE_OPTION(cl::desc("Print times and sizes")));
static cl::opt<bool> explain(
    "explain",
    COMPILE_OPTION(cl::desc("Print what is slower than it could be, and why")));
static cl::opt<bool>
    withWeights("reproducer-with-weights",
                COMPILE_OPTION(cl::desc(
                    "Keep weight values in the file written after an internal "
                    "error")));
static const std::string emitHelp =
    "Stop after a phase and print: " + emitNames();
static cl::opt<std::string> emit("emit", COMPILE_OPTION(cl::desc(emitHelp),
                                                        cl::value_desc("PHASE"),
                                                        cl::init("so")));

// Options that a caller's process adds (compiler/Worker).
static cl::opt<bool> reporting("worker-report", cl::Hidden,
                               cl::desc("Report to the process that listens"),
                               cl::cat(category), cl::sub(compileCommand),
                               cl::sub(checkCommand));
static cl::opt<bool> givenModel("worker-model", cl::Hidden,
                                cl::desc("The model is open"),
                                cl::cat(category), cl::sub(compileCommand),
                                cl::sub(checkCommand));
static cl::opt<std::string> reproducer(
    "worker-reproducer",
    COMPILE_OPTION(cl::Hidden, cl::desc("Write a reproducer of this error")));

static cl::opt<std::string>
    schedules("worker-schedules",
              COMPILE_OPTION(cl::Hidden,
                             cl::desc("Write a list of schedules to measure")));

static int usage(const llvm::Twine &message) {
  llvm::errs() << "error: " << message << "\n";
  return static_cast<int>(Outcome::WrongUsage);
}

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

/// Checks one model after another; returns the gravest outcome.
static Outcome checkAll(CompileOptions options) {
  CompileCallbacks callbacks = makeCallbacks();
  if (operators) {
    onnx::printOperators(llvm::outs());
    return flush(Outcome::Done, callbacks);
  }
  Outcome gravest = Outcome::Done;
  for (const std::string &model : inputs) {
    options.input = model;
    nameFiles(options);
    gravest = std::max(gravest, check(options, callbacks));
  }
  return gravest;
}

static Outcome run(const CompileOptions &options) {
  CompileCallbacks callbacks = makeCallbacks();
  if (!reproducer.empty()) {
    std::string path = writeReproducer(options, callbacks, reproducer);
    if (path.empty())
      return Outcome::Internal;
    callbacks.message("note: please report it with '" + path + "'" +
                      (withWeights ? "" : "; it holds no weight values"));
    return Outcome::Done;
  }
  // Linking resets LLVM's options: read what is needed afterwards now.
  bool wantsStats = stats;
  CompileStats found;
  Outcome outcome = compile(options, callbacks, &found);
  if (wantsStats && outcome == Outcome::Done)
    showStats(found);
  if (options.explain && outcome == Outcome::Done)
    llvm::outs() << found.explanation;
  return flush(outcome, callbacks);
}

int main(int argc, char **argv) {
  if (llvm::sys::path::filename(argv[0]) == "hone-opt")
    return optMain(argc, argv);
  cl::HideUnrelatedOptions(category, compileCommand);
  cl::HideUnrelatedOptions(category, checkCommand);
  // Before a command is named: hides the options of the libraries.
  cl::HideUnrelatedOptions(category);
  if (!cl::ParseCommandLineOptions(
          argc, argv, "Hone: compiles neural-network graphs\n", &llvm::errs()))
    return static_cast<int>(Outcome::WrongUsage);
  bool checkOnly = static_cast<bool>(checkCommand);
  if (!checkOnly && !compileCommand)
    return usage("say 'compile' or 'check' first");
  CompileOptions options;
  if (checkOnly && inputs.empty() && !operators)
    return usage("hone check wants MODEL...");
  if (checkOnly && operators && !inputs.empty())
    return usage("--operators takes no MODEL");
  options.input = checkOnly ? inputs.empty() ? "" : inputs.front() : input;
  options.target = target;
  options.cpu = cpu;
  if (gpu.getNumOccurrences() > 0)
    options.gpu = gpu;
  options.precision = precision;
  options.symbol = symbol;
  options.emit = emit;
  options.threads = threads;
  options.jobs = jobs;
  options.header = header;
  options.reproducerWithWeights = withWeights;
  options.explain = explain;
  options.tuned = tuned;
  options.schedules = schedules;
  options.output = output;
  if (threads < 0)
    return usage("--threads wants a number from 0");
  for (llvm::StringRef dim : dims) {
    auto [name, size] = dim.rsplit('=');
    int64_t number = -1;
    if (name.empty() || size.getAsInteger(10, number) || number < 0)
      return usage("--dim wants NAME=N, not '" + dim + "'");
    options.dims.push_back({name.str(), number});
  }
  if (overrides.getNumOccurrences() > 0) {
    options.overrides.emplace();
    for (const std::string &name : overrides)
      if (!name.empty())
        options.overrides->push_back(name);
  }
  beginProcess(options, reporting);
  if (givenModel) {
    auto bytes = llvm::MemoryBuffer::getOpenFile(
        llvm::sys::fs::convertFDToNativeFile(kModelFile), options.input,
        /*FileSize=*/-1, /*RequiresNullTerminator=*/false);
    if (!bytes)
      return usage("the model that was passed cannot be read: " +
                   bytes.getError().message());
    options.bytes = std::move(*bytes);
  }
  return endProcess(checkOnly ? checkAll(std::move(options)) : run(options));
}
