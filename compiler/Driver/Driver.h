// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From a model file to an artefact: what the command line, the C API and the
// Python package share.
#ifndef HONE_COMPILER_DRIVER_DRIVER_H
#define HONE_COMPILER_DRIVER_DRIVER_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/MemoryBuffer.h"
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mlir {
class PassManager;
} // namespace mlir

namespace hone {

struct CompileOptions {
  std::string input; ///< file; a name for messages if `bytes` is given
  std::shared_ptr<llvm::MemoryBuffer> bytes;
  std::string output; ///< "" or "-": text goes to standard output
  std::string emit = "so";
  std::string target = "cpu"; ///< names of compiler/Target, as in "cuda,cpu"
  std::string cpu = "native";
  std::optional<std::string> gpu; ///< none: the target's default
  std::string precision = "f32";  ///< as parsePrecision reads it
  std::string symbol = "hone_model";
  std::vector<std::pair<std::string, int64_t>> dims;
  /// All sizes of inputs, by name.
  std::vector<std::pair<std::string, std::vector<int64_t>>> shapes;
  /// As in ImportOptions.
  std::optional<std::vector<std::string>> overrides;
  int64_t threads = 0; ///< that runs are expected to use; 0: unknown
  unsigned jobs = 0;   ///< threads of the compiler; 0: one per processor
  std::vector<std::string> tuned; ///< files with measured schedules
  /// Object files and archives with custom operators (hone/custom.h).
  std::vector<std::string> customOperators;
  /// "DOMAIN:NAME" of others, which sessions are given.
  std::vector<std::string> sessionOperators;
  std::vector<std::string> passPlugins; ///< libraries with passes
  /// A phase, and a pipeline that runs after it, as in UserPipelines.
  std::vector<std::pair<std::string, std::string>> pipelines;
  /// File for a list of the schedules that could be measured for the first CPU
  /// level; empty: none.
  std::string schedules;
  /// File for a page that describes what was made; empty: none.
  std::string report;
  /// The only kernel that `emit` prints; empty: the host and all kernels.
  std::string kernel;
  /// Folder for the IR after each phase; empty: none.
  std::string dumpPhases;
  /// Adds to every pass manager what prints IR or measures time. Called from
  /// several threads.
  std::function<void(mlir::PassManager &)> instrument;
  bool header = false; ///< a C header beside the library
  bool reproducerWithWeights = false;
  /// Weights that the text of a module leaves out get arbitrary values.
  bool randomWeights = false;
  /// Nothing else runs in this process, and its limits may change.
  bool ownProcess = false;
  bool explain = false; ///< keep the remarks of the passes
};

/// The outcome of a compilation; also the exit code of the program.
enum class Outcome {
  Done = 0,
  UserError = 1,  ///< the input is invalid
  WrongUsage = 2, ///< the options are invalid
  Internal = 70,  ///< a bug in the compiler
  CannotWrite = 74,
  Cancelled = 130,
};

/// What a function uses of a chip.
struct DeviceFunctionStats {
  std::string name, chip;
  int64_t registers = 0, sharedBytes = 0, spillBytes = 0;
};

struct CompileStats {
  std::string explanation; ///< of what is fast and slow, on request
  std::vector<std::pair<std::string, double>> seconds; ///< by phase, in order
  int64_t kernels = 0, calls = 0, levels = 0;
  int64_t arenaBytes = -1, lowerBoundBytes = -1, weightBytes = 0, codeBytes = 0,
          outputBytes = 0;
  /// Of one run, a step in a loop counting once: what it computes, and reads
  /// and writes. -1: that depends on free dimensions.
  int64_t flop = -1, movedBytes = -1;
  int64_t deviceKernels = 0, deviceCalls = 0, placeCopies = 0;
  int64_t deviceArenaBytes = -1;
  std::vector<std::string> hostKernels; ///< that the device does not run
  std::vector<DeviceFunctionStats> functions;
  /// What the kernels of each CPU level compute with: its name, and a summary.
  std::vector<std::pair<std::string, std::string>> arithmetic;
};

struct CompileCallbacks {
  /// One message, "error: file: node 'x' (Op): ..." and the like, without a
  /// line end.
  std::function<void(llvm::StringRef)> message;
  /// The current activity, and the fraction of the whole that is done. False
  /// cancels.
  std::function<bool(llvm::StringRef, double)> progress;
  /// Path of a folder that is about to be created, and is removed at the end:
  /// for whoever ends the process earlier. There may be several.
  std::function<void(llvm::StringRef)> folder;
  /// Everything is done and about to be put in place. False cancels; after
  /// true, ending the process could leave some of it.
  std::function<bool()> publish;
};

/// May run on any thread, concurrently. A crash of the compiler ends the
/// process: tools and libraries run it in a separate one (compiler/Worker).
Outcome compile(const CompileOptions &options,
                const CompileCallbacks &callbacks,
                CompileStats *stats = nullptr);

/// Reports everything about the file that would not compile.
Outcome check(const CompileOptions &options, const CompileCallbacks &callbacks);

/// Plans the compilation, which tells sizes and work, and generates no code.
Outcome estimate(const CompileOptions &options,
                 const CompileCallbacks &callbacks, CompileStats &stats);

/// Writes the imported model beside the output, for a report of an internal
/// error. Silent; returns the path, or "".
std::string writeReproducer(const CompileOptions &options,
                            const CompileCallbacks &callbacks,
                            llvm::StringRef reason);

} // namespace hone

#endif // HONE_COMPILER_DRIVER_DRIVER_H
