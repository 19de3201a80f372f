// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Launches for the loops of a kernel: which dimensions threads and blocks run
// through, and which operations share a launch.
#include "passes/Gpu/Passes.h"
#include "passes/Gpu/ThreadLoops.h"
#include "passes/Loops/RowGroups.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "passes/Loops/LoopBody.h"

namespace hone {
#define GEN_PASS_DEF_MAPLOOPSTOGPUPASS
#include "passes/Gpu/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;

namespace {
/// Threads of a block where they have nothing to do with each other.
constexpr int64_t kThreads = 256;
/// Below this a reduction is not worth dividing.
constexpr int64_t kLeastReduced = 32;
/// With so many results there is a thread for each, however they lie in memory.
constexpr int64_t kManyResults = 1 << 15;
/// Shared memory for the temporaries of a row; the rest is for reductions.
constexpr int64_t kRowBytes = 32 * 1024;

/// Threads for a row of `size` elements: some elements for each.
int64_t threadsForRow(std::optional<int64_t> size) {
  if (!size)
    return kThreads;
  int64_t wanted = (*size + 4 * kWarp - 1) / (4 * kWarp) * kWarp;
  return std::clamp<int64_t>(wanted, kWarp, 2 * kThreads);
}

/// Product of the extents of the dimensions that are, or are not, reductions.
Value countOf(Emitter &e, const LoopNest &nest, bool reduction) {
  Value count = e.cst(1);
  for (const NestDim &dim : nest.dims)
    if (dim.reduction == reduction)
      count = e.mul(count, dim.extent);
  return count;
}

/// The nest at one place of its parallel dimensions.
LoopNest fixParallel(Emitter &e, const LoopNest &nest, Value number) {
  SmallVector<Value> extents;
  SmallVector<unsigned> dims;
  for (auto [i, dim] : llvm::enumerate(nest.dims))
    if (!dim.reduction) {
      dims.push_back(i);
      extents.push_back(dim.extent);
    }
  LoopNest fixed = nest;
  fixRow(e, fixed, dims, e.delinearize(number, extents));
  return fixed;
}

bool hasReduced(const LoopNest &nest) {
  for (unsigned i = 0, n = nest.accesses.size() - nest.numInputs(); i < n; ++i)
    if (nest.isReduced(i))
      return true;
  return false;
}

/// Whether a block for each result is better than a thread.
bool wantsBlocks(Emitter &e, const LoopNest &nest) {
  if (!hasReduced(nest) || !canDivideReduction(nest))
    return false;
  std::optional<int64_t> reduced = constantOf(countOf(e, nest, true));
  if (reduced && *reduced < kLeastReduced)
    return false;
  std::optional<int64_t> results = constantOf(countOf(e, nest, false));
  if (results && *results < kManyResults / kThreads)
    return true;
  // Neighbouring threads should read neighbouring elements.
  int contiguous = 0;
  for (unsigned i = 0; i < nest.numInputs(); ++i)
    for (auto [d, dim] : llvm::enumerate(nest.dims))
      if (!nest.accesses[i].isScalar() && nest.stride(i, d) == 1)
        contiguous += dim.reduction ? 1 : -1;
  return contiguous > 0;
}

/// A thread for each result, or for 16 bytes of them.
void launchThreads(Emitter &e, const LoopStage &stage) {
  const LoopNest &nest = stage.nest;
  int64_t lanes = alignedLanes(nest);
  Value count = countOf(e, nest, false);
  if (lanes == 1) {
    emitThreads(e, count, kThreads, [&](Value number) {
      emitInThread(e, {fixParallel(e, nest, number), stage.inits});
    });
    return;
  }
  unsigned last = nest.dims.size() - 1;
  SmallVector<Value> extents;
  for (const NestDim &dim : nest.dims)
    extents.push_back(dim.extent);
  extents[last] = e.div(extents[last], e.cst(lanes));
  Value vectors = e.div(count, e.cst(lanes));
  Value rest = last == 0 ? e.rem(count, e.cst(lanes)) : e.cst(0);
  auto emitVector = [&](Value number) {
    SmallVector<Value> place = e.delinearize(number, extents);
    LoopNest fixed = nest;
    for (size_t i = last; i-- > 0;)
      fixed.fix(e, i, place[i]);
    LoopBody(e, fixed).emit(e.mul(place[last], lanes), lanes, {});
    setVectorAlignment(e, e.builder.getInsertionBlock()->getParentOp());
  };
  auto emitElement = [&](Value number) {
    LoopNest fixed = nest;
    fixed.fix(e, 0, e.add(e.mul(vectors, lanes), e.sub(number, vectors)));
    LoopBody(e, fixed).emit({}, 1, {});
  };
  emitThreads(e, e.add(vectors, rest), kThreads, [&](Value number) {
    if (constantOf(rest) == 0)
      return emitVector(number);
    e.branch(
        e.cmp(arith::CmpIPredicate::slt, number, vectors),
        [&] { emitVector(number); }, [&] { emitElement(number); });
  });
}

void launchStage(Emitter &e, LoopStage stage) {
  LoopNest &nest = stage.nest;
  e.loc = nest.op.getLoc();
  nest.collapse(e);
  if (!wantsBlocks(e, nest))
    return launchThreads(e, stage);
  int64_t threads = threadsForRow(constantOf(countOf(e, nest, true)));
  emitLaunch(e, countOf(e, nest, false), threads, partTypes(nest, threads),
             [&](const ThreadPlace &place) {
               emitInBlock(e,
                           {fixParallel(e, nest, place.block[0]), stage.inits},
                           place.thread[0], threads, place.shared);
             });
}

//===----------------------------------------------------------------------===//

/// Whether a block can do a row of each stage: what is reduced is reduced over
/// all of the row.
bool fitsBlock(ArrayRef<LoopStage> stages, const RowPlan &plan) {
  for (auto [s, stage] : llvm::enumerate(stages)) {
    if (!hasReduced(stage.nest))
      continue;
    if (!canDivideReduction(stage.nest))
      return false;
    for (auto [d, dim] : llvm::enumerate(stage.nest.dims))
      if (!dim.reduction && !llvm::is_contained(plan.rowDims[s], d))
        return false;
  }
  return true;
}

/// Elements of the largest row, if known.
std::optional<int64_t> sizeOfRow(ArrayRef<LoopStage> stages,
                                 const RowPlan &plan) {
  int64_t largest = 1;
  for (auto [s, stage] : llvm::enumerate(stages)) {
    int64_t size = 1;
    for (unsigned d = 0; d < stage.nest.dims.size(); ++d) {
      if (llvm::is_contained(plan.rowDims[s], d))
        continue;
      std::optional<int64_t> extent = stage.nest.extent(d);
      if (!extent)
        return std::nullopt;
      size *= *extent;
    }
    largest = std::max(largest, size);
  }
  return largest;
}

/// All stages in one launch, a block for each row.
void launchRows(Emitter &e, MutableArrayRef<LoopStage> stages,
                const RowPlan &plan) {
  int64_t threads = threadsForRow(sizeOfRow(stages, plan));
  SmallVector<MemRefType> shared;
  SmallVector<size_t> parts; // where the buffers of each stage begin
  for (const LoopStage &stage : stages) {
    parts.push_back(shared.size());
    llvm::append_range(shared, partTypes(stage.nest, threads));
  }
  parts.push_back(shared.size());
  // What does not fit into shared memory stays where it is, row by row.
  SmallVector<RowTemporary, 0> kept;
  int64_t bytes = 0;
  for (RowTemporary &temporary : rowTemporaries(stages, plan)) {
    if (!temporary.dynamicSizes.empty())
      continue;
    MemRefType type =
        sharedType(temporary.shape, temporary.alloc.getType().getElementType());
    if (bytes + bytesOf(type) > kRowBytes)
      continue;
    bytes += bytesOf(type);
    shared.push_back(type);
    kept.push_back(std::move(temporary));
  }
  Value rows = e.cst(1);
  for (Value extent : plan.extents)
    rows = e.mul(rows, extent);
  emitLaunch(e, rows, threads, shared, [&](const ThreadPlace &place) {
    for (auto [i, temporary] : llvm::enumerate(kept))
      temporary.replace(e, stages, place.shared[parts.back() + i]);
    SmallVector<Value> ivs = e.delinearize(place.block[0], plan.extents);
    for (auto [s, stage] : llvm::enumerate(stages)) {
      e.loc = stage.nest.op.getLoc();
      if (s > 0)
        emitBarrier(e);
      LoopStage row = stage;
      fixRow(e, row.nest, plan.rowDims[s], ivs);
      ArrayRef<Value> own(place.shared);
      emitInBlock(e, std::move(row), place.thread[0], threads,
                  own.slice(parts[s], parts[s + 1] - parts[s]));
    }
  });
}

/// Rows of as many stages as have some in common, else a stage by itself.
void launchRun(Emitter &e, MutableArrayRef<LoopStage> rest) {
  while (!rest.empty()) {
    size_t count = rest.size();
    std::optional<RowPlan> plan;
    for (; count > 1; --count) {
      plan = planRows(rest.take_front(count));
      if (plan && fitsBlock(rest.take_front(count), *plan))
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
    int64_t threads = threadsForRow(longestLoop(forall));
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
      emitInBlock(e, std::move(stage), launch.getThreadIds().x, threads->second,
                  {});
      emitBarrier(e);
    };
    if (failed(emitNested(kernel, emitInner)))
      signalPassFailure();
  }
};
} // namespace
