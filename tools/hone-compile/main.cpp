// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The programs behind `hone compile` and `hone check`.
#include "compiler/Driver/Driver.h"
#include "compiler/Driver/Files.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include <chrono>
#include <csignal>
#include <cstdio>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace hone;
namespace cl = llvm::cl;

static cl::OptionCategory category("Options");
static cl::SubCommand
    compileCommand("compile", "compile a model file to a shared library");
static cl::SubCommand
    checkCommand("check", "list everything in a model that would not compile");

static cl::opt<std::string> input(cl::Positional, cl::desc("MODEL"),
                                  cl::Required, cl::cat(category),
                                  cl::sub(compileCommand),
                                  cl::sub(checkCommand));
static cl::list<std::string> dims("dim", cl::desc("Fix a free dimension"),
                                  cl::value_desc("NAME=N"), cl::cat(category),
                                  cl::sub(compileCommand),
                                  cl::sub(checkCommand));
#define COMPILE_OPTION(...)                                                    \
  cl::cat(category), cl::sub(compileCommand), __VA_ARGS__
static cl::opt<std::string> output("o", COMPILE_OPTION(cl::desc("Output file"),
                                                       cl::value_desc("FILE")));
static cl::opt<std::string>
    target("target",
           COMPILE_OPTION(cl::desc("Kind of device: cpu"), cl::init("cpu")));
static cl::opt<std::string>
    cpu("cpu",
        COMPILE_OPTION(
            cl::desc("CPU levels: native, x86-64-v2, x86-64-v3, x86-64-v4, "
                     "or LLVM's names, separated by commas"),
            cl::value_desc("LEVEL,..."), cl::init("native")));
static cl::opt<std::string>
    precision("precision", COMPILE_OPTION(cl::desc("Arithmetic of floats: f32"),
                                          cl::init("f32")));
static cl::opt<int64_t>
    threads("threads",
            COMPILE_OPTION(cl::desc("Thread count that the cost model assumes"),
                           cl::init(0)));
static cl::opt<std::string>
    symbol("symbol",
           COMPILE_OPTION(cl::desc("The function that the library exports"),
                          cl::init("hone_model")));
static cl::opt<bool>
    header("header",
           COMPILE_OPTION(cl::desc("Write a C header beside the library")));
static cl::opt<bool> stats("stats",
                           COMPILE_OPTION(cl::desc("Print times and sizes")));
static cl::opt<bool>
    withWeights("reproducer-with-weights",
                COMPILE_OPTION(cl::desc(
                    "Keep weight values in the file written after an internal "
                    "error")));
static cl::opt<std::string>
    emit("emit",
         COMPILE_OPTION(
             cl::desc("Stop after a phase and print: import, graph, tile, "
                      "buffer, llvm, asm, obj, so"),
             cl::value_desc("PHASE"), cl::init("so")));

static volatile std::sig_atomic_t interrupted = 0;
static volatile pid_t worker = 0;

static bool showProgress(llvm::StringRef what, double fraction) {
  static const auto begin = std::chrono::steady_clock::now();
  static bool terminal = isatty(STDERR_FILENO);
  double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin)
          .count();
  if (terminal && seconds > 2)
    std::fprintf(stderr, "\r\033[K%3.0f %%, %.0f s left: %s", fraction * 100,
                 fraction > 0.05 ? seconds / fraction - seconds : 0,
                 what.str().c_str());
  return !interrupted;
}

static void showMessage(llvm::StringRef text) {
  static bool terminal = isatty(STDERR_FILENO);
  llvm::errs() << (terminal ? "\r\033[K" : "") << text << "\n";
}

