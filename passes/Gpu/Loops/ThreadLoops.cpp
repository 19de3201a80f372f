// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Loop nests in a thread and in a team of threads.
#include "passes/Gpu/Loops/ThreadLoops.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Emit/KernelTypes.h"
#include "passes/Emit/LoopBody.h"
#include "passes/Emit/LoopMotion.h"
#include "passes/Machine/GpuTuning.h"

using namespace mlir;
using namespace hone;

namespace {

Value loadOutput(Emitter &e, const NestAccess &access) {
  return memref::LoadOp::create(e.builder, e.loc, access.flat, access.base);
}

void storeOutput(Emitter &e, const NestAccess &access, Value value) {
  memref::StoreOp::create(e.builder, e.loc, value, access.flat, access.base);
}

/// Loops over the reduction dimensions of a nest that has no others.
SmallVector<Value> carryThrough(Emitter &e, const LoopNest &nest,
                                ValueRange carried) {
  if (nest.dims.empty())
    return LoopBody(e, nest).emit({}, 1, carried);
  if (nest.dims.size() == 1) {
    LoopBody body(e, nest);
    return e.loop(e.cst(0), nest.dims[0].extent, 1, carried,
                  [&](Value iv, ValueRange accumulators) {
                    return body.emit(iv, 1, accumulators);
                  });
  }
  return e.loop(e.cst(0), nest.dims[0].extent, 1, carried,
                [&](Value iv, ValueRange accumulators) {
                  LoopNest inner = nest;
                  inner.fix(e, 0, iv);
                  return carryThrough(e, inner, accumulators);
                });
}

void emitReduction(Emitter &e, const LoopNest &nest, ArrayRef<Value> inits) {
  SmallVector<unsigned> reduced = reducedOutputs(nest);
  SmallVector<Value> carried;
  for (unsigned i : reduced)
    carried.push_back(i < inits.size() && inits[i]
                          ? inits[i]
                          : loadOutput(e, nest.output(i)));
  SmallVector<Value> results = carryThrough(e, nest, carried);
  for (auto [n, i] : llvm::enumerate(reduced))
    storeOutput(e, nest.output(i), results[n]);
}

void emitParallel(Emitter &e, LoopNest nest, ArrayRef<Value> inits) {
  for (unsigned dim = 0; dim < nest.dims.size(); ++dim) {
    if (nest.dims[dim].reduction)
      continue;
    e.loop(e.cst(0), nest.dims[dim].extent, [&](Value iv) {
      LoopNest inner = nest;
      inner.fix(e, dim, iv);
      emitParallel(e, std::move(inner), inits);
    });
    return;
  }
  emitReduction(e, nest, inits);
}

} // namespace

void hone::emitInThread(Emitter &e, LoopStage stage) {
  stage.nest.collapse(e);
  emitParallel(e, std::move(stage.nest), stage.inits);
}

SmallVector<Value> hone::extentsOf(Emitter &e, const LoopNest &nest,
                                   int64_t lanes) {
  SmallVector<Value> extents;
  for (const NestDim &dim : nest.dims)
    extents.push_back(dim.extent);
  if (lanes > 1)
    extents.back() = e.div(extents.back(), e.cst(lanes));
  return extents;
}

SmallVector<Value> hone::emitElements(Emitter &e, const LoopNest &nest,
                                      int64_t lanes, Value first, Value end,
                                      int64_t step, ValueRange carried) {
  if (nest.dims.size() <= 1) {
    // Invariant values are computed once.
    LoopBody body(e, nest);
    return e.loop(first, end, step, carried,
                  [&](Value number, ValueRange accumulators) {
                    return body.emit(e.mul(number, lanes), lanes, accumulators);
                  });
  }
  SmallVector<Value> extents = extentsOf(e, nest, lanes);
  return e.loop(first, end, step, carried,
                [&](Value number, ValueRange accumulators) {
                  SmallVector<Value> place = e.delinearize(number, extents);
                  LoopNest fixed = nest;
                  for (size_t i = place.size() - 1; i-- > 0;)
                    fixed.fix(e, i, place[i]);
                  return LoopBody(e, fixed).emit(e.mul(place.back(), lanes),
                                                 lanes, accumulators);
                });
}

