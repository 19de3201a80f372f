// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Bounds of an index: sums, products, quotients and clamps of coordinates.
#include "compiler/Import/Mlir/Raise/Range.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace hone::raise;

/// What a number of the type can hold.
static NumberRange rangeOf(Type type) {
  auto integer = dyn_cast<IntegerType>(type);
  if (!integer || integer.getWidth() >= 64)
    return {};
  int64_t half = int64_t(1) << (integer.getWidth() - 1);
  return {-half, half - 1};
}

static NumberRange multiply(NumberRange a, NumberRange b) {
  int64_t corners[4];
  if (llvm::MulOverflow(a.low, b.low, corners[0]) ||
      llvm::MulOverflow(a.low, b.high, corners[1]) ||
      llvm::MulOverflow(a.high, b.low, corners[2]) ||
      llvm::MulOverflow(a.high, b.high, corners[3]))
    return {};
  return {*llvm::min_element(corners), *llvm::max_element(corners)};
}

static NumberRange combine(Operation *op, NumberRange a, NumberRange b) {
  NumberRange result;
  if (isa<arith::MaxSIOp>(op))
    return {std::max(a.low, b.low), std::max(a.high, b.high)};
  if (isa<arith::MinSIOp>(op))
    return {std::min(a.low, b.low), std::min(a.high, b.high)};
  if (isa<arith::AddIOp>(op)) {
    if (llvm::AddOverflow(a.low, b.low, result.low) ||
        llvm::AddOverflow(a.high, b.high, result.high))
      return {};
    return result;
  }
  if (isa<arith::SubIOp>(op)) {
    if (llvm::SubOverflow(a.low, b.high, result.low) ||
        llvm::SubOverflow(a.high, b.low, result.high))
      return {};
    return result;
  }
  if (isa<arith::MulIOp>(op))
    return multiply(a, b);
  if (isa<arith::DivSIOp, arith::FloorDivSIOp, arith::DivUIOp>(op) &&
      a.low >= 0 && b.low > 0)
    return {a.low / b.high, a.high / b.low};
  if (isa<arith::RemSIOp, arith::RemUIOp>(op) && a.low >= 0 && b.low > 0)
    return {0, std::min(a.high, b.high - 1)};
  return {};
}

NumberRange hone::raise::rangeOf(Value value, const Limits &limits, int depth) {
  APInt number;
  if (matchPattern(value, m_ConstantInt(&number)) &&
      number.getSignificantBits() <= 64)
    return {number.getSExtValue(), number.getSExtValue()};
  if (OpFoldResult limit = limits.lookup(value))
    if (std::optional<int64_t> size = getConstantIntValue(limit);
        size && *size > 0)
      return {0, *size - 1};
  NumberRange any = ::rangeOf(value.getType());
  Operation *op = value.getDefiningOp();
  if (!op || depth > 8)
    return any;
  auto operand = [&](unsigned i) {
    return rangeOf(op->getOperand(i), limits, depth + 1);
  };
  NumberRange result;
  if (isa<arith::IndexCastOp, arith::ExtSIOp, arith::TruncIOp>(op)) {
    result = operand(0);
  } else if (isa<arith::SelectOp>(op)) {
    NumberRange a = operand(1), b = operand(2);
    result = {std::min(a.low, b.low), std::max(a.high, b.high)};
  } else if (op->getNumOperands() == 2 && op->getNumResults() == 1) {
    result = combine(op, operand(0), operand(1));
  }
  // What does not fit has wrapped around.
  return result.low < any.low || result.high > any.high ? any : result;
}
