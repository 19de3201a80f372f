// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Shared by the emitters of register kernels: index arithmetic that folds,
// buffers addressed by linear offsets, and the shape of the vector unit.
#ifndef HONE_PASSES_EMIT_EMIT_H
#define HONE_PASSES_EMIT_EMIT_H

#include "dialects/Machine/Machine.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Builders.h"
#include <optional>

namespace hone {

/// A constant of `type`: `element`, or a vector of it.
mlir::Value splat(mlir::OpBuilder &builder, mlir::Location loc, mlir::Type type,
                  mlir::TypedAttr element);

/// Index arithmetic at a location; constants fold.
class Emitter {
public:
  Emitter(mlir::OpBuilder &builder, mlir::Location loc)
      : builder(builder), loc(loc) {}

  mlir::Value cst(int64_t value);
  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value add(mlir::Value a, int64_t b) { return add(a, cst(b)); }
  mlir::Value sub(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, int64_t b) { return mul(a, cst(b)); }
  /// Quotients and remainders of non-negative values.
  mlir::Value div(mlir::Value a, mlir::Value b);
  mlir::Value rem(mlir::Value a, mlir::Value b);
  mlir::Value ceilDiv(mlir::Value a, int64_t b);
  mlir::Value min(mlir::Value a, mlir::Value b);
  mlir::Value max(mlir::Value a, mlir::Value b);
  mlir::Value cmp(mlir::arith::CmpIPredicate predicate, mlir::Value a,
                  mlir::Value b);
  mlir::Value dim(mlir::Value memref, int64_t i);
  /// Splits a linear index over `sizes`, the last of which varies fastest.
  llvm::SmallVector<mlir::Value> delinearize(mlir::Value index,
                                             mlir::ValueRange sizes);

  /// A loop that carries `init`, with step 1 unless `step` is given. Loops
  /// known to run at most once are not emitted as loops.
  using LoopBody = llvm::function_ref<llvm::SmallVector<mlir::Value>(
      mlir::Value iv, mlir::ValueRange carried)>;
  llvm::SmallVector<mlir::Value> loop(mlir::Value low, mlir::Value high,
                                      int64_t step, mlir::ValueRange init,
                                      LoopBody body);
  void loop(mlir::Value low, mlir::Value high,
            llvm::function_ref<void(mlir::Value iv)> body);
  /// Both branches are emitted unless the condition is constant.
  void branch(mlir::Value condition, llvm::function_ref<void()> then,
              llvm::function_ref<void()> otherwise = nullptr);
  llvm::SmallVector<mlir::Value>
  select(mlir::Value condition, mlir::TypeRange types,
         llvm::function_ref<llvm::SmallVector<mlir::Value>()> then,
         llvm::function_ref<llvm::SmallVector<mlir::Value>()> otherwise);

  /// A zero of a scalar or vector type.
  mlir::Value zero(mlir::Type type);
  /// Converts a scalar or vector of `value`'s element type to that of `type`,
  /// which is as wide or wider.
  mlir::Value extend(mlir::Value value, mlir::Type elementType,
                     bool isUnsigned = false);
  mlir::Value splat(mlir::Type type, mlir::TypedAttr element) {
    return hone::splat(builder, loc, type, element);
  }
  /// Sum and product in the element type of the operands.
  mlir::Value sum(mlir::Value a, mlir::Value b);
  mlir::Value product(mlir::Value a, mlir::Value b);

  mlir::OpBuilder &builder;
  mlir::Location loc;
};

std::optional<int64_t> constantOf(mlir::Value value);

/// A contiguous buffer as one dimension.
struct FlatBuffer {
  mlir::Value memref;
  llvm::SmallVector<mlir::Value> sizes;   ///< Of the original buffer.
  llvm::SmallVector<mlir::Value> strides; ///< Of the original buffer.
  bool isUnsigned = false; ///< Its integers, when they are extended.

  /// A buffer without gaps, or such a one transposed.
  static FlatBuffer get(Emitter &e, mlir::Value memref);
  mlir::Type elementType() const;
  mlir::Value offset(Emitter &e, mlir::ValueRange coordinates) const;

  /// `alignment` is that of the address in bytes, if more is known than that of
  /// an element; only without a mask.
  mlir::Value load(Emitter &e, mlir::Value offset) const;
  mlir::Value load(Emitter &e, mlir::Value offset, int64_t lanes,
                   mlir::Value mask = nullptr, int64_t alignment = 0) const;
  void store(Emitter &e, mlir::Value offset, mlir::Value scalarOrVector,
             mlir::Value mask = nullptr, int64_t alignment = 0) const;
  /// Brings the line of an element, which need not exist, to the L2 cache.
  void prefetch(Emitter &e, mlir::Value offset) const;
  /// Converts what was loaded to a type that is as wide or wider.
  mlir::Value extend(Emitter &e, mlir::Value loaded, mlir::Type type) const {
    return e.extend(loaded, type, isUnsigned);
  }
};

/// A scratch buffer of static size: a small one is on the stack, a large one an
/// allocation in the entry block of the function. Each piece of a kernel is a
/// separate call, so it is private to the piece.
FlatBuffer makeScratch(Emitter &e, int64_t size, mlir::Type elementType);

/// Elements of a vector used by emitters: at most the width of a panel.
int64_t lanesOf(const CpuMachine &machine, mlir::Type type);

/// Has `emit` write the code of each operation of a kind over buffers in its
/// place; ends where that fails.
template <typename OpTy>
llvm::LogicalResult
lowerEach(mlir::Operation *kernel,
          llvm::function_ref<llvm::LogicalResult(Emitter &, OpTy)> emit) {
  llvm::SmallVector<OpTy> ops;
  kernel->walk([&](OpTy op) {
    if (llvm::isa<mlir::MemRefType>(op->getOperand(0).getType()))
      ops.push_back(op);
  });
  for (OpTy op : ops) {
    mlir::OpBuilder builder(op);
    Emitter e(builder, op.getLoc());
    if (failed(emit(e, op)))
      return llvm::failure();
    op.erase();
  }
  return llvm::success();
}

} // namespace hone

#endif // HONE_PASSES_EMIT_EMIT_H
