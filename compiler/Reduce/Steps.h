// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Ways to make the function of an imported model smaller. What they make may
// not be a model.
#ifndef HONE_COMPILER_REDUCE_STEPS_H
#define HONE_COMPILER_REDUCE_STEPS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace hone::reduce {

/// Operations of the body that compute tensors, in order: those that a step can
/// cut out.
llvm::SmallVector<mlir::Operation *> operationsOf(mlir::func::FuncOp function);

/// Returns the tensors of an operation, by its number among those, instead of
/// the results.
void returnAt(mlir::func::FuncOp function, size_t number);

/// Returns one of the results.
void returnOnly(mlir::func::FuncOp function, size_t result);

/// Makes inputs of what operations compute, from `begin` to before `end`.
void cutOut(mlir::func::FuncOp function, size_t begin, size_t end);

/// Removes operations without results, which check sizes. False if there are
/// none.
bool dropChecks(mlir::func::FuncOp function);

/// Removes inputs that nothing reads. False if there are none.
bool dropInputs(mlir::func::FuncOp function);

/// Removes what no result depends on.
void dropDead(mlir::func::FuncOp function);

} // namespace hone::reduce

#endif // HONE_COMPILER_REDUCE_STEPS_H
