// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Types of tensors, which sizes are known before a run, and the sizes of
// buffers in bytes.
#ifndef HONE_PASSES_ANALYSIS_SIZES_H
#define HONE_PASSES_ANALYSIS_SIZES_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/DenseMap.h"
#include <optional>

namespace hone {

inline mlir::RankedTensorType tensorType(mlir::Value value) {
  return llvm::cast<mlir::RankedTensorType>(value.getType());
}

/// Whether a tensor that is broadcast to `rank` dimensions varies along `dim`
/// at most.
bool isPerChannel(mlir::RankedTensorType type, int64_t rank, int64_t dim);

class SizeAnalysis {
public:
  /// True if `value` is arithmetic over constants and free dimensions only.
  bool followsFromFreeDims(mlir::Value value);

private:
  llvm::DenseMap<mlir::Value, bool> known;
};

/// Bits of one element in memory: strings are a pointer and a length, an index
/// has 64 bits.
int64_t elementBits(mlir::Type type);

/// Bytes of a buffer of static shape; none if the shape is dynamic or the size
/// overflows.
std::optional<int64_t> staticBytes(mlir::MemRefType type);

} // namespace hone

#endif // HONE_PASSES_ANALYSIS_SIZES_H
