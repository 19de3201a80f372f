// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// hone-tune: measures which schedules of a model's kernels are fast here.
#include "tools/hone-run/Files.h"
#include "tools/hone-tune/Tune.h"
#include "tools/hone/Beside.h"
#include "tools/hone/Signals.h"
#include "tools/hone/Terminal.h"

#include <CLI/CLI.hpp>
#include <filesystem>
#include <new>

using hone::run::Failure;

int main(int argc, char **argv) {
  hone::tune::Options options;
  CLI::App app{"Measures which schedules of a model's kernels are fast on this "
               "machine, for 'hone compile --tuned'",
               "hone"};
  app.require_subcommand(1);
  CLI::App *tune = app.add_subcommand(
      "tune", "measure which schedules are fast on this machine");
  tune->add_option("MODEL", options.model, "the model file")->required();
  tune->add_option("-o", options.output,
                   "the tuning file; an existing one is extended")
      ->required();
  tune->add_option("--budget", options.budget,
                   "seconds to spend, approximately")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str();
  tune->add_option("--dim", options.dims,
                   "NAME=N: the size of a free dimension to measure with")
      ->allow_extra_args(false);
  tune->add_option(
          "--threads", options.threads,
          "threads of the runs, as in 'hone compile --threads' "
          "(default: one per processor, which compilations are not told)")
      ->check(CLI::Range(1, 1024));
  tune->add_option("--cpu", options.cpu,
                   "the CPU level, which this machine must have")
      ->capture_default_str();
  tune->add_option("--precision", options.precision,
                   "arithmetic of products, as in 'hone compile --precision'")
      ->capture_default_str();
  tune->add_flag("--json", options.json, "print one JSON object");
  // Requested by users who tune for a GPU.
  for (const char *other : {"--target", "--gpu", "--device"})
    tune->add_option(other)->group("")->check([](const std::string &) {
      return std::string("schedules are those of CPUs; 'hone tune' measures "
                         "nothing else");
    });
  try {
    app.parse(argc, argv);
    if (options.cpu.find(',') != std::string::npos)
      throw CLI::ValidationError("--cpu", "one level is measured at a time");
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  char compiler[PATH_MAX];
  if (!hone::findBeside("hone-compile", compiler))
    return 70;
  options.compiler = compiler;
  hone::catchSignals();
  try {
    int code = hone::tune::tune(options);
    hone::run::flushOutput();
    return code;
  } catch (const Failure &failure) {
    hone::endProgress();
    if (!failure.message.empty())
      hone::showMessage("hone: " + failure.message);
    return failure.code;
  } catch (const std::bad_alloc &) {
    hone::showMessage("hone: out of memory");
    return 1;
  } catch (const std::filesystem::filesystem_error &error) {
    hone::showMessage(std::string("hone: ") + error.what());
    return 74;
  }
}
