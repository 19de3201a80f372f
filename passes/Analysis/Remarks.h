// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Remarks on what is slower than it could be.
#ifndef HONE_PASSES_ANALYSIS_REMARKS_H
#define HONE_PASSES_ANALYSIS_REMARKS_H

#include "mlir/IR/Operation.h"

namespace hone {

/// Reports a missed remark of `pass` (its name without "hone-") on `op`: why
/// that will be slow, as a clause. The remark's "work" is the number of
/// elements that `op` accesses, times `workPerElement`; `hone compile
/// --explain` sorts by it.
void remarkSlow(mlir::Operation *op, llvm::StringLiteral pass,
                llvm::StringRef reason, int64_t workPerElement = 1);

} // namespace hone

#endif // HONE_PASSES_ANALYSIS_REMARKS_H
