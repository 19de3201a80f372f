// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// All targets, and those of one compilation.
#ifndef HONE_COMPILER_TARGET_TARGETS_H
#define HONE_COMPILER_TARGET_TARGETS_H

#include "compiler/Target/Cpu/CpuBackend.h"

namespace hone {

/// Targets other than the CPU.
llvm::ArrayRef<const TargetInfo *> deviceTargets();
/// The one whose text `--emit` calls by this name; null if there is none.
const TargetInfo *targetOfForm(llvm::StringRef form);
/// Names of all targets that are listed: "cpu, cuda".
std::string targetNames();
/// A list of two, such as `--target` takes: "cuda,cpu".
std::string targetExample();
/// All that `--emit` accepts, in the order of the phases.
std::string emitNames();

/// Dialects and translations, and passes and pipelines, of all targets.
void registerTargetDialects(mlir::DialectRegistry &registry);
void registerTargetPasses();

/// The targets of one compilation: the host, which every library has code for,
/// and at most one device.
class Targets {
public:
  /// Reads a list such as "cuda,cpu".
  static llvm::Expected<Targets>
  create(llvm::StringRef list, const TargetOptions &options, NoteFn note);

  const CpuBackend &host() const { return *cpu; }
  /// All of them, the host first.
  llvm::SmallVector<const Backend *> all() const;
  /// Those that have code for a kernel, in this order: it runs on the last one
  /// that the machine has.
  llvm::SmallVector<const Backend *> of(mlir::func::FuncOp kernel) const;
  /// What the graph phase needs to know of them, which have to outlive its
  /// pipeline's construction.
  GraphOptions graphOptions(Precision precision) const;
  /// The target of this kind; null if the user did not request it.
  const Backend *find(const TargetInfo &info) const;

private:
  std::unique_ptr<CpuBackend> cpu;
  bool cpuHasAll = false; ///< all kernels, not only those that no device runs
  const TargetInfo *deviceInfo = nullptr;
  std::unique_ptr<Backend> device; ///< null if there is none
};

} // namespace hone

#endif // HONE_COMPILER_TARGET_TARGETS_H
