// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Launches for the loops of a kernel: which operations share one.
#include "passes/Gpu/Loops/LoopLaunches.h"
#include "passes/Gpu/Passes.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "passes/Machine/GpuTuning.h"

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
  if (!reducedOutputs(stage.nest).empty())
    launchReduction(e, stage);
  else if (!launchTransposed(e, stage))
    launchThreads(e, stage);
}

/// Rows of as many stages as have some in common, otherwise single stages.
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

/// Whether an iteration consists of steps that many threads divide.
bool hasSteps(scf::ForallOp forall) {
  return forall.getBody()
      ->walk([](scf::ForallOp) { return WalkResult::interrupt(); })
      .wasInterrupted();
}

/// The size of the longest step of an iteration, if all are known.
std::optional<int64_t> longestStep(scf::ForallOp forall) {
  std::optional<int64_t> longest = 1;
  forall.getBody()->walk([&](scf::ForallOp step) {
    int64_t size = 1;
    for (OpFoldResult bound : step.getMixedUpperBound()) {
      std::optional<int64_t> known = getConstantIntValue(bound);
      if (!known)
        longest = std::nullopt;
      size *= known.value_or(1);
    }
    if (longest)
      longest = std::max(*longest, size);
  });
  return longest;
}

SmallVector<Value> sizesOf(Emitter &e, scf::ForallOp forall) {
  SmallVector<Value> sizes;
  for (OpFoldResult size : forall.getMixedUpperBound())
    sizes.push_back(getValueOrCreateConstantIndexOp(e.builder, e.loc, size));
  return sizes;
}

Value productOf(Emitter &e, ValueRange sizes) {
  Value count = e.cst(1);
  for (Value size : sizes)
    count = e.mul(count, size);
  return count;
}

/// Moves the body to the insertion point, for iteration `number`.
void moveBody(Emitter &e, scf::ForallOp forall, Value number,
              ValueRange sizes) {
  SmallVector<Value> place = e.delinearize(number, sizes);
  Block *block = forall.getBody();
  SmallVector<Value> ivs(forall.getInductionVars());
  block->getTerminator()->erase();
  e.builder.getInsertionBlock()->getOperations().splice(
      e.builder.getInsertionPoint(), block->getOperations());
  for (auto [iv, coordinate] : llvm::zip_equal(ivs, place))
    iv.replaceAllUsesWith(coordinate);
}

/// Lets the threads of a block divide a step, with a barrier at its end.
void divideStep(scf::ForallOp step, Value thread, int64_t threads) {
  OpBuilder builder(step);
  Emitter e(builder, step.getLoc());
  SmallVector<Value> sizes = sizesOf(e, step);
  e.loop(thread, productOf(e, sizes), threads, {},
         [&](Value number, ValueRange) {
           moveBody(e, step, number, sizes);
           return SmallVector<Value>();
         });
  emitBarrier(e);
  step.erase();
}

/// A block per iteration, whose threads share what it allocates.
void launchSteps(Emitter &e, scf::ForallOp forall, ValueRange sizes) {
  int64_t threads =
      std::max(teamsForRows(longestStep(forall), {}).threads, kWarp);
  SmallVector<memref::AllocaOp> buffers(
      forall.getBody()->getOps<memref::AllocaOp>());
  SmallVector<MemRefType> shared;
  for (memref::AllocaOp buffer : buffers)
    shared.push_back(sharedType(buffer.getType().getShape(),
                                buffer.getType().getElementType()));
  gpu::LaunchOp launch = emitLaunch(
      e, productOf(e, sizes), threads, shared, [&](const ThreadPlace &place) {
        moveBody(e, forall, place.block[0], sizes);
        for (auto [buffer, replacement] :
             llvm::zip_equal(buffers, place.shared)) {
          buffer.replaceAllUsesWith(replacement);
          buffer.erase();
        }
      });
  SmallVector<scf::ForallOp> steps;
  launch.getBody().walk([&](scf::ForallOp step) { steps.push_back(step); });
  for (scf::ForallOp step : steps)
    divideStep(step, launch.getThreadIds().x, threads);
}

LogicalResult launchForall(scf::ForallOp forall, Divided &divided) {
  if (forall.getNumResults() || !forall.isNormalized())
    return forall.emitOpError("is not a loop over buffers from 0 by 1");
  OpBuilder builder(forall);
  Emitter e(builder, forall.getLoc());
  SmallVector<Value> sizes = sizesOf(e, forall);
  Value count = productOf(e, sizes);
  if (hasSteps(forall)) {
    launchSteps(e, forall, sizes);
  } else if (isMadeOfLoops(forall)) {
    int64_t threads =
        std::max(teamsForRows(longestLoop(forall), {}).threads, kWarp);
    gpu::LaunchOp launch =
        emitLaunch(e, count, threads, {}, [&](const ThreadPlace &place) {
          moveBody(e, forall, place.block[0], sizes);
        });
    divided[launch] = threads;
  } else {
    emitThreads(e, count, tuning::kGpuThreads,
                [&](Value number) { moveBody(e, forall, number, sizes); });
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
