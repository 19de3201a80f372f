// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How the values of a nest's body change along one of its dimensions, and the
// cost of vectorizing it.
#ifndef HONE_PASSES_EMIT_LOOPMOTION_H
#define HONE_PASSES_EMIT_LOOPMOTION_H

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "passes/Emit/LoopNest.h"

namespace hone {

/// Along a loop a value is invariant, counts up by one, or varies.
enum class Motion { Invariant, Linear, Varying };

/// Classifies the values of a body along one dimension of a nest.
class MotionAnalysis {
public:
  /// `dim` is -1 if no dimension is left.
  MotionAnalysis(const LoopNest &nest, int dim) : nest(nest), dim(dim) {}

  Motion of(mlir::Value value);
  bool invariant(mlir::Value value) { return of(value) == Motion::Invariant; }
  /// A load that is contiguous along the dimension.
  bool isContiguous(mlir::memref::LoadOp load);

private:
  Motion compute(mlir::Value value);

  const LoopNest &nest;
  int dim;
  llvm::DenseMap<mlir::Value, Motion> motions;
};

/// The cost of vectorizing a dimension of a nest.
struct VectorCost {
  bool possible = false;
  int strided = 0;    ///< Operands that are read element by element.
  int gathered = 0;   ///< Loads of the body at computed indices that are.
  int math = 0;       ///< Calls of math functions.
  int ops = 0;        ///< Operations on vectors.
  unsigned width = 8; ///< Bits of the widest element.
  /// Lanes past the end can be computed like others, if they are neither read
  /// nor written: nothing fails or takes longer in them.
  bool maskable = true;
};

/// `dim` is one of the nest's dimensions.
VectorCost vectorCost(const LoopNest &nest, unsigned dim);

/// The best dimension to vectorize, or -1.
int chooseVectorDim(const LoopNest &nest);

/// Comparisons of linear with invariant values along `dim` on which branches of
/// the body depend: in the range where all of them hold there are no branches,
/// or only uniform ones. Empty if others remain.
llvm::SmallVector<mlir::arith::CmpIOp> rangeConditions(const LoopNest &nest,
                                                       unsigned dim);

/// The range along `dim` where the comparisons hold, from 0 on; other
/// dimensions whose coordinates they use are fixed.
std::pair<mlir::Value, mlir::Value>
rangeOf(Emitter &e, const LoopNest &nest, unsigned dim,
        llvm::ArrayRef<mlir::arith::CmpIOp> conditions);

/// A parallel dimension other than `vectorDim` along which much of the vector
/// computation is invariant, as sampling positions are across channels;
/// otherwise -1.
int chooseRepeatedDim(const LoopNest &nest, unsigned vectorDim);

} // namespace hone

#endif // HONE_PASSES_EMIT_LOOPMOTION_H
