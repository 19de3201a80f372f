// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// hone-run: runs, times and describes compiled models.
#include "tools/command-line/CommandLine.h"
#include "tools/command-line/Commands.h"
#include "tools/hone-run/Model.h"

#include <csignal>
#include <cstdio>
#include <new>
#include <unistd.h>

using namespace hone::run;
using hone::CommandLine;

namespace {

void onInterrupt(int) {
  removeUnfinished();
  _exit(130);
}

void addLibrary(CommandLine &line, Options &options) {
  line.addModel(options.model, "the compiled model");
  line.addSymbol(options.symbol,
                 "the symbol of the model (default: the one exported)");
}

void addInputs(CommandLine &line, Options &options) {
  CLI::App &app = line.app();
  line.addThreads(options.threads, 1,
                  "threads to use (default: one per processor)");
  app.add_option("--device", options.device,
                 "for models with device code: a number, or 'cpu'")
      ->option_text("DEVICE");
  app.add_option("--input", options.inputs,
                 "NAME=FILE: .npy, .npz or ONNX's .pb, several for a "
                 "sequence; or a .npz file or a folder with the inputs' "
                 "names, or a folder with input_N.pb")
      ->option_text("FILE ...");
  line.addSizes(options.sizes, " of random inputs");
  app.add_flag("--random", options.random,
               "generate the inputs that are not given: reals from -1 to 1, "
               "integers and booleans of 0 and 1");
  line.addList("--range", options.ranges,
               "generate this input, integers including HIGH; NAME=NUMBER: "
               "all of it is that number")
      ->option_text("NAME=LOW..HIGH");
  app.add_option("--seed", options.seed, "of --random")->option_text("N");
}

/// Parses the command line and executes the command.
int execute(CommandLine &line, int argc, char **argv, const Options &options,
            int (*command)(const Options &)) {
  if (std::optional<int> code = line.parse(argc, argv))
    return *code;
  try {
    int code = command(options);
    flushOutput();
    return code;
  } catch (const Failure &failure) {
    fflush(stdout); // what was printed before comes before
    fprintf(stderr, "error: %s\n", shown(failure.message).c_str());
    return failure.code;
  } catch (const std::bad_alloc &) {
    fprintf(stderr, "error: out of memory\n");
    return 1;
  }
}

int runCommand(int argc, char **argv) {
  Options options;
  CommandLine line("run", "Runs a compiled model once.");
  CLI::App &app = line.app();
  addLibrary(line, options);
  addInputs(line, options);
  app.add_option("--output-dir", options.outputDir,
                 "folder for NAME.npy of each output")
      ->option_text("FOLDER");
  app.add_flag("--print", options.print,
               "print the outputs; of large ones the first and last elements");
  CLI::Option *expect =
      line.addList("--expect", options.expect,
                   "compare outputs with NAME=FILE, as of --input; or with a "
                   ".npz file or a folder with the outputs' names, or a folder "
                   "with output_N.pb")
          ->option_text("FILE");
  app.add_option("--rtol", options.rtol,
                 "how far floats may be from --expect, relative to it "
                 "(default: 0.001; 0.02 for floats under 32 bits)")
      ->option_text("X")
      ->check(CLI::NonNegativeNumber)
      ->needs(expect);
  app.add_option("--atol", options.atol,
                 "how far they may be from it in addition (default: 0.00001; "
                 "0.002 for floats under 32 bits; 0 for integers)")
      ->option_text("X")
      ->check(CLI::NonNegativeNumber)
      ->needs(expect);
  return execute(line, argc, argv, options, runModel);
}

int benchCommand(int argc, char **argv) {
  Options options;
  CommandLine line("bench", "Times a compiled model.");
  CLI::App &app = line.app();
  addLibrary(line, options);
  addInputs(line, options);
  CLI::Option *seconds =
      app.add_option("--seconds", options.seconds, "how long to measure")
          ->option_text("S")
          ->check(CLI::Range(0.0, 86400.0))
          ->capture_default_str();
  app.add_option("--runs", options.runs,
                 "how many runs to measure, in each stream, instead")
      ->option_text("N")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 40))
      ->excludes(seconds);
  app.add_option("--warmup", options.warmup,
                 "runs before these (default: a tenth of the time, at most "
                 "0.2 s)")
      ->option_text("N")
      ->check(CLI::Range(int64_t(0), int64_t(1) << 40));
  CLI::Option *streams =
      app.add_option("--streams", options.streams,
                     "sessions of the model that run at once, each with "
                     "--threads (default: all processors, divided among them)")
          ->option_text("N")
          ->check(CLI::Range(1, 1024));
  line.addJson(options.json);
  CLI::Option *profile =
      app.add_flag("--profile", options.profile,
                   "show where the time goes, which takes as many seconds "
                   "again")
          ->excludes(streams);
  app.add_option("--compare", options.compare,
                 "another model with the same inputs, to run in turn; says how "
                 "the times compare, and whether that is noise")
      ->option_text("MODEL")
      ->excludes(streams)
      ->excludes(profile);
  app.add_option("--trace", options.trace,
                 "with --profile: a file with each thread's activity in a few "
                 "runs, for Perfetto or Chrome")
      ->option_text("FILE")
      ->needs(profile);
  app.add_option("--report", options.report,
                 "with --profile: the page of hone compile --report, which "
                 "gets the times")
      ->option_text("FILE.html")
      ->needs(profile);
  return execute(line, argc, argv, options, benchModel);
}

int infoCommand(int argc, char **argv) {
  Options options;
  CommandLine line("info", "Describes a compiled model.");
  addLibrary(line, options);
  line.addJson(options.json);
  line.app().add_flag("--kernels", options.kernels,
                      "also list the kernels with their arithmetic and nodes");
  line.app().add_flag("--verify", options.verify,
                      "also read the weights and check them");
  return execute(line, argc, argv, options, showInfo);
}

} // namespace

int main(int argc, char **argv) {
  signal(SIGINT, onInterrupt);
  // A write beyond a limit fails instead.
  signal(SIGXFSZ, SIG_IGN);
  return hone::runCommand(
      {{"run", runCommand}, {"bench", benchCommand}, {"info", infoCommand}},
      argc, argv);
}
