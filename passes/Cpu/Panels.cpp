// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The operands of products as tiles read them: panels on the right, and rows on
// the left.
#include "passes/Cpu/Panels.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Emit/Epilogue.h"

using namespace mlir;
using namespace hone;

PanelPlace hone::placeInPanels(Emitter &e, int64_t columns, Value firstPanel,
                               Value firstColumn, int64_t offset,
                               Value panels) {
  constexpr int64_t width = graph::kPanelWidth;
  PanelPlace place;
  if (columns % width == 0) {
    place = {e.add(firstPanel, offset / width), e.cst(offset % width)};
  } else {
    Value column = e.add(firstColumn, offset);
    place = {e.div(column, e.cst(width)), e.rem(column, e.cst(width))};
  }
  if (panels && columns > width)
    place.panel = e.min(place.panel, e.sub(panels, e.cst(1)));
  return place;
}

void hone::emitWidening(Emitter &e, const MicroKernel &form, Type accumulator,
                        int64_t lanes, const FlatBuffer &panels,
                        ArrayRef<Value> sources, Value count,
                        const FlatBuffer &wide, int64_t pitch) {
  auto type = VectorType::get({lanes}, accumulator);
  e.loop(e.cst(0), count, form.kr, {}, [&](Value k, ValueRange) {
    for (auto [v, source] : llvm::enumerate(sources)) {
      Value offset = e.add(source, e.mul(k, graph::kPanelWidth));
      SmallVector<Value> parts =
          form.loadRight(e, panels, offset, type, nullptr);
      for (auto [i, part] : llvm::enumerate(parts))
        wide.store(e, e.add(e.mul(e.add(k, i), pitch), v * lanes), part);
    }
    return SmallVector<Value>();
  });
}

void hone::emitConversion(Emitter &e, const CpuMachine &machine,
                          const MicroKernel &form, const ProductTypes &types,
                          int64_t lanes, const FlatBuffer &from, Value source,
                          const FlatBuffer &to, Value target, Value count) {
  Type type = form.leftType(types);
  // For matrices, elements that have the type are copied by whole vectors.
  if (form.hasMatrices() && types.lhs == type)
    lanes = form.depth();
  auto convert = [&](Value i, int64_t width, Value mask) {
    Value values = from.load(e, e.add(source, i), width, mask);
    to.store(e, e.add(target, i), form.convertLeft(e, from, values, types));
  };
  // Widened bytes fill vectors that are longer than those of sums.
  int64_t longer = lanes;
  if (isa<IntegerType>(type) && !form.hasMatrices())
    longer = form.vectorBits(machine) / type.getIntOrFloatBitWidth();
  Value whole = e.cst(0);
  if (longer > lanes) {
    whole = e.sub(count, e.rem(count, e.cst(longer)));
    e.loop(e.cst(0), whole, longer, {}, [&](Value i, ValueRange) {
      convert(i, longer, nullptr);
      return SmallVector<Value>();
    });
  }
  forVectors(e, e.sub(count, whole), lanes, [&](Value i, Value mask) {
    convert(e.add(whole, i), lanes, mask);
  });
}

int64_t hone::orderedWidth(int64_t count) {
  int64_t width = graph::PackedAttr::kOrderedBlock;
  return count % (2 * width) == 0 ? 2 * width : width;
}

FlatBuffer hone::makeOrdered(Emitter &e, int64_t rows) {
  return makeScratch(e, rows * 2 * graph::PackedAttr::kOrderedBlock,
                     e.builder.getI8Type());
}

void hone::emitOrdering(Emitter &e, const FlatBuffer &from,
                        ArrayRef<Value> sources, const FlatBuffer &orders,
                        Value order, int64_t width, const FlatBuffer &to) {
  // Halves of 16 bytes are permuted, each by itself.
  StringRef intrinsic = width == graph::PackedAttr::kOrderedBlock
                            ? "llvm.x86.ssse3.pshuf.b.128"
                            : "llvm.x86.avx2.pshuf.b";
  Value places = orders.load(e, order, width);
  for (auto [i, source] : llvm::enumerate(sources)) {
    if (!source)
      continue;
    Value loaded = from.load(e, source, width);
    auto permuted = LLVM::CallIntrinsicOp::create(
        e.builder, e.loc, loaded.getType(), e.builder.getStringAttr(intrinsic),
        ValueRange{loaded, places});
    to.store(e, e.cst(i * width), permuted.getResult(0));
  }
}

Value OrderedPanels::order(Emitter &e, const PanelPlace &place) const {
  Value half = e.div(place.column, e.cst(graph::PackedAttr::kHalf));
  return e.add(e.add(start(e, place), layout.ordersOffset(k)), e.mul(half, k));
}

SmallVector<Value> hone::emitCorrections(Emitter &e, const ProductTile &tile,
                                         const FlatBuffer &a,
                                         const OrderedPanels &panels,
                                         const PanelPlace &place, RowsAt rowsAt,
                                         ValueRange sums) {
  graph::PackedAttr layout = panels.layout;
  int64_t stepBytes = layout.getNr() * layout.getKr();
  constexpr int64_t positionBytes = graph::PackedAttr::kPositionBytes;
  int64_t halves = layout.getNr() / graph::PackedAttr::kHalf;
  Value start = panels.start(e, place);
  Value half = e.div(place.column, e.cst(graph::PackedAttr::kHalf));
  Value positions = e.add(e.add(start, layout.positionsOffset(panels.k)),
                          e.mul(half, positionBytes));
  Value factors = e.add(e.add(start, layout.correctionsOffset(panels.k)),
                        e.mul(place.column, layout.getKr()));
  auto words = VectorType::get({positionBytes / 4}, e.builder.getI32Type());
  return e.loop(
      e.cst(0), e.cst(*layout.getCorrections()), 1, sums,
      [&](Value i, ValueRange carried) {
        Value at = e.add(positions, e.mul(i, halves * positionBytes));
        Value loaded = vector::BitCastOp::create(
            e.builder, e.loc, words, panels.buffer.load(e, at, positionBytes));
        SmallVector<Value> position;
        for (int64_t j = 0; j < words.getNumElements(); ++j)
          position.push_back(arith::IndexCastOp::create(
              e.builder, e.loc, e.builder.getIndexType(),
              vector::ExtractOp::create(e.builder, e.loc, loaded, j)));
        ProductTile::Segment segment(a, panels.buffer);
        segment.count = e.cst(layout.getKr());
        segment.bStep = e.cst(layout.getNr());
        segment.aOffsets = rowsAt(position);
        segment.bOffsets.push_back(e.add(factors, e.mul(i, stepBytes)));
        return tile.accumulate(segment, carried);
      });
}
