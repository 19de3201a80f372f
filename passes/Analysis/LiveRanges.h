// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Lifetimes of the buffers of a host function, as ranges of steps.
#ifndef HONE_PASSES_ANALYSIS_LIVERANGES_H
#define HONE_PASSES_ANALYSIS_LIVERANGES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/EquivalenceClasses.h"

namespace hone {

/// From the first to the last step that accesses a buffer, both included.
struct LiveRange {
  int32_t first = -1;
  int32_t last = -1;

  bool isEmpty() const { return first < 0; }
  bool meets(const LiveRange &other) const {
    return !isEmpty() && !other.isEmpty() && first <= other.last &&
           other.first <= last;
  }
  bool operator==(const LiveRange &other) const {
    return first == other.first && last == other.last;
  }
};

/// Operations are numbered in program order; an operation with regions also has
/// a step at its end. A buffer that is allocated outside a loop and accessed
/// inside lives as long as the loop. Buffers that one value may refer to, like
/// the two that an `scf.if` yields, are one class: each of them lives while any
/// value of the class is used.
class LiveRanges {
public:
  /// Control flow has to be structured.
  explicit LiveRanges(mlir::func::FuncOp function);
  /// Fails with an error of the function where it is not.
  static mlir::LogicalResult checkStructured(mlir::func::FuncOp function);

  /// Lifetime of the buffer that `root`, an operation's result, allocates.
  LiveRange range(mlir::Value root) const;
  /// The buffers that `value` may refer to: results of operations that allocate
  /// memory.
  llvm::SmallVector<mlir::Value> roots(mlir::Value value) const;
  bool mayAlias(mlir::Value a, mlir::Value b) const {
    return leader(a) == leader(b);
  }
  /// The operations that access what `value` may refer to, once for each
  /// operand.
  llvm::ArrayRef<mlir::Operation *> users(mlir::Value value) const {
    auto found = contents.find(leader(value));
    return found == contents.end() ? llvm::ArrayRef<mlir::Operation *>()
                                   : found->second.users;
  }
  int32_t step(mlir::Operation *op) const { return steps.lookup(op).first; }
  int32_t lastStep() const { return count - 1; }

  /// From now on whatever referred to `from` refers to the memory of `to`; the
  /// buffer `from` is gone.
  void replace(mlir::Value from, mlir::Value to);

private:
  void number(mlir::Block &block);
  void connect(mlir::Operation *op);
  const void *leader(mlir::Value value) const;

  int32_t count = 0;
  llvm::DenseMap<mlir::Operation *, std::pair<int32_t, int32_t>> steps;
  llvm::EquivalenceClasses<const void *> classes;

  /// Extends the lifetime of the class's buffer by its users. More are added by
  /// each class that it replaces.
  struct Known {
    LiveRange range;
    size_t users = 0;
  };
  struct Class {
    llvm::SmallVector<mlir::Value, 2> roots;
    llvm::SmallVector<mlir::Operation *, 4> users;
    /// By the innermost loop around the allocating operation.
    llvm::SmallDenseMap<mlir::Operation *, Known, 1> known;
  };
  mutable llvm::DenseMap<const void *, Class> contents; ///< by leader
};

} // namespace hone

#endif // HONE_PASSES_ANALYSIS_LIVERANGES_H
