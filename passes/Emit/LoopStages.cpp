// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Loop nests from the linalg.generic operations of a kernel.
#include "passes/Emit/LoopStages.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace hone;

namespace {
/// The scalar that a nest without inputs stores everywhere.
Value filledWith(linalg::GenericOp op) {
  if (op.getNumDpsInputs() != 0 || op.getNumDpsInits() != 1)
    return {};
  Block &body = op.getRegion().front();
  Value yielded = body.getTerminator()->getOperand(0);
  return op.getRegion().isAncestor(yielded.getParentRegion()) ? Value()
                                                              : yielded;
}

/// Nests of the operations. Fills that initialize a reduction are merged into
/// it.
LogicalResult makeStages(Emitter &e, SmallVector<linalg::GenericOp> &ops,
                         SmallVectorImpl<LoopStage> &stages) {
  DenseMap<Value, unsigned> fills; // buffer -> stage that fills it
  SmallVector<bool> absorbed;
  for (linalg::GenericOp op : ops) {
    e.loc = op.getLoc();
    FailureOr<LoopNest> nest = LoopNest::get(e, op);
    if (failed(nest))
      return failure();
    LoopStage stage{*nest, {}};
    for (unsigned i = 0, n = op.getNumDpsInits(); i < n; ++i) {
      Value buffer = op.getDpsInitOperand(i)->get();
      auto fill = fills.find(buffer);
      Value init;
      if (nest->isReduced(i) && fill != fills.end()) {
        absorbed[fill->second] = true;
        init = filledWith(ops[fill->second]);
      }
      stage.inits.push_back(init);
    }
    // A fill of memory with other users must stay.
    SmallVector<Value> touched(op->getOperands());
    op.getRegion().walk(
        [&](memref::LoadOp load) { touched.push_back(load.getMemRef()); });
    for (Value operand : touched)
      if (isa<MemRefType>(operand.getType()))
        for (auto it = fills.begin(); it != fills.end(); ++it)
          if (rootOf(it->first) == rootOf(operand))
            fills.erase(it);
    if (filledWith(op))
      fills[op.getDpsInitOperand(0)->get()] = stages.size();
    stages.push_back(std::move(stage));
    absorbed.push_back(false);
  }
  unsigned next = 0;
  llvm::erase_if(stages, [&](LoopStage &) { return absorbed[next++]; });
  next = 0;
  llvm::erase_if(ops, [&](linalg::GenericOp op) {
    if (!absorbed[next++])
      return false;
    op.erase();
    return true;
  });
  return success();
}
} // namespace

LogicalResult
hone::emitRuns(func::FuncOp kernel,
               function_ref<void(Emitter &, MutableArrayRef<LoopStage>)> emit) {
  SmallVector<linalg::GenericOp> run;
  auto emitRun = [&](Operation *before) -> LogicalResult {
    if (run.empty())
      return success();
    OpBuilder builder(before);
    Emitter e(builder, run.front().getLoc());
    SmallVector<LoopStage, 0> stages;
    if (failed(makeStages(e, run, stages)))
      return failure();
    emit(e, stages);
    for (linalg::GenericOp op : run)
      op.erase();
    run.clear();
    return success();
  };
  Block &body = kernel.getBody().front();
  for (Operation &op : llvm::make_early_inc_range(body)) {
    if (auto generic = dyn_cast<linalg::GenericOp>(op))
      run.push_back(generic);
    // Buffers and sizes do not read what loops write.
    else if (!isMemoryEffectFree(&op) && !isa<memref::AllocOp>(op))
      if (failed(emitRun(&op)))
        return failure();
  }
  return emitRun(body.getTerminator());
}

LogicalResult hone::emitNested(func::FuncOp kernel,
                               function_ref<void(Emitter &, LoopStage)> emit) {
  SmallVector<linalg::GenericOp> nested;
  kernel.walk([&](linalg::GenericOp op) {
    if (op->getParentOp() != kernel)
      nested.push_back(op);
  });
  for (linalg::GenericOp op : nested) {
    OpBuilder builder(op);
    Emitter e(builder, op.getLoc());
    FailureOr<LoopNest> nest = LoopNest::get(e, op);
    if (failed(nest))
      return failure();
    emit(e, {*nest, {}});
    op.erase();
  }
  return success();
}
