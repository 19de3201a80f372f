// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// hone-tune: measures which schedules of a model's kernels are fast here.
#include "tools/command-line/CommandLine.h"
#include "tools/command-line/Commands.h"
#include "tools/hone-run/Files.h"
#include "tools/hone-tune/Tune.h"
#include "tools/hone/Beside.h"
#include "tools/hone/Signals.h"
#include "tools/hone/Terminal.h"

#include <filesystem>
#include <new>

using hone::run::Failure;

/// Parses the command line; the exit code, unless there is work to do.
static std::optional<int> parse(int argc, char **argv,
                                hone::tune::Options &options) {
  hone::CommandLine line(
      "tune", "Measures which schedules of a model's kernels are fast on this "
              "machine, for 'hone compile --tuned'.");
  CLI::App &app = line.app();
  line.addModel(options.model,
                "the model: an ONNX file, or MLIR (.mlir, .mlirbc)");
  CLI::Option *output = line.addOutput(
      options.output, "the tuning file; an existing one is extended (default: "
                      "MODEL.tuned.json in the working folder)");
  app.add_option("--budget", options.budget, "seconds to spend, approximately")
      ->option_text("S")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str();
  line.addSizes(options.sizes, " to measure with");
  line.addThreads(options.threads, 1,
                  "threads of the runs, as in 'hone compile --threads' "
                  "(default: one per processor, which compilations are not "
                  "told)");
  line.addCpu(options.cpu, "the CPU level, which this machine must have");
  line.addPrecision(options.precision);
  line.addJson(options.json);
  // Requested by users who tune for a GPU.
  for (const char *other : {"--target", "--gpu", "--device"})
    app.add_option(other)->group("")->check([](const std::string &) {
      return std::string("schedules are those of CPUs; 'hone tune' measures "
                         "nothing else");
    });
  app.callback([&] {
    if (options.cpu.find(',') != std::string::npos)
      hone::failUsage("--cpu: one level is measured at a time");
  });
  if (std::optional<int> code = line.parse(argc, argv))
    return code;
  if (!output->count())
    options.output = hone::defaultOutput(options.model, ".tuned.json");
  return std::nullopt;
}

static int runTune(int argc, char **argv) {
  hone::tune::Options options;
  if (std::optional<int> code = parse(argc, argv, options))
    return *code;
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
      hone::showMessage("error: " + failure.message);
    return failure.code;
  } catch (const std::bad_alloc &) {
    hone::showMessage("error: out of memory");
    return 1;
  } catch (const std::filesystem::filesystem_error &error) {
    hone::showMessage(std::string("error: ") + error.what());
    return 74;
  }
}

int main(int argc, char **argv) {
  return hone::runCommand({{"tune", runTune}}, argc, argv);
}
