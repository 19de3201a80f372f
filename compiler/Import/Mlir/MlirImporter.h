// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A model as MLIR text, in the form at the end of the import phase.
#ifndef HONE_COMPILER_IMPORT_MLIR_MLIRIMPORTER_H
#define HONE_COMPILER_IMPORT_MLIR_MLIRIMPORTER_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace hone {

/// Reads the file, and adds its path to `files`. Anything not in the form of
/// `hone compile --emit=import` is rejected through the diagnostics of the
/// context; the result is then null. Arguments and results without `hone.name`
/// and `hone.type` are called arg0, ... and result0, ..., and have the type of
/// their elements.
mlir::OwningOpRef<mlir::ModuleOp> importMlir(mlir::MLIRContext &context,
                                             llvm::StringRef path,
                                             std::vector<std::string> &files);

} // namespace hone

#endif // HONE_COMPILER_IMPORT_MLIR_MLIRIMPORTER_H
