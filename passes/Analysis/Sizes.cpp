// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which sizes are known before a run, and the sizes of buffers in bytes.
#include "passes/Analysis/Sizes.h"
#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace hone;

bool hone::isPerChannel(RankedTensorType type, int64_t rank, int64_t dim) {
  for (int64_t i = 0; i < type.getRank(); ++i)
    if (type.getDimSize(i) != 1 && rank - type.getRank() + i != dim)
      return false;
  return true;
}

bool SizeAnalysis::followsFromFreeDims(Value value) {
  if (auto it = known.find(value); it != known.end())
    return it->second;
  Operation *op = value.getDefiningOp();
  bool result = op && (isa<graph::DimOp>(op) ||
                       (isa<arith::ArithDialect>(op->getDialect()) &&
                        llvm::all_of(op->getOperands(), [&](Value operand) {
                          return followsFromFreeDims(operand);
                        })));
  known[value] = result;
  return result;
}

int64_t hone::elementBits(Type type) {
  if (isa<graph::StringType>(type))
    return 128;
  if (auto complex = dyn_cast<ComplexType>(type))
    return 2 * elementBits(complex.getElementType());
  return type.isIntOrFloat() ? type.getIntOrFloatBitWidth() : 64;
}

std::optional<int64_t> hone::staticBytes(MemRefType type) {
  if (!type.hasStaticShape())
    return std::nullopt;
  int64_t bits = elementBits(type.getElementType());
  for (int64_t size : type.getShape())
    if (llvm::MulOverflow(bits, size, bits))
      return std::nullopt;
  return llvm::divideCeil(bits, 8);
}
