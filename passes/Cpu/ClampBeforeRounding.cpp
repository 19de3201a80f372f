// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Numbers that are rounded, moved by a zero point, clamped and converted to a
// narrow integer: clamped first, they can be rounded by the instruction that
// converts them.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"
#include "passes/Cpu/Passes.h"
#include <cmath>

namespace hone {
#define GEN_PASS_DEF_CLAMPBEFOREROUNDINGPASS
#include "passes/Cpu/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;

/// Bounds and zero points are smaller: f32 represents their sums.
static constexpr double kMaxBound = 1 << 20;

/// The integer that `value` is, perhaps in all lanes.
static std::optional<int32_t> integerOf(Value value) {
  FloatAttr number;
  DenseElementsAttr lanes;
  if (matchPattern(value, m_Constant(&lanes)) && lanes.isSplat())
    number = dyn_cast<FloatAttr>(lanes.getSplatValue<Attribute>());
  else
    matchPattern(value, m_Constant(&number));
  if (!number)
    return std::nullopt;
  double real = number.getValueAsDouble();
  if (!(std::abs(real) <= kMaxBound) || real != std::floor(real))
    return std::nullopt;
  return static_cast<int32_t>(real);
}

namespace {
/// clamp(round(number) + offset), with 0 instead of NaN.
struct Rounding {
  Value number;
  int32_t offset = 0, low = 0, high = 0;
};
} // namespace

/// The value that `value` is unless it exceeds `bound`, as `predicate` has it.
static Value matchBound(Value value, arith::CmpFPredicate predicate,
                        int32_t &bound) {
  auto select = value.getDefiningOp<arith::SelectOp>();
  auto compare =
      select ? select.getCondition().getDefiningOp<arith::CmpFOp>() : nullptr;
  if (!compare || compare.getPredicate() != predicate ||
      compare.getLhs() != select.getFalseValue() ||
      compare.getRhs() != select.getTrueValue())
    return {};
  std::optional<int32_t> number = integerOf(select.getTrueValue());
  if (!number)
    return {};
  bound = *number;
  return select.getFalseValue();
}

static std::optional<Rounding> matchRounding(Value value) {
  Rounding found;
  value = matchBound(value, arith::CmpFPredicate::OGT, found.high);
  if (value)
    value = matchBound(value, arith::CmpFPredicate::OLT, found.low);
  auto select = value ? value.getDefiningOp<arith::SelectOp>() : nullptr;
  auto isNumber =
      select ? select.getCondition().getDefiningOp<arith::CmpFOp>() : nullptr;
  if (!isNumber || integerOf(select.getFalseValue()) != 0)
    return std::nullopt;
  value = select.getTrueValue();
  if (isNumber.getPredicate() != arith::CmpFPredicate::OEQ ||
      isNumber.getLhs() != value || isNumber.getRhs() != value)
    return std::nullopt;
  if (auto sum = value.getDefiningOp<arith::AddFOp>()) {
    std::optional<int32_t> offset = integerOf(sum.getRhs());
    if (!offset)
      return std::nullopt;
    found.offset = *offset;
    value = sum.getLhs();
  }
  auto round = value.getDefiningOp<math::RoundEvenOp>();
  if (!round || found.low > 0 || found.high < 0)
    return std::nullopt;
  found.number = round.getOperand();
  return found;
}

static Value splat(OpBuilder &b, Location loc, Type type, TypedAttr number) {
  if (auto vector = dyn_cast<VectorType>(type))
    number = DenseElementsAttr::get(vector, Attribute(number));
  return arith::ConstantOp::create(b, loc, number);
}

/// The number as i32, without the offset.
static Value roundToIntegers(OpBuilder &b, Location loc,
                             const Rounding &rounding) {
  Value value = rounding.number;
  Type type = value.getType(), integers = b.getI32Type();
  auto real = [&](int32_t number) {
    return splat(b, loc, type, b.getF32FloatAttr(static_cast<float>(number)));
  };
  // As the instructions do, these take the bound where the number is NaN.
  auto clamp = [&](arith::CmpFPredicate predicate, int32_t bound) {
    Value limit = real(bound - rounding.offset);
    Value isInside = arith::CmpFOp::create(b, loc, predicate, value, limit);
    value = arith::SelectOp::create(b, loc, isInside, value, limit);
  };
  // Otherwise the lower bound is what NaN becomes.
  if (rounding.low != 0) {
    Value isNumber =
        arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, value, value);
    value = arith::SelectOp::create(b, loc, isNumber, value,
                                    real(-rounding.offset));
  }
  clamp(arith::CmpFPredicate::OGT, rounding.low);
  clamp(arith::CmpFPredicate::OLT, rounding.high);
  if (auto vector = dyn_cast<VectorType>(type))
    integers = vector.clone(integers);
  return LLVM::CallIntrinsicOp::create(
             b, loc, integers, b.getStringAttr("llvm.lrint"), ValueRange{value})
      .getResult(0);
}

/// Whether `user` converts the integers that `op` makes back to f32.
static bool convertsBack(Operation *op, Operation *user) {
  return (isa<arith::FPToUIOp>(op) ? isa<arith::UIToFPOp>(user)
                                   : isa<arith::SIToFPOp>(user)) &&
         getElementTypeOrSelf(user->getResult(0)).isF32();
}

/// Rewrites a conversion; numbers that are made of its result again start from
/// the integers of 32 bits.
static void rewrite(Operation *op, const Rounding &rounding) {
  OpBuilder b(op);
  Location loc = op->getLoc();
  Value rounded = roundToIntegers(b, loc, rounding), moved = rounded;
  if (rounding.offset != 0)
    moved = arith::AddIOp::create(
        b, loc, rounded,
        splat(b, loc, rounded.getType(), b.getI32IntegerAttr(rounding.offset)));
  auto toReal = [&](Operation *replaced, Value integers) {
    OpBuilder before(replaced);
    Type type = replaced->getResult(0).getType();
    replaced->getResult(0).replaceAllUsesWith(
        arith::SIToFPOp::create(before, replaced->getLoc(), type, integers));
    replaced->erase();
  };
  for (Operation *user : llvm::make_early_inc_range(op->getUsers())) {
    if (!convertsBack(op, user))
      continue;
    for (Operation *next : llvm::make_early_inc_range(user->getUsers()))
      if (auto difference = dyn_cast<arith::SubFOp>(next))
        if (difference.getLhs() == user->getResult(0) &&
            integerOf(difference.getRhs()) == rounding.offset)
          toReal(next, rounded);
    toReal(user, moved);
  }
  Value result = op->getResult(0);
  result.replaceAllUsesWith(
      arith::TruncIOp::create(b, loc, result.getType(), moved));
  op->erase();
}

namespace {
struct ClampBeforeRoundingPass
    : hone::impl::ClampBeforeRoundingPassBase<ClampBeforeRoundingPass> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<Operation *> conversions;
    getOperation().walk([&](Operation *op) {
      if (isa<arith::FPToUIOp, arith::FPToSIOp>(op) &&
          getElementTypeOrSelf(op->getOperand(0)).isF32() &&
          getElementTypeOrSelf(op->getResult(0)).getIntOrFloatBitWidth() <= 16)
        conversions.push_back(op);
    });
    for (Operation *op : conversions)
      if (std::optional<Rounding> rounding = matchRounding(op->getOperand(0)))
        rewrite(op, *rounding);
  }
};
} // namespace
