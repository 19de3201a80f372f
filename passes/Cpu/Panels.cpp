// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The operands of products as tiles read them: panels on the right, and rows on
// the left.
#include "passes/Cpu/Panels.h"
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
