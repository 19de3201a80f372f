// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Launches of independent threads.
#include "passes/Gpu/Loops/LoopLaunches.h"

#include "passes/Emit/LoopBody.h"
#include "passes/Machine/GpuTuning.h"

using namespace mlir;
using namespace hone;

Value hone::countOf(Emitter &e, const LoopNest &nest, bool reduction) {
  Value count = e.cst(1);
  for (const NestDim &dim : nest.dims)
    if (dim.reduction == reduction)
      count = e.mul(count, dim.extent);
  return count;
}

LoopNest hone::fixParallel(Emitter &e, const LoopNest &nest, Value number) {
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

int64_t hone::wholeLanes(const LoopNest &nest, ArrayRef<unsigned> fixed) {
  if (nest.dims.empty() || llvm::is_contained(fixed, nest.dims.size() - 1))
    return 1;
  int64_t lanes = alignedLanes(nest);
  std::optional<int64_t> extent = nest.extent(nest.dims.size() - 1);
  return extent && *extent % lanes == 0 ? lanes : 1;
}

void hone::launchThreads(Emitter &e, const LoopStage &stage) {
  const LoopNest &nest = stage.nest;
  int64_t lanes = reducedOutputs(nest).empty() ? alignedLanes(nest) : 1;
  Value count = countOf(e, nest, false);
  if (lanes == 1) {
    emitThreads(e, count, tuning::kGpuThreads, [&](Value number) {
      emitInThread(e, {fixParallel(e, nest, number), stage.inits});
    });
    return;
  }
  unsigned last = nest.dims.size() - 1;
  SmallVector<Value> extents = extentsOf(e, nest, lanes);
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
  emitThreads(e, e.add(vectors, rest), tuning::kGpuThreads, [&](Value number) {
    if (constantOf(rest) == 0)
      return emitVector(number);
    e.branch(
        e.cmp(arith::CmpIPredicate::slt, number, vectors),
        [&] { emitVector(number); }, [&] { emitElement(number); });
  });
}
