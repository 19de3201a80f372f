// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Launches for reductions. The order of summation depends only on sizes, so
// that results are reproducible.
#include "passes/Gpu/Loops/LoopLaunches.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "passes/Machine/GpuTuning.h"

using namespace mlir;
using namespace hone;

namespace {

/// Whether a team per result is better than a thread.
bool wantsTeams(Emitter &e, const LoopNest &nest) {
  std::optional<int64_t> reduced = constantOf(countOf(e, nest, true));
  if (reduced && *reduced < tuning::kLeastReduced)
    return false;
  std::optional<int64_t> results = constantOf(countOf(e, nest, false));
  // Adjacent threads should read adjacent elements.
  int contiguous = 0;
  for (unsigned i = 0; i < nest.numInputs(); ++i)
    for (auto [d, dim] : llvm::enumerate(nest.dims))
      if (!nest.accesses[i].isScalar() && nest.stride(i, d) == 1)
        contiguous += dim.reduction ? 1 : -1;
  if (contiguous < 0 && results && *results >= kWarp)
    return false;
  return contiguous > 0 || (results && *results < tuning::kFewResults);
}

/// Parts per result such that all results together keep the device busy; 1 if
/// the results alone do, or if sizes are unknown.
int64_t partsOf(Emitter &e, const LoopNest &nest, bool teams) {
  std::optional<int64_t> reduced = constantOf(countOf(e, nest, true));
  std::optional<int64_t> results = constantOf(countOf(e, nest, false));
  if (!reduced || !results || *results == 0)
    return 1;
  const GpuMachine &machine = GpuMachine::of(nest.op);
  int64_t threads = *results * (teams ? tuning::kGpuThreads : 1);
  int64_t parts = std::min(
      {*reduced / (teams ? tuning::kBlockPart : tuning::kThreadPart),
       tuning::reductionThreads(machine) / threads, tuning::kMostParts});
  return parts >= 4 ? parts : 1;
}

/// The reduction loops of one result.
LoopNest onlyReduced(Emitter &e, const LoopNest &nest, Value result) {
  LoopNest fixed = fixParallel(e, nest, result);
  fixed.collapse(e);
  return fixed;
}

/// Each result in parts, which a second launch merges.
void launchParts(Emitter &e, const LoopStage &stage, const PartMerger &merger,
                 int64_t parts, bool teams) {
  const LoopNest &nest = stage.nest;
  int64_t results = *constantOf(countOf(e, nest, false));
  int64_t lanes = teams ? wholeLanes(nest) : 1;
  int64_t reduced = *constantOf(countOf(e, nest, true)) / lanes;
  int64_t unit = teams ? tuning::kGpuThreads : 1;
  int64_t size =
      llvm::divideCeil(llvm::divideCeil(reduced, parts), unit) * unit;
  SmallVector<Value> partials;
  for (unsigned i : merger.outputs())
    partials.push_back(memref::AllocOp::create(
        e.builder, e.loc,
        MemRefType::get({parts * results}, nest.output(i).elementType()),
        e.builder.getI64IntegerAttr(64)));
  auto emitPart = [&](const Team &team, Value number, ValueRange shared) {
    // Adjacent numbers are adjacent results.
    Value result = e.rem(number, e.cst(results));
    Value first = e.mul(e.div(number, e.cst(results)), size);
    Value end = e.min(e.add(first, size), e.cst(reduced));
    SmallVector<Value> carried = emitElements(
        e, onlyReduced(e, nest, result), lanes, e.add(first, team.thread), end,
        team.threads, emptyParts(e, merger, lanes));
    carried = mergeInTeam(e, merger, merger.mergeLanes(e, carried, lanes), team,
                          shared);
    e.branch(e.cmp(arith::CmpIPredicate::eq, team.thread, e.cst(0)), [&] {
      for (auto [value, buffer] : llvm::zip_equal(carried, partials))
        memref::StoreOp::create(e.builder, e.loc, value, buffer, number);
    });
  };
  Value count = e.cst(parts * results);
  if (teams)
    emitTeams(
        e, count, {tuning::kGpuThreads}, partTypes(nest, tuning::kGpuThreads),
        [&](Team team, Value number, Value, ArrayRef<Value> shared) {
          emitPart(team, number, shared);
          setVectorAlignment(e, e.builder.getInsertionBlock()->getParentOp());
        });
  else
    emitThreads(e, count, tuning::kGpuThreads,
                [&](Value number) { emitPart({e.cst(0), 1}, number, {}); });
  auto mergeParts = [&](const Team &team, Value result) {
    SmallVector<Value> carried =
        e.loop(team.thread, e.cst(parts), team.threads, merger.neutral(e),
               [&](Value part, ValueRange accumulators) {
                 Value place = e.add(e.mul(part, results), result);
                 SmallVector<Value> loaded;
                 for (Value buffer : partials)
                   loaded.push_back(
                       memref::LoadOp::create(e.builder, e.loc, buffer, place));
                 return merger.merge(e, accumulators, loaded);
               });
    carried = mergeInTeam(e, merger, carried, team, {});
    e.branch(e.cmp(arith::CmpIPredicate::eq, team.thread, e.cst(0)), [&] {
      merger.store(e, {onlyReduced(e, nest, result), stage.inits}, carried);
    });
  };
  if (teams)
    emitTeams(e, e.cst(results), {kWarp, 1}, {},
              [&](Team team, Value result, Value, ArrayRef<Value>) {
                mergeParts(team, result);
              });
  else
    emitThreads(e, e.cst(results), tuning::kGpuThreads,
                [&](Value result) { mergeParts({e.cst(0), 1}, result); });
}
} // namespace

void hone::launchReduction(Emitter &e, const LoopStage &stage) {
  const LoopNest &nest = stage.nest;
  std::optional<PartMerger> merger = PartMerger::get(stage);
  if (!merger)
    return launchThreads(e, stage);
  bool teams = wantsTeams(e, nest);
  if (int64_t parts = partsOf(e, nest, teams); parts > 1)
    return launchParts(e, stage, *merger, parts, teams);
  if (!teams)
    return launchThreads(e, stage);
  int64_t lanes = wholeLanes(nest);
  Value results = countOf(e, nest, false);
  TeamShape shape =
      teamsForRows(constantOf(countOf(e, nest, true)), constantOf(results));
  keepWholeWarps(stage, shape);
  emitTeams(e, results, shape, partTypes(nest, shape.threads),
            [&](Team team, Value result, Value, ArrayRef<Value> shared) {
              emitInTeam(e, {fixParallel(e, nest, result), stage.inits}, team,
                         lanes, shared);
              setVectorAlignment(e,
                                 e.builder.getInsertionBlock()->getParentOp());
            });
}
