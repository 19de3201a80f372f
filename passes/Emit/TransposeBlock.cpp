// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Transposition in registers.
#include "passes/Emit/TransposeBlock.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace hone;

SmallVector<Value> hone::transposeBlock(Emitter &e, SmallVector<Value> rows) {
  int64_t size = rows.size();
  SmallVector<int64_t> low, high;
  for (int64_t i = 0; i < size / 2; ++i) {
    low.append({i, size + i});
    high.append({size / 2 + i, size + size / 2 + i});
  }
  // Each round interleaves the upper half with the lower.
  for (int64_t done = 1; done < size; done *= 2) {
    SmallVector<Value> next;
    for (int64_t i = 0; i < size / 2; ++i) {
      Value a = rows[i], b = rows[i + size / 2];
      next.push_back(vector::ShuffleOp::create(e.builder, e.loc, a, b, low));
      next.push_back(vector::ShuffleOp::create(e.builder, e.loc, a, b, high));
    }
    rows = next;
  }
  return rows;
}