static void showStats(const CompileStats &stats) {
  for (const auto &[phase, seconds] : stats.seconds)
    llvm::outs() << llvm::format("%-10s %8.3f s\n", phase.c_str(), seconds);
  llvm::outs() << "kernels    " << stats.kernels << " in " << stats.calls
               << " calls, " << stats.levels << " levels\n"
               << "arena      " << stats.arenaBytes << " bytes, bound "
               << stats.lowerBoundBytes << "\n"
               << "weights    " << stats.weightBytes << " bytes\ncode       "
               << stats.codeBytes << " bytes\n"
               << "library    " << stats.outputBytes << " bytes\n";
  llvm::outs().flush();
}

static int usage(const llvm::Twine &message) {
  llvm::errs() << "error: " << message << "\n";
  return static_cast<int>(Outcome::WrongUsage);
}

static int run(const CompileOptions &options, bool checkOnly) {
  CompileCallbacks callbacks{showMessage, showProgress};
  if (checkOnly)
    return static_cast<int>(check(options, callbacks));
  // Linking resets LLVM's options: what is needed afterwards is read now.
  bool wantsStats = stats;
  CompileStats found;
  Outcome outcome = compile(options, callbacks, &found);
  if (isatty(STDERR_FILENO))
    std::fputs("\r\033[K", stderr);
  if (wantsStats && outcome == Outcome::Done)
    showStats(found);
  return static_cast<int>(outcome);
}

int main(int argc, char **argv) {
  cl::HideUnrelatedOptions(category, compileCommand);
  cl::HideUnrelatedOptions(category, checkCommand);
  if (!cl::ParseCommandLineOptions(
          argc, argv, "Hone: compiles neural-network graphs\n", &llvm::errs()))
    return static_cast<int>(Outcome::WrongUsage);
  bool checkOnly = static_cast<bool>(checkCommand);
  if (!checkOnly && !compileCommand)
    return usage("say 'compile' or 'check' first");
  CompileOptions options;
  options.input = input;
  options.cpu = cpu;
  options.symbol = symbol;
  options.emit = emit;
  options.threads = threads;
  options.header = header;
  options.reproducerWithWeights = withWeights;
  options.output = output;
  if (!checkOnly && target != "cpu")
    return usage("this build compiles for --target=cpu only");
  if (!checkOnly && precision != "f32")
    return usage("this build computes in --precision=f32 only");
  for (llvm::StringRef dim : dims) {
    auto [name, size] = dim.rsplit('=');
    int64_t number = -1;
    if (name.empty() || size.getAsInteger(10, number) || number < 0)
      return usage("--dim wants NAME=N, not '" + dim + "'");
    options.dims.push_back({name.str(), number});
  }
  // The work is done in a process of its own: whatever happens there, this one
  // tells of it. Ctrl-C reaches both; a signal sent to this one alone is handed
  // on. A second Ctrl-C ends the work at once.
  std::signal(SIGINT, SIG_IGN);
  worker = fork();
  if (worker <= 0) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    std::signal(SIGINT, [](int) {
      interrupted = 1;
      std::signal(SIGINT, SIG_DFL);
    });
    std::signal(SIGTERM, [](int) { interrupted = 1; });
    return run(options, checkOnly);
  }
  for (int signal : {SIGINT, SIGTERM})
    std::signal(signal, [](int) { kill(worker, SIGTERM); });
  int status = 0;
  while (waitpid(worker, &status, 0) < 0 && errno == EINTR)
    continue;
  if (WIFEXITED(status))
    return WEXITSTATUS(status);
  if (!options.output.empty())
    removeTemporaryFolders(options.output, worker);
  if (WTERMSIG(status) == SIGINT || WTERMSIG(status) == SIGTERM)
    return static_cast<int>(Outcome::Cancelled);
  showMessage(("error: internal error: the compiler was ended by signal " +
               llvm::Twine(WTERMSIG(status)))
                  .str());
  std::string path =
      writeReproducer(options, "the compiler was ended by a signal");
  showMessage(path.empty() ? "note: please report it with the model"
                           : "note: please report it with '" + path + "'");
  return static_cast<int>(Outcome::Internal);
}
