// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A linalg.generic on buffers as loops over linear addresses: each operand has
// a base and one stride per loop, so that loops can be merged, fixed and
// reordered by arithmetic alone.
#ifndef HONE_PASSES_EMIT_LOOPNEST_H
#define HONE_PASSES_EMIT_LOOPNEST_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "passes/Emit/Emit.h"
#include "llvm/ADT/SmallPtrSet.h"

namespace hone {

struct NestDim {
  mlir::Value extent;
  bool reduction = false;
  /// The operation's loops represented by one here: one, or several merged
  /// ones.
  llvm::SmallVector<unsigned, 2> loops;
};

struct NestAccess {
  mlir::Value source; ///< The operand: a memref or a scalar.
  mlir::Value flat;   ///< One-dimensional view; null for a scalar.
  mlir::Value base;   ///< Linear index of the first element.
  llvm::SmallVector<mlir::Value> strides; ///< One per dimension.
  /// The dimension of the memref that each dimension of the nest walks, or -1.
  llvm::SmallVector<std::pair<int, int>> memDims;
  bool plain = false; ///< The memref is contiguous and row-major.
  int64_t repeat = 1; ///< Adjacent elements that get the same value.

  bool isScalar() const { return !flat; }
  mlir::Type elementType() const;
  /// Adjacent elements: a vector if there are several.
  mlir::Value load(Emitter &e, mlir::Value offset, int64_t lanes,
                   mlir::Value mask) const;
  /// A scalar, or a vector of adjacent elements.
  void store(Emitter &e, mlir::Value offset, mlir::Value value,
             mlir::Value mask) const;
};

class LoopNest {
public:
  /// Emits the nest's sizes and strides. Dimensions of size 1 are dropped.
  static mlir::FailureOr<LoopNest> get(Emitter &e, mlir::linalg::GenericOp op);

  unsigned numInputs() const { return op.getNumDpsInputs(); }
  /// Fixes dimension `dim` to `iv`.
  void fix(Emitter &e, unsigned dim, mlir::Value iv);
  /// Merges adjacent dimensions that every operand walks as one.
  void collapse(Emitter &e);
  /// Drops the last dimension if it only stores the same value a few times, to
  /// adjacent elements.
  void foldRepeats(Emitter &e);
  /// Whether the body uses coordinates along `dim`.
  bool usesIndex(unsigned dim) const;
  /// Whether the operand's address changes along `dim`.
  bool walks(unsigned operand, unsigned dim) const;
  std::optional<int64_t> stride(unsigned operand, unsigned dim) const;
  std::optional<int64_t> extent(unsigned dim) const;
  /// Whether the output is accumulated over reduction loops.
  bool isReduced(unsigned output) const;
  /// Whether a condition follows from what is assumed.
  bool holds(mlir::Value condition) const;
  /// All loops of the original operation are fixed.
  mlir::Value linearIndex(Emitter &e, unsigned operand) const {
    return accesses[operand].base;
  }
  NestAccess &output(unsigned i) { return accesses[numInputs() + i]; }
  const NestAccess &output(unsigned i) const {
    return accesses[numInputs() + i];
  }
  /// Redirects an access to another buffer, which has dimensions `kept` of the
  /// old one, in order.
  void replaceBuffer(Emitter &e, unsigned operand, mlir::Value memref,
                     llvm::ArrayRef<int> kept);

  mutable mlir::linalg::GenericOp op; ///< Its accessors are not const.
  llvm::SmallVector<NestDim> dims;
  llvm::SmallVector<NestAccess> accesses;
  /// Coordinates of the operation's fixed loops.
  llvm::SmallVector<mlir::Value> indices;
  /// Comparisons of the body that hold wherever it runs.
  llvm::SmallPtrSet<mlir::Operation *, 4> assumed;

private:
  bool mergeable(unsigned outer) const;
};

/// The buffer behind views.
mlir::Value rootOf(mlir::Value memref);

/// A view of a whole buffer as one dimension.
mlir::Value flatView(Emitter &e, mlir::Value memref);

/// Offset and strides of a memref as values.
void getLayout(Emitter &e, mlir::Value memref, mlir::Value &offset,
               llvm::SmallVectorImpl<mlir::Value> &strides);

} // namespace hone

#endif // HONE_PASSES_EMIT_LOOPNEST_H
