// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// State of one compile: options, IR context, messages, times.
#ifndef HONE_COMPILER_DRIVER_SESSION_H
#define HONE_COMPILER_DRIVER_SESSION_H

#include "compiler/Driver/Driver.h"
#include "compiler/Driver/Explanation.h"
#include "compiler/Driver/Files.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/ThreadPool.h"
#include <atomic>
#include <chrono>
#include <mutex>

namespace hone {

class Session {
public:
  Session(const CompileOptions &options, const CompileCallbacks &callbacks,
          CompileStats *stats);
  ~Session();

  mlir::MLIRContext &context() { return *mlirContext; }
  /// Ends the life of all IR, and of what it holds in memory.
  void dropContext();
  llvm::ThreadPoolInterface &pool() { return *threads; }

  void error(llvm::StringRef text);
  void note(llvm::StringRef text);
  /// Tells of an error that concerns a file, and gives `outcome` back.
  Outcome fail(llvm::Error error, Outcome outcome);

  /// Begins a phase; the last one's time is noted. False where the compile was
  /// cancelled.
  bool begin(llvm::StringRef phase, double fraction);
  bool progress(llvm::StringRef what, double fraction);
  bool isCancelled() const { return cancelled; }
  /// Makes a folder beside a file to be, of which the callbacks hear.
  llvm::Error makeFolder(TemporaryFolder &folder, const OutputPlace &place);
  /// True when finished files may be put in place.
  bool mayPublish();

  /// The imported model; null after errors.
  mlir::OwningOpRef<mlir::ModuleOp> import();
  /// The files that the imported model came from.
  llvm::ArrayRef<std::string> inputs() const { return files; }

  const CompileOptions &options;
  CompileStats &stats;

private:
  void finishPhase();

  void tell(llvm::StringRef severity, llvm::StringRef text);

  const CompileCallbacks &callbacks;
  CompileStats ownStats;
  Explanation explanation;
  std::vector<std::string> files;
  std::unique_ptr<llvm::DefaultThreadPool> threads;
  std::unique_ptr<mlir::MLIRContext> mlirContext;
  std::mutex mutex; ///< messages and progress come from any thread
  std::atomic<bool> cancelled = false;
  std::string phase;
  std::chrono::steady_clock::time_point phaseBegin;
};

/// `text` as a single line that leaves a terminal alone.
std::string printable(llvm::StringRef text);

/// IR as text, weights left out unless asked for.
std::string printIr(mlir::Operation *op, bool withWeights = false);

} // namespace hone

#endif // HONE_COMPILER_DRIVER_SESSION_H
