// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Emits the loops of all linalg.generic operations of a kernel.
#include "passes/Cpu/LoopEmission.h"
#include "passes/Cpu/Passes.h"
#include "passes/Emit/RowGroups.h"

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
/// Emits the stages in one scf.forall over the rows.
void emitRows(Emitter &e, MutableArrayRef<LoopStage> stages,
              const RowPlan &plan, const CpuMachine &machine) {
  SmallVector<RowTemporary, 0> temporaries = rowTemporaries(stages, plan);
  // The last one is read by the last stage, if any is.
  bool isReplaced = false;
  for (const RowTemporary &temporary : llvm::reverse(temporaries)) {
    memref::AllocOp alloc = temporary.alloc;
    if (!isReplaced && (isReplaced = temporary.replaceByResult(stages)))
      continue;
    auto type =
        MemRefType::get(temporary.shape, alloc.getType().getElementType());
    temporary.replace(e, stages,
                      memref::AllocOp::create(e.builder, e.loc, type,
                                              temporary.dynamicSizes,
                                              alloc.getAlignmentAttr()));
  }
  parallelLoop(e, plan.extents, [&](ValueRange ivs) {
    for (auto [s, stage] : llvm::enumerate(stages)) {
      LoopStage row = stage;
      fixRow(e, row.nest, plan.rowDims[s], ivs);
      emitStage(e, std::move(row), machine, /*parallel=*/false);
    }
  });
}

/// Rows of as many stages as have some in common, otherwise single stages.
void emitRun(Emitter &e, MutableArrayRef<LoopStage> rest,
             const CpuMachine &machine) {
  while (!rest.empty()) {
    size_t count = rest.size();
    std::optional<RowPlan> plan;
    for (; count > 1 && !plan; --count)
      if ((plan = planRows(rest.take_front(count))))
        break;
    e.loc = rest.front().nest.op.getLoc();
    if (plan)
      emitRows(e, rest.take_front(count), *plan, machine);
    else
      emitStage(e, rest.front(), machine, /*parallel=*/true);
    rest = rest.drop_front(plan ? count : 1);
  }
}

struct VectorizeLoopsPass
    : hone::impl::VectorizeLoopsPassBase<VectorizeLoopsPass> {
  using Base::Base;
  void runOnOperation() override {
    func::FuncOp kernel = getOperation();
    if (kernel.isExternal())
      return;
    const CpuMachine &machine = CpuMachine::of(kernel);
    auto emitTop = [&](Emitter &e, MutableArrayRef<LoopStage> stages) {
      emitRun(e, stages, machine);
    };
    auto emitInner = [&](Emitter &e, LoopStage stage) {
      emitStage(e, std::move(stage), machine, /*parallel=*/false);
    };
    if (failed(emitRuns(kernel, emitTop)) ||
        failed(emitNested(kernel, emitInner)))
      return signalPassFailure();
    // Temporaries of which only rows are left would still take memory.
    for (Operation &op :
         llvm::make_early_inc_range(llvm::reverse(kernel.front())))
      if (isOpTriviallyDead(&op))
        op.erase();
  }
};
} // namespace
