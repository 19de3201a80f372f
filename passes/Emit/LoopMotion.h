// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How the values of a nest's body move along one of its dimensions, and what
// making vectors along it would mean.
#ifndef HONE_PASSES_EMIT_LOOPMOTION_H
#define HONE_PASSES_EMIT_LOOPMOTION_H

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "passes/Emit/LoopNest.h"

namespace hone {

/// Along a loop a value stays the same, counts up by one, or varies.
enum class Motion { Invariant, Counting, Varying };

/// Decides how values of a body move along one dimension of a nest.
class MotionAnalysis {
public:
  /// `dim` is -1 where no dimension is left.
  MotionAnalysis(const LoopNest &nest, int dim) : nest(nest), dim(dim) {}

  Motion of(mlir::Value value);
  bool invariant(mlir::Value value) { return of(value) == Motion::Invariant; }
  /// A load whose elements lie beside each other along the dimension.
  bool isContiguous(mlir::memref::LoadOp load);

private:
  Motion compute(mlir::Value value);

  const LoopNest &nest;
  int dim;
  llvm::DenseMap<mlir::Value, Motion> motions;
};

/// What making vectors along a dimension of a nest would mean.
struct VectorCost {
  bool possible = false;
  int strided = 0;    ///< Operands that are read element by element.
  int gathered = 0;   ///< Loads of the body that are, at places it computes.
  int math = 0;       ///< Calls of math functions.
  int ops = 0;        ///< Operations on vectors.
  unsigned width = 8; ///< Bits of the widest element.
};

/// `dim` is one of the nest's dimensions.
VectorCost vectorCost(const LoopNest &nest, unsigned dim);

/// The dimension that vectors are best made along, or -1.
int chooseVectorDim(const LoopNest &nest);

/// Comparisons of what counts up along `dim` with what stays the same, on which
/// branches of the body depend: in the range where all of them hold there are
/// none, or such that all elements take alike. Empty where others are left.
llvm::SmallVector<mlir::arith::CmpIOp> rangeConditions(const LoopNest &nest,
                                                       unsigned dim);

/// The range along `dim` where the comparisons hold, from 0 on; other
/// dimensions of which they ask for coordinates are fixed.
std::pair<mlir::Value, mlir::Value>
rangeOf(Emitter &e, const LoopNest &nest, unsigned dim,
        llvm::ArrayRef<mlir::arith::CmpIOp> conditions);

/// A parallel dimension besides `vectorDim` along which much of what vectors
/// compute stays the same, as the places of samples do from channel to channel;
/// else -1.
int chooseRepeatedDim(const LoopNest &nest, unsigned vectorDim);

} // namespace hone

#endif // HONE_PASSES_EMIT_LOOPMOTION_H
