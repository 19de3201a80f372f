// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// MLIR's own options on the command line of hone compile.
#include "tools/hone-compile/MlirOptions.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Pass/PassInstrumentation.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/Timing.h"
#include "tools/hone-opt/Opt.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/raw_ostream.h"
#include <atomic>

using namespace mlir;
using namespace hone;

namespace {
/// One report for all pass managers of the process.
struct Timing {
  DefaultTimingManager manager;
  TimingScope root;
  std::atomic<uintptr_t> managers = 0;
};

/// The time of one pass manager, which owns this. A timer tells its passes
/// apart by their addresses, which those of other managers have had or will.
struct ManagerTiming : PassInstrumentation {
  explicit ManagerTiming(Timing &timing)
      : scope(
            timing.root.nest(reinterpret_cast<const void *>(++timing.managers),
                             [] { return std::string("pass managers"); })) {}
  TimingScope scope;
};
} // namespace

static std::unique_ptr<Timing> timing;

/// Weights are elided as --emit elides them, and times of all kernels are
/// added up, unless the user says otherwise.
static void addDefaults(std::vector<const char *> &words) {
  for (const char *option : {"--mlir-elide-elementsattrs-if-larger=64",
                             "--mlir-elide-resource-strings-if-larger=64",
                             "--mlir-timing-display=list"}) {
    StringRef name = StringRef(option).split('=').first;
    if (llvm::none_of(words, [&](StringRef word) {
          return word.split('=').first == name;
        }))
      words.push_back(option);
  }
}

std::optional<int> hone::takeMlirOptions(std::vector<char *> &words,
                                         CommandOptions &options) {
  std::vector<const char *> own = {"hone compile"};
  std::vector<char *> others;
  bool ended = false; // by "--"
  for (char *word : words) {
    ended |= StringRef(word) == "--";
    if (!ended && StringRef(word).starts_with("--mlir-"))
      own.push_back(word);
    else
      others.push_back(word);
  }
  if (own.size() == 1)
    return std::nullopt;
  words = std::move(others);
  addDefaults(own);

  registerOptPasses(); // before the options that name them
  registerAsmPrinterCLOptions();
  registerMLIRContextCLOptions();
  registerPassManagerCLOptions();
  registerDefaultTimingManagerCLOptions();
  std::string problem;
  llvm::raw_string_ostream messages(problem);
  if (!llvm::cl::ParseCommandLineOptions(own.size(), own.data(), "",
                                         &messages)) {
    // What is wrong with a value has been printed.
    StringRef text = StringRef(problem).rtrim();
    text.consume_front(own.front());
    text.consume_front(": ");
    llvm::errs() << "error: "
                 << (text.empty() ? "a wrong value of an option of MLIR" : text)
                 << "\nnote: 'hone-opt --help' lists the options of MLIR\n";
    return static_cast<int>(Outcome::WrongUsage);
  }
  timing = std::make_unique<Timing>();
  applyDefaultTimingManagerCLOptions(timing->manager);
  timing->root = timing->manager.getRootScope();
  options.compile.instrument = [](PassManager &pm) {
    if (failed(applyPassManagerCLOptions(pm)))
      llvm::report_fatal_error("options of MLIR that contradict each other");
    auto own = std::make_unique<ManagerTiming>(*timing);
    pm.enableTiming(own->scope);
    pm.addInstrumentation(std::move(own));
  };
  return std::nullopt;
}

void hone::finishMlirOptions() { timing.reset(); }
