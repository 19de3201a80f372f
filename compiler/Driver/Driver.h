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

namespace hone {

struct CompileOptions {
  std::string input; ///< file; a name for messages where `bytes` is given
  std::shared_ptr<llvm::MemoryBuffer> bytes;
  std::string output; ///< "" or "-": text goes to standard output
  std::string emit = "so";
  std::string target = "cpu"; ///< names of compiler/Target, as in "cuda,cpu"
  std::string cpu = "native";
  std::optional<std::string> gpu; ///< none: as the target chooses
  std::string symbol = "hone_model";
  std::vector<std::pair<std::string, int64_t>> dims;
  /// As in ImportOptions.
  std::optional<std::vector<std::string>> overrides;
  int64_t threads = 0; ///< that runs are expected to have; 0: not known
  unsigned jobs = 0;   ///< threads of the compiler; 0: one per processor
  std::vector<std::string> tuned; ///< files with schedules that were measured
  /// File for a list of the schedules that could be measured for the first CPU
  /// level; empty: none.
  std::string schedules;
  bool header = false; ///< a C header beside the library
  bool reproducerWithWeights = false;
  bool explain = false; ///< keep the remarks of the passes
};

/// How a compile ended; also the exit code of the program.
enum class Outcome {
  Done = 0,
  UserError = 1,  ///< the input is at fault
  WrongUsage = 2, ///< the options are
  Internal = 70,  ///< the compiler is
  CannotWrite = 74,
  Cancelled = 130,
};

/// What a function takes of a chip.
struct DeviceFunctionStats {
  std::string name, chip;
  int64_t registers = 0, sharedBytes = 0, spillBytes = 0;
};

struct CompileStats {
  std::string explanation; ///< of what is fast and slow, where it is asked for
  std::vector<std::pair<std::string, double>> seconds; ///< by phase, in order
  int64_t kernels = 0, calls = 0, levels = 0;
  int64_t arenaBytes = -1, lowerBoundBytes = -1, weightBytes = 0, codeBytes = 0,
          outputBytes = 0;
  int64_t deviceKernels = 0, deviceCalls = 0, placeCopies = 0;
  int64_t deviceArenaBytes = -1;
  std::vector<std::string> hostKernels; ///< that the device does not run
  std::vector<DeviceFunctionStats> functions;
};

struct CompileCallbacks {
  /// One message, "error: file: node 'x' (Op): ..." and the like, without a
  /// line end.
  std::function<void(llvm::StringRef)> message;
  /// What is being done, and how much of the whole is behind. False cancels.
  std::function<bool(llvm::StringRef, double)> progress;
  /// Path of a folder that is about to be made, which the compile removes at
  /// its end: left to whoever ends the process before.
  std::function<void(llvm::StringRef)> folder;
  /// All is made and about to be put in place. False cancels; after true,
  /// ending the process could leave some of it.
  std::function<bool()> publish;
};

/// May run on any thread, and several at the same time. A fault of the compiler
/// ends the process: tools and libraries run it in another one
/// (compiler/Worker).
Outcome compile(const CompileOptions &options,
                const CompileCallbacks &callbacks,
                CompileStats *stats = nullptr);

/// Tells everything about the file that would not compile.
Outcome check(const CompileOptions &options, const CompileCallbacks &callbacks);

/// Writes the imported model beside the output, for a report of an internal
/// error. Silent; returns the path, or "".
std::string writeReproducer(const CompileOptions &options,
                            const CompileCallbacks &callbacks,
                            llvm::StringRef reason);

} // namespace hone

#endif // HONE_COMPILER_DRIVER_DRIVER_H
