// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The phases of a compilation and the pass pipelines they consist of.
#ifndef HONE_COMPILER_PIPELINE_PHASES_H
#define HONE_COMPILER_PIPELINE_PHASES_H

#include "dialects/Machine/Machine.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectRegistry.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <functional>
#include <optional>

namespace hone {

/// In order of execution; compilation can stop after each (`--emit`).
enum class Phase { Import, Graph, Linalg, Buffer, Llvm, Asm, Obj, So };

llvm::StringRef phaseName(Phase phase);
std::optional<Phase> parsePhase(llvm::StringRef name);

/// The arithmetic of products whose right-hand side is known and of f32.
enum class Precision { F32, Bf16, F16, Auto };

llvm::Expected<Precision> parsePrecision(llvm::StringRef name);
llvm::StringRef precisionName(Precision precision);

struct GraphOptions {
  /// Set on the module; none: it has one, or passes assume the default.
  std::optional<CpuMachine> machine = std::nullopt;
  Precision precision = Precision::F32;
  /// Every machine multiplies bf16 in less time than f32.
  bool fastBf16 = false;
  /// Every machine adds products of two bytes up in 16 bits.
  bool orderBytes = false;
  /// Stop before kernels are outlined.
  bool outline = true;
  /// Only CPUs run the model: weights may have layouts that no other target
  /// reads (pairs of bf16, and panels of quantized weights), and the size of
  /// what steps pass on is that of CPUs' caches.
  bool cpuLayouts = true;
  /// Adds passes that decide where kernels run, after outlining.
  std::function<void(mlir::OpPassManager &)> place = nullptr;
};

/// Adds to a pass manager what prints IR or measures time. May be empty.
using Instrument = std::function<void(mlir::PassManager &)>;

/// Runs the pipelines that `build` adds on a module, and MLIR's verifier after
/// the last pass: running it after each, as hone-opt does, takes half the time
/// of a graph of ten thousand nodes.
llvm::LogicalResult
runPhase(mlir::ModuleOp module,
         llvm::function_ref<void(mlir::OpPassManager &)> build,
         const Instrument &instrument = nullptr);

/// Every dialect that a pipeline reads or creates.
void registerDialects(mlir::DialectRegistry &registry);
/// Every pass and pipeline, for command lines. May be called again.
void registerPasses();
/// graph: `hone` functions -> host function and kernels, on the whole module.
void buildGraphPipeline(mlir::OpPassManager &pm,
                        const GraphOptions &options = {});

/// The pipelines of kernels run on modules that hold one kernel, and optimize
/// it for the machine of the module (`hone_machine.cpu`).
/// linalg: `hone` on tensors -> kernel operations, linalg, tensor.
void buildKernelLinalgPipeline(mlir::OpPassManager &pm);
/// buffer, kernels: -> memref, scf, vector.
void buildKernelBufferPipeline(mlir::OpPassManager &pm);
/// llvm, kernels: -> one llvm.func with the kernel ABI, of the kernel's name.
void buildKernelLlvmPipeline(mlir::OpPassManager &pm);

/// graph, for a GPU: marks the kernels that it can run.
void buildGpuPlacementPipeline(mlir::OpPassManager &pm);
/// buffer, kernels for a GPU: -> gpu.launch, memref, scf, vector.
void buildGpuKernelBufferPipeline(mlir::OpPassManager &pm);
/// llvm, kernels for a GPU: -> one llvm.func with the kernel ABI, which
/// launches the functions of the gpu.module beside it.
void buildGpuKernelLlvmPipeline(mlir::OpPassManager &pm);

/// buffer, host: the host function -> `hone_rt` on memrefs with an arena plan.
/// Kernels are declarations by then.
void buildHostBufferPipeline(mlir::OpPassManager &pm);
/// llvm, host: -> llvm.func @hone_prepare and @hone_run.
void buildHostLlvmPipeline(mlir::OpPassManager &pm);

} // namespace hone

#endif // HONE_COMPILER_PIPELINE_PHASES_H
