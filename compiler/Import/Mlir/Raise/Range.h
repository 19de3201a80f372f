// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Bounds of an index, as far as its operations show.
#ifndef HONE_COMPILER_IMPORT_MLIR_RAISE_RANGE_H
#define HONE_COMPILER_IMPORT_MLIR_RAISE_RANGE_H

#include "mlir/IR/OpDefinition.h"
#include "llvm/ADT/DenseMap.h"

namespace hone::raise {

struct NumberRange {
  int64_t low = std::numeric_limits<int64_t>::min();
  int64_t high = std::numeric_limits<int64_t>::max();
};

/// Sizes that coordinates are below.
using Limits = llvm::DenseMap<mlir::Value, mlir::OpFoldResult>;

NumberRange rangeOf(mlir::Value value, const Limits &limits, int depth = 0);

} // namespace hone::raise

#endif // HONE_COMPILER_IMPORT_MLIR_RAISE_RANGE_H
