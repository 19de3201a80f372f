// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Launches for nests that read along another dimension than they write: tiles
// go through shared memory, so that both sides access adjacent elements.
#include "passes/Gpu/Loops/LoopLaunches.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "passes/Emit/KernelTypes.h"
#include "passes/Emit/LoopBody.h"
#include "passes/Machine/GpuTuning.h"

using namespace mlir;
using namespace hone;

namespace {
/// Inputs whose elements are contiguous along `dim`, which is not the last one.
struct Transposed {
  unsigned dim;
  SmallVector<unsigned> inputs;
};

std::optional<Transposed> findTransposed(const LoopNest &nest) {
  if (nest.dims.size() < 2)
    return std::nullopt;
  unsigned last = nest.dims.size() - 1;
  auto isLong = [&](unsigned dim) {
    return nest.extent(dim).value_or(tuning::kMinTransposed) >=
           tuning::kMinTransposed;
  };
  for (unsigned i = nest.numInputs(); i < nest.accesses.size(); ++i)
    if (nest.stride(i, last) != 1)
      return std::nullopt;
  const GpuMachine &machine = GpuMachine::of(nest.op);
  std::optional<Transposed> found;
  int64_t bytes = 0;
  for (unsigned i = 0; i < nest.numInputs(); ++i) {
    if (!nest.walks(i, last) || nest.stride(i, last) == 1)
      continue;
    for (unsigned d = 0; d < last; ++d) {
      if (nest.stride(i, d) != 1 || (found && found->dim != d))
        continue;
      bytes += (tuning::kTransposedTile + 1) * tuning::kTransposedTile *
               bytesOfElement(nest.accesses[i].elementType());
      if (bytes > machine.sharedBytes)
        return std::nullopt;
      if (!found)
        found = Transposed{d, {}};
      found->inputs.push_back(i);
      break;
    }
  }
  if (!found || !isLong(last) || !isLong(found->dim))
    return std::nullopt;
  return found;
}
} // namespace

bool hone::launchTransposed(Emitter &e, const LoopStage &stage) {
  const LoopNest &nest = stage.nest;
  std::optional<Transposed> found = findTransposed(nest);
  if (!found)
    return false;
  unsigned last = nest.dims.size() - 1, dim = found->dim;
  Value width = nest.dims[last].extent, height = nest.dims[dim].extent;
  // The grid covers tiles of the two dimensions, and the others.
  SmallVector<Value> sizes;
  Value count = e.cst(1);
  for (auto [d, nestDim] : llvm::enumerate(nest.dims)) {
    bool tiled = d == last || d == dim;
    sizes.push_back(tiled ? e.ceilDiv(nestDim.extent, tuning::kTransposedTile)
                          : nestDim.extent);
    count = e.mul(count, sizes.back());
  }
  // One column more, so that the elements of a column are in different banks.
  SmallVector<MemRefType> shared;
  for (unsigned i : found->inputs)
    shared.push_back(
        sharedType({tuning::kTransposedTile, tuning::kTransposedTile + 1},
                   nest.accesses[i].elementType()));
  emitLaunch(
      e, count, {tuning::kTransposedTile, tuning::kTransposedRows}, shared,
      [&](const ThreadPlace &place) {
        SmallVector<Value> at = e.delinearize(place.block[0], sizes);
        Value column = e.mul(at[last], tuning::kTransposedTile),
              row = e.mul(at[dim], tuning::kTransposedTile);
        Value x = place.thread[0], y = place.thread[1];
        auto ifInside = [&](Value i, Value j, function_ref<void()> body) {
          Value isInside = arith::AndIOp::create(
              e.builder, e.loc, e.cmp(arith::CmpIPredicate::slt, i, height),
              e.cmp(arith::CmpIPredicate::slt, j, width));
          e.branch(isInside, body);
        };
        /// The nest at `i` and, unless that is null, at `j`.
        auto fixedAt = [&](Value i, Value j) {
          LoopNest fixed = nest;
          for (unsigned d = nest.dims.size(); d-- > 0;) {
            if (d == last && !j)
              continue;
            fixed.fix(e, d, d == last ? j : d == dim ? i : at[d]);
          }
          return fixed;
        };
        e.loop(y, e.cst(tuning::kTransposedTile), tuning::kTransposedRows, {},
               [&](Value step, ValueRange) {
                 Value i = e.add(row, x), j = e.add(column, step);
                 ifInside(i, j, [&] {
                   LoopNest fixed = fixedAt(i, j);
                   for (auto [n, input] : llvm::enumerate(found->inputs)) {
                     const NestAccess &access = fixed.accesses[input];
                     Value element = memref::LoadOp::create(
                         e.builder, e.loc, access.flat, access.base);
                     memref::StoreOp::create(e.builder, e.loc, element,
                                             place.shared[n],
                                             ValueRange{step, x});
                   }
                 });
                 return SmallVector<Value>();
               });
        emitBarrier(e);
        e.loop(y, e.cst(tuning::kTransposedTile), tuning::kTransposedRows, {},
               [&](Value step, ValueRange) {
                 Value i = e.add(row, step), j = e.add(column, x);
                 ifInside(i, j, [&] {
                   DenseMap<unsigned, Value> elements;
                   for (auto [n, input] : llvm::enumerate(found->inputs))
                     elements[input] = memref::LoadOp::create(
                                           e.builder, e.loc, place.shared[n],
                                           ValueRange{x, step})
                                           .getResult();
                   LoopNest fixed = fixedAt(i, Value());
                   LoopBody(e, fixed).emit(j, 1, {}, &elements);
                 });
                 return SmallVector<Value>();
               });
      });
  return true;
}
