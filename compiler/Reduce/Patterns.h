// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reductions of single operations.
#ifndef HONE_COMPILER_REDUCE_PATTERNS_H
#define HONE_COMPILER_REDUCE_PATTERNS_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Reducer/Tester.h"

namespace hone {

/// Applies the reduction patterns of all dialects that keep the failure which
/// `tester` finds.
void applyReductionPatterns(mlir::ModuleOp module, mlir::Tester &tester);

} // namespace hone

#endif // HONE_COMPILER_REDUCE_PATTERNS_H
