// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Launches for the loops of a kernel: which operations share one.
#include "passes/Gpu/LoopLaunches.h"
#include "passes/Gpu/Passes.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace hone {
#define GEN_PASS_DEF_MAPLOOPSTOGPUPASS
#include "passes/Gpu/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;

namespace {
void launchStage(Emitter &e, LoopStage stage) {
  e.loc = stage.nest.op.getLoc();
  stage.nest.collapse(e);
  if (reducedOutputs(stage.nest).empty())
    launchThreads(e, stage);
  else
    launchReduction(e, stage);
}

/// Rows of as many stages as have some in common, else a stage by itself.
void launchRun(Emitter &e, MutableArrayRef<LoopStage> rest) {
  while (!rest.empty()) {
    size_t count = rest.size();
    std::optional<RowPlan> plan;
    for (; count > 1; --count) {
      plan = planRows(rest.take_front(count));
      if (plan && wantsRows(rest.take_front(count), *plan))
        break;
      plan.reset();
    }
    e.loc = rest.front().nest.op.getLoc();
    if (plan)
      launchRows(e, rest.take_front(count), *plan);
    else
      launchStage(e, rest.front());
    rest = rest.drop_front(count);
  }
}

//===----------------------------------------------------------------------===//

/// Loops whose iterations a block divides.
using Divided = DenseMap<Operation *, int64_t>; // launch -> threads

/// Whether only whole loops inside an iteration write to memory.
bool isMadeOfLoops(scf::ForallOp forall) {
  bool loops = false, others = false;
  forall.getBody()->walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (auto generic = dyn_cast<linalg::GenericOp>(op)) {
      loops = true;
      others |= generic.getNumReductionLoops() != 0;
      return WalkResult::skip();
    }
    others |= op->getNumRegions() == 0 && hasEffect<MemoryEffects::Write>(op);
    return WalkResult::advance();
  });
  return loops && !others;
}

/// The size of the longest known loop in an iteration.
std::optional<int64_t> longestLoop(scf::ForallOp forall) {
  std::optional<int64_t> longest = 1;
  forall.getBody()->walk([&](linalg::GenericOp op) {
    int64_t size = 1;
    for (int64_t range : op.getStaticLoopRanges()) {
      if (ShapedType::isDynamic(range))
        longest = std::nullopt;
      else
        size *= range;
    }
    if (longest)
      longest = std::max(*longest, size);
  });
  return longest;
}

LogicalResult launchForall(scf::ForallOp forall, Divided &divided) {
  if (forall.getNumResults() || !forall.isNormalized())
    return forall.emitOpError("is not a loop over buffers from 0 by 1");
  OpBuilder builder(forall);
  Emitter e(builder, forall.getLoc());
  SmallVector<Value> sizes;
  Value count = e.cst(1);
  for (OpFoldResult size : forall.getMixedUpperBound()) {
    sizes.push_back(getValueOrCreateConstantIndexOp(builder, e.loc, size));
    count = e.mul(count, sizes.back());
  }
  auto moveBody = [&](Value number) {
    SmallVector<Value> place = e.delinearize(number, sizes);
    Block *block = forall.getBody();
    SmallVector<Value> ivs(forall.getInductionVars());
    block->getTerminator()->erase();
    builder.getInsertionBlock()->getOperations().splice(
        builder.getInsertionPoint(), block->getOperations());
    for (auto [iv, coordinate] : llvm::zip_equal(ivs, place))
      iv.replaceAllUsesWith(coordinate);
  };
  if (isMadeOfLoops(forall)) {
    int64_t threads = teamsForRows(longestLoop(forall), {}).threads;
    threads = std::max(threads, kWarp);
    gpu::LaunchOp launch =
        emitLaunch(e, count, threads, {},
                   [&](const ThreadPlace &place) { moveBody(place.block[0]); });
    divided[launch] = threads;
  } else {
    emitThreads(e, count, kThreads, moveBody);
  }
  forall.erase();
  return success();
}

struct MapLoopsToGpuPass
    : hone::impl::MapLoopsToGpuPassBase<MapLoopsToGpuPass> {
  using Base::Base;
  void runOnOperation() override {
    func::FuncOp kernel = getOperation();
    if (kernel.isExternal())
      return;
    if (failed(emitRuns(kernel, launchRun)))
      return signalPassFailure();
    Divided divided;
    SmallVector<scf::ForallOp> loops(
        kernel.getBody().front().getOps<scf::ForallOp>());
    for (scf::ForallOp loop : loops)
      if (failed(launchForall(loop, divided)))
        return signalPassFailure();
    auto emitInner = [&](Emitter &e, LoopStage stage) {
      auto launch = stage.nest.op->getParentOfType<gpu::LaunchOp>();
      auto threads = divided.find(launch);
      if (threads == divided.end())
        return emitInThread(e, std::move(stage));
      emitInTeam(e, std::move(stage),
                 {launch.getThreadIds().x, threads->second}, 1, {});
      emitBarrier(e);
    };
    if (failed(emitNested(kernel, emitInner)))
      signalPassFailure();
  }
};
} // namespace