TeamShape hone::teamsForRows(std::optional<int64_t> size,
                             std::optional<int64_t> count) {
  if (!size)
    return {2 * tuning::kTeamBlock};
  if (*size > tuning::kWarpRow) {
    int64_t unit = tuning::kThreadElements * kWarp;
    return {
        std::min((*size + unit - 1) / unit * kWarp, tuning::kMostRowThreads)};
  }
  int64_t threads = kWarp;
  while (threads > 8 && *size <= threads / 2 * tuning::kThreadElements)
    threads /= 2;
  int64_t block = count && *count * threads < tuning::kManyRows * kWarp
                      ? kWarp
                      : tuning::kTeamBlock;
  return {threads, block / threads};
}

void hone::keepWholeWarps(const LoopStage &stage, TeamShape &shape) {
  for (unsigned i : reducedOutputs(stage.nest))
    if ((i >= stage.inits.size() || !stage.inits[i]) && shape.threads < kWarp) {
      shape.teams = shape.teams * shape.threads / kWarp;
      shape.threads = kWarp;
    }
}

void hone::emitTeams(
    Emitter &e, Value count, TeamShape shape, ArrayRef<MemRefType> shared,
    function_ref<void(Team, Value, Value, ArrayRef<Value>)> body) {
  if (shape.teams == 1) {
    emitLaunch(e, count, shape.threads, shared, [&](const ThreadPlace &place) {
      body({place.thread[0], shape.threads}, place.block[0], e.cst(0),
           place.shared);
    });
    return;
  }
  emitLaunch(e, e.ceilDiv(count, shape.teams), {shape.threads, shape.teams},
             shared, [&](const ThreadPlace &place) {
               Team team{place.thread[0], shape.threads};
               Value row =
                   e.add(e.mul(place.block[0], shape.teams), place.thread[1]);
               std::optional<int64_t> known = constantOf(count);
               if (known && *known % shape.teams == 0)
                 return body(team, row, place.thread[1], place.shared);
               if (shape.threads % kWarp == 0) {
                 e.branch(e.cmp(arith::CmpIPredicate::slt, row, count), [&] {
                   body(team, row, place.thread[1], place.shared);
                 });
                 return;
               }
               // All of a warp stays together: teams without a row of their own
               // repeat the last one.
               body(team, e.min(row, e.sub(count, e.cst(1))), place.thread[1],
                    place.shared);
             });
}

void hone::emitTeamBarrier(Emitter &e, const Team &team) {
  if (team.threads > kWarp)
    return emitBarrier(e);
  if (team.threads > 1)
    NVVM::SyncWarpOp::create(
        e.builder, e.loc,
        arith::ConstantIntOp::create(e.builder, e.loc, -1, 32));
}

SmallVector<MemRefType> hone::partTypes(const LoopNest &nest, int64_t threads) {
  SmallVector<MemRefType> types;
  if (threads > kWarp)
    for (unsigned i : reducedOutputs(nest))
      types.push_back(
          sharedType({threads / kWarp}, nest.output(i).elementType()));
  return types;
}

SmallVector<Value> hone::emptyParts(Emitter &e, const PartMerger &merger,
                                    int64_t lanes) {
  SmallVector<Value> parts = merger.neutral(e);
  if (lanes > 1)
    for (Value &part : parts)
      part = vector::BroadcastOp::create(
          e.builder, e.loc, VectorType::get(lanes, part.getType()), part);
  return parts;
}

