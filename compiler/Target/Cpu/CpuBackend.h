// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The CPU, which is also the host of every library.
#ifndef HONE_COMPILER_TARGET_CPU_CPUBACKEND_H
#define HONE_COMPILER_TARGET_CPU_CPUBACKEND_H

#include "compiler/Target/Backend.h"
#include "compiler/Target/Cpu/Levels.h"
#include "llvm/IR/Module.h"

namespace hone {

/// Its variants are the CPU levels, from the least to the most demanding.
class CpuBackend final : public Backend {
public:
  static constexpr llvm::StringLiteral kName = "cpu";

  static llvm::Expected<std::unique_ptr<CpuBackend>>
  create(const TargetOptions &options);

  /// The least demanding level.
  const CpuMachine &baseline() const { return levels.front().machine; }
  /// Whether products of bf16 take less time than those of f32 at all levels.
  bool hasFastBf16() const;
  /// Whether all levels multiply bytes best in pairs that fit in 16 bits.
  bool multipliesOrderedBytes() const;

  bool runs(mlir::func::FuncOp) const override { return true; }
  mlir::NamedAttribute machine(mlir::MLIRContext *context,
                               size_t variant) const override;
  size_t variants(CodeForm) const override { return levels.size(); }
  llvm::Error compile(const KernelJob &job, llvm::SmallVectorImpl<char> &code,
                      KernelReport &report) const override;
  void describe(ModelInfo &info) const override;
  void describeKernel(size_t kernel, size_t variant, const KernelReport &report,
                      ModelInfo &info) const override;

  /// Appends code of the host function, which runs on every CPU.
  llvm::Error emitHost(llvm::Module &module, CodeForm form,
                       llvm::SmallVectorImpl<char> &out) const;
  /// Appends an object file of host code that belongs to one kernel, such as
  /// the stub that launches it on a device.
  llvm::Error emitStub(llvm::Module &module,
                       llvm::SmallVectorImpl<char> &out) const;

private:
  explicit CpuBackend(std::vector<CpuLevel> levels)
      : levels(std::move(levels)) {}

  void addBufferPhase(mlir::OpPassManager &pm) const override;
  void addLlvmPhase(mlir::OpPassManager &pm) const override;

  std::vector<CpuLevel> levels;
};

} // namespace hone

#endif // HONE_COMPILER_TARGET_CPU_CPUBACKEND_H
