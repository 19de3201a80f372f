// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Emits the loops of all linalg.generic operations of a kernel.
#include "passes/Cpu/LoopEmission.h"
#include "passes/Cpu/Passes.h"
#include "passes/Cpu/RowGroups.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace hone {
#define GEN_PASS_DEF_VECTORIZELOOPSPASS
#include "passes/Cpu/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;

namespace {
/// The scalar that a nest without inputs writes everywhere.
Value filledWith(linalg::GenericOp op) {
  if (op.getNumDpsInputs() != 0 || op.getNumDpsInits() != 1)
    return {};
  Block &body = op.getRegion().front();
  Value yielded = body.getTerminator()->getOperand(0);
  return op.getRegion().isAncestor(yielded.getParentRegion()) ? Value()
                                                              : yielded;
}

class KernelLoops {
public:
  KernelLoops(func::FuncOp kernel, const LoopOptions &options)
      : kernel(kernel), options(options) {}

  LogicalResult run() {
    SmallVector<linalg::GenericOp> segment;
    SmallVector<linalg::GenericOp> nested;
    Block &body = kernel.getBody().front();
    for (Operation &op : llvm::make_early_inc_range(body)) {
      if (auto generic = dyn_cast<linalg::GenericOp>(op)) {
        segment.push_back(generic);
        continue;
      }
      // Buffers and sizes do not read what loops write.
      if (isMemoryEffectFree(&op) || isa<memref::AllocOp>(op))
        continue;
      if (failed(emitSegment(segment, &op)))
        return failure();
      op.walk([&](linalg::GenericOp generic) { nested.push_back(generic); });
    }
    if (failed(emitSegment(segment, body.getTerminator())))
      return failure();
    for (linalg::GenericOp generic : nested) {
      OpBuilder builder(generic);
      Emitter e(builder, generic.getLoc());
      FailureOr<LoopNest> nest = LoopNest::get(e, generic);
      if (failed(nest))
        return failure();
      emitStage(e, {*nest, {}}, options, /*parallel=*/false);
      generic.erase();
    }
    return success();
  }

private:
  /// Emits the loops of consecutive operations in front of `before`.
  LogicalResult emitSegment(SmallVector<linalg::GenericOp> &segment,
                            Operation *before) {
    if (segment.empty())
      return success();
    OpBuilder builder(before);
    Emitter e(builder, segment.front().getLoc());
    SmallVector<LoopStage, 0> stages;
    if (failed(makeStages(e, segment, stages)))
      return failure();
    MutableArrayRef<LoopStage> rest(stages);
    while (!rest.empty()) {
      size_t count = rest.size();
      std::optional<RowPlan> plan;
      for (; count > 1 && !plan; --count)
        if ((plan = planRows(rest.take_front(count))))
          break;
      e.loc = rest.front().nest.op.getLoc();
      if (plan)
        emitRows(e, rest.take_front(count), *plan, options);
      else
        emitStage(e, rest.front(), options, /*parallel=*/true);
      rest = rest.drop_front(plan ? count : 1);
    }
    for (linalg::GenericOp op : segment)
      op.erase();
    segment.clear();
    return success();
  }

  /// Nests of the operations. What only sets the start of a reduction becomes
  /// part of it.
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
      // A fill that something else touches must stay.
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

  func::FuncOp kernel;
  const LoopOptions &options;
};

struct VectorizeLoopsPass
    : hone::impl::VectorizeLoopsPassBase<VectorizeLoopsPass> {
  using Base::Base;
  void runOnOperation() override {
    func::FuncOp kernel = getOperation();
    if (kernel.isExternal())
      return;
    LoopOptions options;
    options.vectorBits = vectorBits;
    if (failed(KernelLoops(kernel, options).run()))
      signalPassFailure();
  }
};
} // namespace