/// The value in the lane at `distance` (exclusive or). Lanes exchange 32 bits
/// at a time.
static Value exchange(Emitter &e, Value value, int64_t distance) {
  OpBuilder &builder = e.builder;
  Type type = value.getType(), i32 = builder.getI32Type();
  if (type.isIndex()) {
    value =
        arith::IndexCastOp::create(builder, e.loc, builder.getI64Type(), value);
    return arith::IndexCastOp::create(builder, e.loc, type,
                                      exchange(e, value, distance));
  }
  unsigned width = type.getIntOrFloatBitWidth();
  Type bits = builder.getIntegerType(width);
  if (isa<FloatType>(type) && width != 32) {
    value = arith::BitcastOp::create(builder, e.loc, bits, value);
    return arith::BitcastOp::create(builder, e.loc, type,
                                    exchange(e, value, distance));
  }
  if (width < 32) {
    value = arith::ExtUIOp::create(builder, e.loc, i32, value);
    return arith::TruncIOp::create(builder, e.loc, bits,
                                   exchange(e, value, distance));
  }
  if (width == 64) {
    Value half = arith::ConstantIntOp::create(builder, e.loc, 32, 64);
    Value high = arith::ShRUIOp::create(builder, e.loc, value, half);
    high = arith::TruncIOp::create(builder, e.loc, i32, high);
    Value low = arith::TruncIOp::create(builder, e.loc, i32, value);
    high = arith::ExtUIOp::create(builder, e.loc, bits,
                                  exchange(e, high, distance));
    low = arith::ExtUIOp::create(builder, e.loc, bits,
                                 exchange(e, low, distance));
    high = arith::ShLIOp::create(builder, e.loc, high, half);
    return arith::OrIOp::create(builder, e.loc, high, low);
  }
  Value lanes = arith::ConstantIntOp::create(builder, e.loc, kWarp, 32);
  Value offset = arith::ConstantIntOp::create(builder, e.loc, distance, 32);
  return gpu::ShuffleOp::create(builder, e.loc, value, offset, lanes,
                                gpu::ShuffleMode::XOR)
      .getShuffleResult();
}

/// Merges the values of `threads` adjacent lanes; all get the result.
static SmallVector<Value> mergeLanesOfWarp(Emitter &e, const PartMerger &merger,
                                           ValueRange values, int64_t threads) {
  SmallVector<Value> merged(values);
  for (int64_t distance = threads / 2; distance > 0; distance /= 2) {
    SmallVector<Value> others;
    for (Value value : merged)
      others.push_back(exchange(e, value, distance));
    merged = merger.merge(e, merged, others);
  }
  return merged;
}

SmallVector<Value> hone::mergeInTeam(Emitter &e, const PartMerger &merger,
                                     ValueRange values, const Team &team,
                                     ValueRange parts) {
  SmallVector<Value> merged = mergeLanesOfWarp(
      e, merger, values, std::min<int64_t>(team.threads, kWarp));
  if (team.threads <= kWarp || values.empty())
    return merged;
  int64_t warps = team.threads / kWarp;
  Value lane = e.rem(team.thread, e.cst(kWarp));
  Value warp = e.div(team.thread, e.cst(kWarp));
  e.branch(e.cmp(arith::CmpIPredicate::eq, lane, e.cst(0)), [&] {
    for (auto [value, buffer] : llvm::zip_equal(merged, parts))
      memref::StoreOp::create(e.builder, e.loc, value, buffer, warp);
  });
  emitBarrier(e);
  // Every warp merges all parts, one per lane.
  int64_t lanes = llvm::PowerOf2Ceil(warps);
  Value number = e.rem(lane, e.cst(lanes));
  Value place = e.min(number, e.cst(warps - 1));
  SmallVector<Value> neutral = merger.neutral(e);
  for (auto [n, buffer] : llvm::enumerate(parts)) {
    Value part = memref::LoadOp::create(e.builder, e.loc, buffer, place);
    if (lanes != warps)
      part = arith::SelectOp::create(
          e.builder, e.loc,
          e.cmp(arith::CmpIPredicate::slt, number, e.cst(warps)), part,
          neutral[n]);
    merged[n] = part;
  }
  return mergeLanesOfWarp(e, merger, merged, lanes);
}

