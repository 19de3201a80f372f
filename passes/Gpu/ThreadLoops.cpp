// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Loop nests in a thread and in a block of threads.
#include "passes/Gpu/ThreadLoops.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Loops/Combiner.h"
#include "passes/Loops/KernelTypes.h"
#include "passes/Loops/LoopBody.h"
#include "passes/Loops/LoopMotion.h"

using namespace mlir;
using namespace hone;

namespace {
SmallVector<unsigned> reducedOutputs(const LoopNest &nest) {
  SmallVector<unsigned> reduced;
  for (unsigned i = 0, n = nest.accesses.size() - nest.numInputs(); i < n; ++i)
    if (nest.isReduced(i))
      reduced.push_back(i);
  return reduced;
}

Value loadOutput(Emitter &e, const NestAccess &access) {
  return memref::LoadOp::create(e.builder, e.loc, access.flat, access.base);
}

void storeOutput(Emitter &e, const NestAccess &access, Value value) {
  memref::StoreOp::create(e.builder, e.loc, value, access.flat, access.base);
}

/// Loops over the reduction dimensions of a nest that has no other ones.
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

/// Combines a value of each thread of a warp; all get the result.
Value combineWarp(Emitter &e, Operation *combiner, Value value) {
  Value width = arith::ConstantIntOp::create(e.builder, e.loc, kWarp, 32);
  for (int64_t offset = kWarp / 2; offset > 0; offset /= 2) {
    Value distance = arith::ConstantIntOp::create(e.builder, e.loc, offset, 32);
    Value other = value;
    if (value.getType().isIndex())
      other = arith::IndexCastOp::create(e.builder, e.loc,
                                         e.builder.getI64Type(), other);
    other = gpu::ShuffleOp::create(e.builder, e.loc, other, distance, width,
                                   gpu::ShuffleMode::XOR)
                .getShuffleResult();
    if (value.getType().isIndex())
      other = arith::IndexCastOp::create(e.builder, e.loc,
                                         e.builder.getIndexType(), other);
    value = applyCombiner(e, combiner, value, other);
  }
  return value;
}

/// Combines a value of each thread of a block; all get the result.
Value combineBlock(Emitter &e, Operation *combiner, Value value, Value thread,
                   int64_t threads, Value parts) {
  value = combineWarp(e, combiner, value);
  if (threads <= kWarp)
    return value;
  Value lane = e.rem(thread, e.cst(kWarp)), warp = e.div(thread, e.cst(kWarp));
  e.branch(e.cmp(arith::CmpIPredicate::eq, lane, e.cst(0)), [&] {
    memref::StoreOp::create(e.builder, e.loc, value, parts, warp);
  });
  emitBarrier(e);
  for (int64_t i = 0; i < threads / kWarp; ++i) {
    Value part =
        memref::LoadOp::create(e.builder, e.loc, parts, e.cst(i)).getResult();
    value = i == 0 ? part : applyCombiner(e, combiner, value, part);
  }
  // The next reduction writes there again.
  emitBarrier(e);
  return value;
}

/// Calls `body` for the elements of all dimensions that belong to a thread.
SmallVector<Value> divideElements(
    Emitter &e, const LoopNest &nest, Value thread, int64_t threads,
    ValueRange carried,
    function_ref<SmallVector<Value>(const LoopNest &, ValueRange)> body) {
  SmallVector<Value> extents;
  Value count = e.cst(1);
  for (const NestDim &dim : nest.dims) {
    extents.push_back(dim.extent);
    count = e.mul(count, dim.extent);
  }
  return e.loop(thread, count, threads, carried,
                [&](Value number, ValueRange accumulators) {
                  SmallVector<Value> place = e.delinearize(number, extents);
                  LoopNest fixed = nest;
                  for (size_t i = place.size(); i-- > 0;)
                    fixed.fix(e, i, place[i]);
                  return body(fixed, accumulators);
                });
}
} // namespace

void hone::emitInThread(Emitter &e, LoopStage stage) {
  stage.nest.collapse(e);
  emitParallel(e, std::move(stage.nest), stage.inits);
}

bool hone::canDivideReduction(const LoopNest &nest) {
  return llvm::all_of(reducedOutputs(nest), [&](unsigned i) {
    Operation *combiner = combinerOf(nest, i);
    return combiner && neutralOf(combiner);
  });
}

SmallVector<MemRefType> hone::partTypes(const LoopNest &nest, int64_t threads) {
  SmallVector<MemRefType> types;
  if (threads > kWarp)
    for (unsigned i : reducedOutputs(nest))
      types.push_back(
          sharedType({threads / kWarp}, nest.output(i).elementType()));
  return types;
}

void hone::emitInBlock(Emitter &e, LoopStage stage, Value thread,
                       int64_t threads, ValueRange parts) {
  LoopNest &nest = stage.nest;
  nest.collapse(e);
  SmallVector<unsigned> reduced = reducedOutputs(nest);
  SmallVector<Value> carried;
  for (unsigned i : reduced)
    carried.push_back(arith::ConstantOp::create(
        e.builder, e.loc, neutralOf(combinerOf(nest, i))));
  carried =
      divideElements(e, nest, thread, threads, carried,
                     [&](const LoopNest &fixed, ValueRange accumulators) {
                       return LoopBody(e, fixed).emit({}, 1, accumulators);
                     });
  for (auto [n, i] : llvm::enumerate(reduced)) {
    Operation *combiner = combinerOf(nest, i);
    Value result = combineBlock(e, combiner, carried[n], thread, threads,
                                threads > kWarp ? Value(parts[n]) : Value());
    const NestAccess &access = nest.output(i);
    Value init = i < stage.inits.size() ? stage.inits[i] : Value();
    e.branch(e.cmp(arith::CmpIPredicate::eq, thread, e.cst(0)), [&] {
      Value start = init ? init : loadOutput(e, access);
      storeOutput(e, access, applyCombiner(e, combiner, start, result));
    });
  }
}

int64_t hone::alignedLanes(const LoopNest &nest) {
  if (nest.dims.empty() || nest.dims.back().reduction ||
      !reducedOutputs(nest).empty())
    return 1;
  unsigned last = nest.dims.size() - 1;
  VectorCost cost = vectorCost(nest, last);
  if (!cost.possible || cost.strided > 0)
    return 1;
  // Loads inside the body have places of their own.
  linalg::GenericOp op = nest.op;
  bool loads = false;
  op.getRegion().walk([&](memref::LoadOp) { loads = true; });
  unsigned bits = 8;
  for (auto [i, access] : llvm::enumerate(nest.accesses))
    if (!access.isScalar() && nest.walks(i, last)) {
      if (!access.elementType().isIntOrFloat() ||
          access.elementType().getIntOrFloatBitWidth() % 8 != 0)
        return 1;
      bits = std::max(bits, access.elementType().getIntOrFloatBitWidth());
    }
  int64_t lanes = 128 / bits;
  if (loads || lanes < 2)
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
