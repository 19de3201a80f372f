// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The loop along K over slices of both operands in shared memory.
#include "passes/Gpu/Product/TileLoop.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace hone;

SmallVector<Value> TileLoop::throughRegisters() const {
  Value zero = e.cst(0);
  size_t leftCount = left.types().size();
  auto load = [&](Value k) {
    SmallVector<Value> chunks = left.load(k);
    llvm::append_range(chunks, right.load(k));
    return chunks;
  };
  auto store = [&](ArrayRef<Value> chunks, Value leftStage, Value rightStage) {
    left.store(chunks.take_front(leftCount), leftStage);
    right.store(chunks.drop_front(leftCount), rightStage);
  };
  e.branch(exists(firstK), [&] { store(load(firstK), zero, zero); });
  emitBarrier(e);
  SmallVector<Value> init = math.zeros();
  init.push_back(zero);
  SmallVector<Value> result =
      e.loop(firstK, endK, depth(), init, [&](Value k, ValueRange carried) {
        Value stage = carried.back();
        Value other = e.sub(e.cst(1), stage);
        Value next = e.add(k, depth());
        auto stageOf = [&](const SharedTile &operand, Value number) {
          return e.mul(number, operand.size());
        };
        SmallVector<Type> types = left.types();
        llvm::append_range(types, right.types());
        SmallVector<Value> chunks = e.select(
            exists(next), types, [&] { return load(next); },
            [&] {
              SmallVector<Value> zeros;
              for (Type type : types)
                zeros.push_back(e.zero(type));
              return zeros;
            });
        SmallVector<Value> sums =
            math.multiply(stageOf(leftTile, stage), stageOf(rightTile, stage),
                          carried.drop_back());
        store(chunks, stageOf(leftTile, other), stageOf(rightTile, other));
        emitBarrier(e);
        sums.push_back(other);
        return sums;
      });
  result.pop_back();
  return result;
}

SmallVector<Value> TileLoop::withCopies(int64_t stages) const {
  auto copy = [&](Value k, Value stage) {
    e.branch(exists(k), [&] {
      left.copy(k, e.mul(stage, leftTile.size()));
      right.copy(k, e.mul(stage, rightTile.size()));
    });
    NVVM::CpAsyncCommitGroupOp::create(e.builder, e.loc);
  };
  /// Until all but the newest groups of copies have arrived, for all threads.
  auto wait = [&](int64_t groups) {
    NVVM::CpAsyncWaitGroupOp::create(e.builder, e.loc, groups);
    emitBarrier(e);
  };
  Value zero = e.cst(0);
  int64_t ahead = stages - 1;
  for (int64_t i = 0; i < ahead; ++i)
    copy(e.add(firstK, i * depth()), e.cst(i));
  SmallVector<Value> init = math.zeros();
  init.push_back(zero);
  SmallVector<Value> result =
      e.loop(firstK, endK, depth(), init, [&](Value k, ValueRange carried) {
        Value stage = carried.back();
        // After the barrier no thread reads the previous stage.
        wait(ahead - 1);
        Value isFirst = e.cmp(arith::CmpIPredicate::eq, stage, zero);
        auto pick = [&](Value condition, Value a, Value b) -> Value {
          return e.builder.createOrFold<arith::SelectOp>(e.loc, condition, a,
                                                         b);
        };
        Value before = pick(isFirst, e.cst(ahead), e.sub(stage, e.cst(1)));
        copy(e.add(k, ahead * depth()), before);
        SmallVector<Value> sums =
            math.multiply(e.mul(stage, leftTile.size()),
                          e.mul(stage, rightTile.size()), carried.drop_back());
        Value isLast = e.cmp(arith::CmpIPredicate::eq, stage, e.cst(ahead));
        sums.push_back(pick(isLast, zero, e.add(stage, 1)));
        return sums;
      });
  wait(0);
  result.pop_back();
  return result;
}
