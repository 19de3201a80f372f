// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Passes that make a module of upstream's dialects a model.
#ifndef HONE_COMPILER_IMPORT_MLIR_PASSES_H
#define HONE_COMPILER_IMPORT_MLIR_PASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"

namespace hone {

#define GEN_PASS_DECL
#include "compiler/Import/Mlir/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "compiler/Import/Mlir/Passes.h.inc"

/// Dialects that a module may use beside those of `registerDialects`.
void registerMlirInputDialects(mlir::DialectRegistry &registry);

/// Everything from upstream's dialects to a model, on a module whose functions
/// are those of the model: `hone-mlir-input` on command lines.
void buildMlirInputPipeline(mlir::OpPassManager &pm);

/// Passes and pipeline, for command lines.
void registerMlirInput();

} // namespace hone

#endif // HONE_COMPILER_IMPORT_MLIR_PASSES_H
