// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the driver asks of a target. README.md tells how one is added.
#ifndef HONE_COMPILER_TARGET_BACKEND_H
#define HONE_COMPILER_TARGET_BACKEND_H

#include "compiler/Pipeline/Phases.h"
#include "compiler/Target/CodeForm.h"
#include "compiler/Target/ModelInfo.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectRegistry.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"
#include <memory>

namespace hone {

class CpuBackend;

/// What the user asks of targets. Each takes what concerns it.
struct TargetOptions {
  std::string cpu = "native";     ///< CPU levels, separated by commas
  std::optional<std::string> gpu; ///< chips likewise; none: the target's choice
  int64_t threads = 0; ///< that runs are expected to have; 0: not known
  bool files = true;   ///< objects or a library are made, not text alone
};

/// Takes what the user should know before the compile.
using NoteFn = llvm::function_ref<void(llvm::StringRef)>;

/// What a function takes of a chip.
struct FunctionResources {
  std::string function, chip;
  int64_t registers = 0;   ///< of a thread
  int64_t sharedBytes = 0; ///< of a block, static
  int64_t spillBytes = 0;  ///< stored and loaded
};

/// One kernel to compile.
struct KernelJob {
  mlir::func::FuncOp kernel; ///< in the planned model, and left as it is
  size_t variant;
  CodeForm form;
  const CpuBackend &host; ///< for code that runs there
  std::string directory;  ///< for temporary files
};

/// What is told of its code.
struct KernelReport {
  int64_t scratchBytes = 0;                 ///< that a thread needs for it
  DeviceKernelInfo device;                  ///< where it is for one
  std::vector<FunctionResources> resources; ///< where an assembler tells
  std::vector<std::string> notes;           ///< for the user
};

/// A target of one compile, made out of its options. Kernels are compiled on
/// several threads at the same time, all of them with the same object.
class Backend {
public:
  virtual ~Backend() = default;

  /// Adds passes that mark kernels as this target's, to the end of the graph
  /// phase.
  virtual void addPlacement(mlir::OpPassManager &pm) const {}
  /// Whether it can run a kernel, as placement and plan have left that.
  virtual bool runs(mlir::func::FuncOp kernel) const = 0;

  /// What kernels are lowered for: an attribute of their modules. Variants of a
  /// target are machines of one kind.
  virtual mlir::NamedAttribute machine(mlir::MLIRContext *context,
                                       size_t variant) const = 0;
  /// A module of one kernel, taken up to and including `last` (linalg, buffer
  /// or llvm) for a machine; null after errors. The phases are those of
  /// `--emit`.
  mlir::OwningOpRef<mlir::ModuleOp> lower(mlir::func::FuncOp kernel, Phase last,
                                          mlir::NamedAttribute machine) const;

  /// How many times each kernel is compiled to code in this form, 0 where there
  /// is none. Its variants are numbered from 0.
  virtual size_t variants(CodeForm form) const = 0;
  /// Appends an object file, or assembly, of one kernel to `code`.
  virtual llvm::Error compile(const KernelJob &job,
                              llvm::SmallVectorImpl<char> &code,
                              KernelReport &report) const = 0;
  /// Text of all kernels of the planned model in the form that `--emit` calls
  /// by TargetInfo::form. Never called where that is "".
  virtual llvm::Expected<std::string> emitText(mlir::ModuleOp model) const;

  /// Adds what the runtime needs to know of the target to the tables of a
  /// planned model.
  virtual void describe(ModelInfo &info) const = 0;
  /// Adds what it needs to know of the code of one kernel, by its number.
  virtual void describeKernel(size_t kernel, size_t variant,
                              const KernelReport &report,
                              ModelInfo &info) const = 0;

protected:
  /// The pipelines of the buffer and llvm phases. The linalg phase is the same
  /// for all targets.
  virtual void addBufferPhase(mlir::OpPassManager &pm) const = 0;
  virtual void addLlvmPhase(mlir::OpPassManager &pm) const = 0;
};

/// A target beside the CPU, as it stands in the table of Targets.cpp.
struct TargetInfo {
  llvm::StringLiteral name; ///< for `--target`
  llvm::StringLiteral form; ///< of text that it has of its own, for `--emit`
  bool listed;              ///< in messages and in the help
  llvm::Expected<std::unique_ptr<Backend>> (*create)(
      const TargetOptions &options, NoteFn note);
  /// Dialects and translations of its code beyond those of all pipelines.
  void (*registerDialects)(mlir::DialectRegistry &registry);
  /// Passes of its own, for command lines.
  void (*registerPasses)();
};

} // namespace hone

#endif // HONE_COMPILER_TARGET_BACKEND_H