void hone::emitInTeam(Emitter &e, LoopStage stage, const Team &team,
                      int64_t lanes, ValueRange parts) {
  LoopNest &nest = stage.nest;
  nest.collapse(e);
  std::optional<PartMerger> merger = PartMerger::get(stage);
  SmallVector<Value> carried = emptyParts(e, *merger, lanes);
  Value count = e.cst(1);
  for (Value extent : extentsOf(e, nest, lanes))
    count = e.mul(count, extent);
  carried =
      emitElements(e, nest, lanes, team.thread, count, team.threads, carried);
  if (carried.empty())
    return;
  carried = mergeInTeam(e, *merger, merger->mergeLanes(e, carried, lanes), team,
                        parts);
  e.branch(e.cmp(arith::CmpIPredicate::eq, team.thread, e.cst(0)),
           [&] { merger->store(e, stage, carried); });
}

/// Whether vectors that the body loads along the innermost dimension begin at
/// multiples of `lanes` elements.
static bool isAligned(const LoopNest &nest, memref::LoadOp load,
                      int64_t lanes) {
  MemRefType type = load.getMemRefType();
  auto along = load.getIndices().back().getDefiningOp<linalg::IndexOp>();
  bool isConstant =
      rootOf(load.getMemRef()).getDefiningOp<memref::GetGlobalOp>() != nullptr;
  return along && !isConstant && type.getLayout().isIdentity() &&
         nest.dims.back().loops.size() == 1 &&
         nest.dims.back().loops.front() == along.getDim() &&
         type.getElementType().isIntOrFloat() &&
         type.getElementTypeBitWidth() % 8 == 0 &&
         (type.getRank() == 1 ||
          (!ShapedType::isDynamic(type.getShape().back()) &&
           type.getShape().back() % lanes == 0));
}

int64_t hone::alignedLanes(const LoopNest &nest) {
  if (nest.dims.empty() ||
      (!nest.dims.back().reduction && !reducedOutputs(nest).empty()))
    return 1;
  unsigned last = nest.dims.size() - 1;
  VectorCost cost = vectorCost(nest, last);
  if (!cost.possible || cost.strided > 0 || cost.gathered > 0)
    return 1;
  unsigned bits = 8;
  // Loads inside the body have addresses of their own.
  SmallVector<memref::LoadOp> loads;
  linalg::GenericOp op = nest.op;
  MotionAnalysis motion(nest, last);
  op.getRegion().walk([&](memref::LoadOp load) {
    if (motion.invariant(load.getResult()))
      return;
    loads.push_back(load);
    bits = std::max(bits, load.getType().getIntOrFloatBitWidth());
  });
  for (auto [i, access] : llvm::enumerate(nest.accesses))
    if (!access.isScalar() && nest.walks(i, last)) {
      if (!access.elementType().isIntOrFloat() ||
          access.elementType().getIntOrFloatBitWidth() % 8 != 0)
        return 1;
      bits = std::max(bits, access.elementType().getIntOrFloatBitWidth());
    }
  int64_t lanes = 128 / bits;
  if (lanes < 2 ||
      !llvm::all_of(
          loads,
          [&](memref::LoadOp load) { return isAligned(nest, load, lanes); }))
    return 1;
  std::optional<int64_t> extent = nest.extent(last);
  if (last > 0 && (!extent || *extent % lanes != 0))
    return 1;
  for (auto [i, access] : llvm::enumerate(nest.accesses)) {
    if (access.isScalar() || !nest.walks(i, last))
      continue;
    std::optional<int64_t> base = constantOf(access.base);
    if (nest.stride(i, last) != 1 || !base || *base % lanes != 0)
      return 1;
    for (unsigned d = 0; d < last; ++d) {
      std::optional<int64_t> stride = nest.stride(i, d);
      if (!stride || *stride % lanes != 0)
        return 1;
    }
  }
  return lanes;
}

void hone::setVectorAlignment(Emitter &e, Operation *parent) {
  auto alignment = [&](Type type) {
    auto vector = cast<VectorType>(type);
    return e.builder.getI64IntegerAttr(vector.getNumElements() *
                                       bytesOfElement(vector.getElementType()));
  };
  parent->walk([&](Operation *op) {
    if (auto load = dyn_cast<vector::LoadOp>(op))
      load.setAlignmentAttr(alignment(load.getType()));
    else if (auto store = dyn_cast<vector::StoreOp>(op))
      store.setAlignmentAttr(alignment(store.getValueToStore().getType()));
  });
}
