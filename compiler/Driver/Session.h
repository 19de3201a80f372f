// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// State of one compilation: options, IR context, messages, times.
#ifndef HONE_COMPILER_DRIVER_SESSION_H
#define HONE_COMPILER_DRIVER_SESSION_H

#include "compiler/Driver/CustomOperators.h"
#include "compiler/Driver/Driver.h"
#include "compiler/Driver/Explanation.h"
#include "compiler/Driver/Files.h"
#include "compiler/Pipeline/UserPipelines.h"
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
  /// Ends the life of all IR, and frees its memory.
  void dropContext();
  llvm::ThreadPoolInterface &pool() { return *threads; }

  /// Loads the plugins and reads the pipelines of the options.
  llvm::Error readPipelines();
  /// The code of custom operators as an object file; empty if there are none.
  llvm::StringRef customCode() const { return customOperators.code(); }
  const UserPipelines &pipelines() const { return userPipelines; }

  void error(llvm::StringRef text);
  void note(llvm::StringRef text);
  /// Reports an error of the compiler, unless a pipeline of the user failed.
  Outcome internal(llvm::StringRef what);
  /// Reports an error about a file, and returns `outcome`.
  Outcome fail(llvm::Error error, Outcome outcome);

  /// Starts a phase and records the time of the previous one. False if the
  /// compilation was cancelled.
  bool begin(llvm::StringRef phase, double fraction);
  bool progress(llvm::StringRef what, double fraction);
  bool isCancelled() const { return cancelled; }
  /// Creates a folder beside an output file, and tells the callbacks.
  llvm::Error makeFolder(TemporaryFolder &folder, const OutputPlace &place);
  /// Whether finished files may be put in place.
  bool mayPublish();

  /// What passes had to say, if the options ask for it.
  std::vector<PassRemark> remarks() const { return explanation.remarks(); }

  /// The imported model; null after errors.
  mlir::OwningOpRef<mlir::ModuleOp> import();
  /// The files that the imported model came from.
  llvm::ArrayRef<std::string> inputs() const { return files; }

  const CompileOptions &options;
  CompileStats &stats;

private:
  void finishPhase();
  bool refuseCustom(mlir::ModuleOp module);

  void tell(llvm::StringRef severity, llvm::StringRef text);

  const CompileCallbacks &callbacks;
  CompileStats ownStats;
  Explanation explanation;
  std::vector<std::string> files;
  std::unique_ptr<llvm::DefaultThreadPool> threads;
  std::unique_ptr<mlir::MLIRContext> mlirContext;
  UserPipelines userPipelines;
  CustomOperators customOperators;
  std::mutex mutex; ///< messages and progress come from any thread
  std::atomic<bool> cancelled = false;
  std::string phase;
  std::chrono::steady_clock::time_point phaseBegin;
};

/// `text` as a single line without control characters.
std::string printable(llvm::StringRef text);

/// What is printed of IR beside its operations.
struct PrintedIr {
  bool weights = false, locations = false;
};
/// IR as text.
std::string printIr(mlir::Operation *op, PrintedIr printed = {});
/// Bytecode, with weights; empty if that fails.
std::string writeBytecode(mlir::ModuleOp module);

} // namespace hone

#endif // HONE_COMPILER_DRIVER_SESSION_H
