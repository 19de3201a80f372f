// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// hone-run: runs, times and describes compiled models.
#include "tools/hone-run/Model.h"

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <new>
#include <unistd.h>

using namespace hone::run;

namespace {

void onInterrupt(int) {
  removeUnfinished();
  _exit(130);
}

CLI::App *addCommand(CLI::App &app, Options &options, const char *name,
                     const char *help) {
  CLI::App *command = app.add_subcommand(name, help);
  command->add_option("MODEL", options.model, "the compiled model, OUT.so")
      ->required();
  command->add_option("--symbol", options.symbol,
                      "the symbol of the model (default: the one exported)");
  return command;
}

void addInputs(CLI::App *command, Options &options) {
  command
      ->add_option("--threads", options.threads,
                   "threads to use (default: one per processor)")
      ->check(CLI::Range(1, 1024));
  command->add_option("--device", options.device,
                      "for models with device code: a number, or 'cpu'");
  command->add_option("--input", options.inputs,
                      "NAME=FILE: .npy, .npz or ONNX's .pb, several for a "
                      "sequence; or a .npz file or a folder with the inputs' "
                      "names, or a folder with input_N.pb");
  command->add_option("--dim", options.dims,
                      "NAME=N: a free dimension of random inputs");
  command->add_flag("--random", options.random,
                    "generate the inputs that are not given: reals from -1 "
                    "to 1, integers and booleans of 0 and 1");
  command
      ->add_option("--range", options.ranges,
                   "NAME=LOW..HIGH, or NAME=NUMBER: generate this input, "
                   "integers including HIGH")
      ->allow_extra_args(false);
  command->add_option("--seed", options.seed, "of --random");
}

} // namespace

int main(int argc, char **argv) {
  signal(SIGINT, onInterrupt);
  Options options;
  CLI::App app{"Runs models that hone compiled", "hone"};
  app.require_subcommand(1);
  app.set_version_flag("--version", "hone " HONE_VERSION);

  CLI::App *run = addCommand(app, options, "run", "run a model once");
  addInputs(run, options);
  run->add_option("--output-dir", options.outputDir,
                  "folder for NAME.npy of each output");
  run->add_flag("--print", options.print,
                "print the outputs; of large ones the first and last elements");
  CLI::Option *expect =
      run->add_option("--expect", options.expect,
                      "compare outputs with NAME=FILE, as of --input; or with "
                      "a .npz file "
                      "or a folder with the outputs' names, or a folder with "
                      "output_N.pb")
          ->allow_extra_args(false);
  run->add_option("--rtol", options.rtol,
                  "how far floats may be from --expect, relative to it "
                  "(default: 0.001; 0.02 for floats under 32 bits)")
      ->check(CLI::NonNegativeNumber)
      ->needs(expect);
  run->add_option("--atol", options.atol,
                  "how far they may be from it in addition (default: 0.00001; "
                  "0.002 for floats under 32 bits; 0 for integers)")
      ->check(CLI::NonNegativeNumber)
      ->needs(expect);

  CLI::App *bench = addCommand(app, options, "bench", "time a model");
  addInputs(bench, options);
  CLI::Option *seconds =
      bench->add_option("--seconds", options.seconds, "how long to measure")
          ->check(CLI::Range(0.0, 86400.0))
          ->capture_default_str();
  bench
      ->add_option("--runs", options.runs,
                   "how many runs to measure, in each stream, instead")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 40))
      ->excludes(seconds);
  bench
      ->add_option("--warmup", options.warmup,
                   "runs before these (default: a tenth of the time, at most "
                   "0.2 s)")
      ->check(CLI::Range(int64_t(0), int64_t(1) << 40));
  CLI::Option *streams =
      bench
          ->add_option("--streams", options.streams,
                       "sessions of the model that run at once, each with "
                       "--threads (default: all processors, divided among "
                       "them)")
          ->check(CLI::Range(1, 1024));
  bench->add_flag("--json", options.json, "print one JSON object");
  CLI::Option *profile = bench->add_flag(
      "--profile", options.profile,
      "show where the time goes, which takes as many seconds again");
  profile->excludes(streams);
  bench
      ->add_option("--compare", options.compare,
                   "another model with the same inputs, to run in turn; says "
                   "how the times compare, and whether that is noise")
      ->excludes(streams)
      ->excludes(profile);
  bench
      ->add_option(
          "--trace", options.trace,
          "with --profile: a file with each thread's activity in a few "
          "runs, for Perfetto or Chrome")
      ->needs(profile);

  CLI::App *info = addCommand(app, options, "info", "describe a model");
  info->add_flag("--json", options.json, "print one JSON object");
  info->add_flag("--kernels", options.kernels,
                 "also list the kernels with their arithmetic and nodes");
  info->add_flag("--verify", options.verify,
                 "also read the weights and check them");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  try {
    int code = run->parsed()     ? runModel(options)
               : bench->parsed() ? benchModel(options)
                                 : showInfo(options);
    flushOutput();
    return code;
  } catch (const Failure &failure) {
    fflush(stdout); // what was printed before comes before
    fprintf(stderr, "hone: %s\n", shown(failure.message).c_str());
    return failure.code;
  } catch (const std::bad_alloc &) {
    fprintf(stderr, "hone: out of memory\n");
    return 1;
  }
}
