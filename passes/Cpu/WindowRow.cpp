// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Vectors of adjacent outputs along the last dimension of a windowed operation:
// with masks where windows leave the input, if the machine has them.
#include "passes/Cpu/WindowRow.h"
#include "passes/Machine/Tuning.h"

using namespace mlir;
using namespace hone;

/// Groups of vectors that cover a row of known size, as equal as possible.
static void emitStaticRow(Emitter &e, const WindowRow &row, int64_t size) {
  int64_t vectors = llvm::divideCeil(size, row.lanes);
  int64_t groups = llvm::divideCeil(vectors, row.maxVectors);
  for (int64_t group = 0, first = 0; group < groups; ++group) {
    int64_t count = llvm::divideCeil(vectors - first, groups - group);
    int64_t start = first * row.lanes;
    row.emitVectors(e.cst(start), count, e.cst(size - start));
    first += count;
  }
}

void hone::emitWindowRow(Emitter &e, const CpuMachine &machine,
                         const Window &window, const WindowRow &row) {
  size_t last = window.spatial() - 1;
  Value size = window.out[last];
  bool masks = machine.hasMasks(row.element.getIntOrFloatBitWidth());
  std::optional<int64_t> known = constantOf(size);
  if (masks && known && *known <= tuning::kMaxUnrolledVectors * row.lanes)
    return emitStaticRow(e, row, *known);

  auto vectors = [&](Value low, Value high, int64_t count) {
    e.loop(low, high, count * row.lanes, {}, [&](Value at, ValueRange) {
      row.emitVectors(at, count, nullptr);
      return SmallVector<Value>();
    });
  };
  auto border = [&](Value low, Value high) {
    if (!masks)
      return e.loop(low, high, row.emitScalar);
    e.loop(low, high, row.lanes, {}, [&](Value at, ValueRange) {
      row.emitVectors(at, 1, e.sub(high, at));
      return SmallVector<Value>();
    });
  };
  auto [low, high] = window.interior(e, last);
  if (masks)
    low = e.min(e.mul(e.ceilDiv(low, row.lanes), row.lanes), size);
  // The last place before `high` that is reached in steps from `from`.
  auto reach = [&](Value from, int64_t step) {
    Value left = e.max(e.sub(high, from), e.cst(0));
    return e.add(from, e.sub(left, e.rem(left, e.cst(step))));
  };
  Value grouped = reach(low, row.maxVectors * row.lanes);
  Value end = reach(grouped, row.lanes);
  border(e.cst(0), low);
  vectors(low, grouped, row.maxVectors);
  if (row.maxVectors > 1)
    vectors(grouped, end, 1);
  border(end, size);
}
