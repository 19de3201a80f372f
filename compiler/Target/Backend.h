// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The driver's interface to a target. README.md says how to add one.
#ifndef HONE_COMPILER_TARGET_BACKEND_H
#define HONE_COMPILER_TARGET_BACKEND_H

#include "compiler/Pipeline/UserPipelines.h"
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

/// The user's options for targets. Each uses those that concern it.
struct TargetOptions {
  std::string cpu = "native";     ///< CPU levels, separated by commas
  std::optional<std::string> gpu; ///< chips likewise; none: the target's choice
  int64_t threads = 0;            ///< that runs are expected to use; 0: unknown
  Precision precision = Precision::F32;
  bool files = true; ///< objects or a library are made, not text alone
  Instrument instrument = nullptr; ///< of the pass managers that lower kernels
  const UserPipelines *pipelines = nullptr; ///< as in Backend::setHooks
};

/// Receives what the user should know before the compilation.
using NoteFn = llvm::function_ref<void(llvm::StringRef)>;

/// What a function uses of a chip.
struct FunctionResources {
  std::string function, chip;
  int64_t registers = 0;   ///< of a thread
  int64_t sharedBytes = 0; ///< of a block, static
  int64_t spillBytes = 0;  ///< stored and loaded
};

/// One kernel to compile.
struct KernelJob {
  mlir::func::FuncOp kernel; ///< in the planned model; not modified
  size_t variant;
  CodeForm form;
  const CpuBackend &host; ///< for code that runs there
  std::string directory;  ///< for temporary files
};

/// Facts about its code.
struct KernelReport {
  int64_t scratchBytes = 0;                 ///< per thread
  std::string arithmetic;                   ///< as in hone_level
  mlir::ArrayAttr schedules;                ///< null if there is none
  DeviceKernelInfo device;                  ///< where it is for one
  std::vector<FunctionResources> resources; ///< if an assembler reports it
  std::vector<std::string> notes;           ///< for the user
};

/// A target of one compilation, made from its options. Kernels are compiled on
/// several threads concurrently, all with the same object.
class Backend {
public:
  virtual ~Backend() = default;

  /// Takes what else `lower` does: the instrument, and pipelines of the user
  /// after phases, which must outlive the target. Called once, before anything
  /// is compiled.
  void setHooks(const TargetOptions &options) {
    instrument = options.instrument;
    pipelines = options.pipelines;
  }

  /// Adds passes that mark this target's kernels to the end of the graph phase.
  virtual void addPlacement(mlir::OpPassManager &pm) const {}
  /// Whether it can run a kernel, after placement and planning.
  virtual bool runs(mlir::func::FuncOp kernel) const = 0;

  /// What kernels are lowered for: an attribute of their modules. The variants
  /// of a target have machines of one kind.
  virtual mlir::NamedAttribute machine(mlir::MLIRContext *context,
                                       size_t variant) const = 0;
  /// A module of one kernel, before its phases.
  static mlir::OwningOpRef<mlir::ModuleOp>
  isolate(mlir::func::FuncOp kernel, mlir::NamedAttribute machine);
  /// A module of one kernel, taken up to and including `last` (linalg, buffer
  /// or llvm) for a machine; null after errors. The phases are those of
  /// `--emit`.
  mlir::OwningOpRef<mlir::ModuleOp> lower(mlir::func::FuncOp kernel, Phase last,
                                          mlir::NamedAttribute machine) const;

  /// The number of variants of each kernel in this form of code, 0 if there is
  /// none. Variants are numbered from 0.
  virtual size_t variants(CodeForm form) const = 0;
  /// Appends an object file, or assembly, of one kernel to `code`.
  virtual llvm::Error compile(const KernelJob &job,
                              llvm::SmallVectorImpl<char> &code,
                              KernelReport &report) const = 0;
  /// Text of all kernels of the planned model in the form that `--emit` calls
  /// TargetInfo::form. Never called if that is "".
  virtual llvm::Expected<std::string> emitText(mlir::ModuleOp model) const;

  /// Adds what the runtime needs to know about the target to the tables of a
  /// planned model.
  virtual void describe(ModelInfo &info) const = 0;
  /// Adds what it needs to know about the code of one kernel, by its number.
  virtual void describeKernel(size_t kernel, size_t variant,
                              const KernelReport &report,
                              ModelInfo &info) const = 0;

protected:
  /// The pipelines of the buffer and llvm phases. The linalg phase is the same
  /// for all targets.
  virtual void addBufferPhase(mlir::OpPassManager &pm) const = 0;
  virtual void addLlvmPhase(mlir::OpPassManager &pm) const = 0;

private:
  void addPhase(mlir::OpPassManager &pm, Phase phase) const;
  bool hasPipelines(Phase phase) const {
    return pipelines && pipelines->runsAfter(phase);
  }

  const UserPipelines *pipelines = nullptr;
  Instrument instrument;
};

/// A target other than the CPU, as listed in Targets.cpp.
struct TargetInfo {
  llvm::StringLiteral name; ///< for `--target`
  llvm::StringLiteral form; ///< its own textual form, for `--emit`
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
