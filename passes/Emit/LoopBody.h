// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The body of a loop nest, emitted for one element or for a vector of them.
#ifndef HONE_PASSES_EMIT_LOOPBODY_H
#define HONE_PASSES_EMIT_LOOPBODY_H

#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/IRMapping.h"
#include "passes/Emit/LoopNest.h"

namespace hone {

/// Emits the body of a nest whose dimensions are fixed except for at most one.
/// Invariant values along it are emitted by the constructor.
class LoopBody {
public:
  LoopBody(Emitter &e, const LoopNest &nest);

  /// Emits the body at `iv`, for `lanes` adjacent elements (1: scalars, not
  /// vectors). Outputs that are not reduced are stored. `accumulators` holds
  /// the values of reduced outputs; their new values are returned. `overrides`
  /// are vectors to use for operands instead of loading them. With a mask the
  /// other lanes are neither loaded, nor stored, nor accumulated.
  llvm::SmallVector<mlir::Value>
  emit(mlir::Value iv, int64_t lanes, mlir::ValueRange accumulators,
       const llvm::DenseMap<unsigned, mlir::Value> *overrides = nullptr,
       mlir::Value mask = nullptr);

private:
  struct Instance;
  mlir::Value load(unsigned operand, mlir::Value iv, int64_t lanes,
                   mlir::Value mask);
  void store(unsigned output, mlir::Value iv, mlir::Value value,
             mlir::Value mask);
  mlir::Value checkDivisors(Instance &instance, graph::CheckedDivisorOp check);
  mlir::Value gather(Instance &instance, mlir::memref::LoadOp load);
  void emitBlock(Instance &instance, mlir::Block &block);
  void emitOp(Instance &instance, mlir::Operation *op);
  mlir::Value scalar(Instance &instance, mlir::Value value);
  mlir::Value vector(Instance &instance, mlir::Value value);

  Emitter &e;
  const LoopNest &nest;
  mlir::Block &block;
  mlir::IRMapping invariants;
};

} // namespace hone

#endif // HONE_PASSES_EMIT_LOOPBODY_H
