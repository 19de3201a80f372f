// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Launches, and state shared by the threads of a block.
#include "passes/Gpu/Launch/Launch.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "passes/Emit/KernelTypes.h"

using namespace mlir;
using namespace hone;

gpu::LaunchOp hone::emitLaunch(Emitter &e, ArrayRef<Value> grid,
                               ArrayRef<int64_t> block,
                               ArrayRef<MemRefType> shared,
                               function_ref<void(const ThreadPlace &)> body) {
  SmallVector<Value, 3> blocks(grid), threads;
  for (int64_t size : block)
    threads.push_back(e.cst(size));
  blocks.resize(3, e.cst(1));
  threads.resize(3, e.cst(1));
  SmallVector<Type> sharedTypes(shared.begin(), shared.end());
  auto launch = gpu::LaunchOp::create(
      e.builder, e.loc, blocks[0], blocks[1], blocks[2], threads[0], threads[1],
      threads[2], /*dynamicSharedMemorySize=*/Value(),
      /*asyncTokenType=*/Type(), /*asyncDependencies=*/ValueRange(),
      sharedTypes);
  OpBuilder::InsertionGuard guard(e.builder);
  e.builder.setInsertionPointToEnd(&launch.getBody().front());
  gpu::TerminatorOp::create(e.builder, e.loc);
  e.builder.setInsertionPointToStart(&launch.getBody().front());
  gpu::KernelDim3 blockIds = launch.getBlockIds(),
                  threadIds = launch.getThreadIds();
  ThreadPlace place{{blockIds.x, blockIds.y, blockIds.z},
                    {threadIds.x, threadIds.y, threadIds.z},
                    {}};
  for (BlockArgument buffer : launch.getWorkgroupAttributions())
    place.shared.push_back(buffer);
  body(place);
  return launch;
}

void hone::emitThreads(Emitter &e, Value count, int64_t threads,
                       function_ref<void(Value number)> body) {
  emitLaunch(
      e, e.ceilDiv(count, threads), threads, {}, [&](const ThreadPlace &place) {
        Value number = e.add(e.mul(place.block[0], threads), place.thread[0]);
        std::optional<int64_t> known = constantOf(count);
        if (known && *known % threads == 0)
          return body(number);
        e.branch(e.cmp(arith::CmpIPredicate::slt, number, count),
                 [&] { body(number); });
      });
}

MemRefType hone::sharedType(ArrayRef<int64_t> shape, Type element) {
  auto space = gpu::AddressSpaceAttr::get(element.getContext(),
                                          gpu::AddressSpace::Workgroup);
  return MemRefType::get(shape, element, MemRefLayoutAttrInterface(), space);
}

int64_t hone::bytesOf(MemRefType type) {
  return type.getNumElements() * bytesOfElement(type.getElementType());
}

void hone::emitBarrier(Emitter &e) { gpu::BarrierOp::create(e.builder, e.loc); }
