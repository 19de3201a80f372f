// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What tiles of sums have in common.
#include "passes/Cpu/ProductTile.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "passes/Cpu/MatrixTile.h"
#include "passes/Cpu/RegisterTile.h"

using namespace mlir;
using namespace hone;

std::unique_ptr<ProductTile>
hone::makeTile(Emitter &e, const CpuMachine &machine, const MicroKernel &form,
               const std::optional<MatrixRegisters> &registers,
               Type accumulator, TileShape shape) {
  if (registers)
    return std::make_unique<MatrixTile>(e, form, *registers, shape);
  return std::make_unique<RegisterTile>(e, machine, form, accumulator, shape);
}

void ProductTile::prefetch(Emitter &e, const Segment &segment, Value k,
                           int64_t count) {
  const auto &[offsets, advance] = segment.prefetch;
  int64_t bytes = segment.b.elementType().getIntOrFloatBitWidth() / 8;
  int64_t perLine = kCacheLineBytes / bytes;
  for (Value offset : offsets) {
    Value first = e.add(offset, e.mul(k, advance));
    for (int64_t i = 0; i < count * advance; i += perLine)
      segment.b.prefetch(e, e.add(first, i));
  }
}

void hone::forbidUnrolling(Emitter &e) {
  Block *block = e.builder.getInsertionBlock();
  Block::iterator point = e.builder.getInsertionPoint();
  if (point == block->begin())
    return;
  auto loop = dyn_cast<scf::ForOp>(*std::prev(point));
  if (!loop)
    return;
  Builder b(loop.getContext());
  auto unroll = LLVM::LoopUnrollAttr::get(
      b.getContext(), /*disable=*/b.getBoolAttr(true), {}, {}, {}, {}, {}, {});
  // By this name the branch back gets it, and LLVM with it.
  loop->setDiscardableAttr(
      "loop_annotation",
      LLVM::LoopAnnotationAttr::get(b.getContext(), {}, {}, {}, unroll, {}, {},
                                    {}, {}, {}, {}, {}, {}, {}, {}, {}));
}
