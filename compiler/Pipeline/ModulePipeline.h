// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Named pipelines for programs with a command line.
#ifndef HONE_COMPILER_PIPELINE_MODULEPIPELINE_H
#define HONE_COMPILER_PIPELINE_MODULEPIPELINE_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"
#include "mlir/Pass/PassRegistry.h"
#include "llvm/Support/Error.h"

namespace hone {

/// Registers a pipeline whose passes run on modules; `build` may refuse its
/// options. MLIR's own registration ends the process if the pipeline is nested
/// in another operation.
template <typename Options = mlir::EmptyPipelineOptions>
void registerModulePipeline(
    llvm::StringRef name, llvm::StringRef summary,
    std::function<llvm::Error(mlir::OpPassManager &, const Options &)> build) {
  mlir::registerPassPipeline(
      name, summary,
      [build,
       name](mlir::OpPassManager &pm, llvm::StringRef text,
             llvm::function_ref<llvm::LogicalResult(const llvm::Twine &)> error)
          -> llvm::LogicalResult {
        if (pm.getOpAnchorName() != mlir::ModuleOp::getOperationName())
          return error("'" + name +
                       "' runs on builtin.module, and cannot be "
                       "nested in " +
                       pm.getOpAnchorName());
        Options options;
        if (llvm::failed(options.parseFromString(text)))
          return llvm::failure();
        if (llvm::Error problem = build(pm, options))
          return error(llvm::toString(std::move(problem)));
        return llvm::success();
      },
      [](llvm::function_ref<void(const mlir::detail::PassOptions &)> show) {
        show(Options());
      });
}

} // namespace hone

#endif // HONE_COMPILER_PIPELINE_MODULEPIPELINE_H
