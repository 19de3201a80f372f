// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The form of a model at the end of the import phase.
#ifndef HONE_COMPILER_IMPORT_MLIR_IMPORTFORM_H
#define HONE_COMPILER_IMPORT_MLIR_IMPORTFORM_H

#include "compiler/Import/Mlir/MlirImporter.h"
#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/BuiltinTypes.h"

namespace hone {

/// Whether the module is meant to be in this form: it has operations of the
/// graph.
bool hasImportForm(mlir::ModuleOp module);

/// What keeps a tensor of this type from being one of a model: its rank, or
/// sizes that are negative, which bytecode can have, or too large. Empty if
/// nothing does.
std::string describeSizes(mlir::RankedTensorType type);

/// Removes attributes that later phases set, and trust, from any operation,
/// argument or result.
void removeLaterAttributes(mlir::ModuleOp module);

/// Reports attributes of the model's arguments and results that do not have the
/// form of theirs, or contradict the types.
mlir::LogicalResult checkAttributes(mlir::func::FuncOp function);

/// Gives values to weights that are left out of text.
void fillWeights(mlir::ModuleOp module);

/// Reports what the runtime's function would trust and the call does not have:
/// its operands, results and config.
mlir::LogicalResult checkLibraryCall(graph::LibraryOp call);

/// Reports what is not in this form. Arguments and results without `hone.name`
/// and `hone.type` are called arg0, ... and result0, ..., and have the type of
/// their elements.
mlir::LogicalResult checkImportForm(mlir::ModuleOp module);

/// Makes free dimensions of the inputs static; reports names that there are
/// not, and sizes that contradict others.
mlir::LogicalResult fixSizes(mlir::ModuleOp module, const MlirSizes &sizes);

} // namespace hone

#endif // HONE_COMPILER_IMPORT_MLIR_IMPORTFORM_H
