// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Numbers that are rounded, moved by a zero point, clamped and converted to a
// narrow integer: clamped first, they can be rounded by the instruction that
// converts them. A division before can be as exact as rounding needs it.
#include "dialects/Machine/Machine.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"
#include "passes/Cpu/Passes.h"
#include "passes/Emit/Emit.h"
#include <cmath>
#include <map>

namespace hone {
#define GEN_PASS_DEF_CLAMPBEFOREROUNDINGPASS
#include "passes/Cpu/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;

/// Bounds and zero points are smaller: f32 represents their sums.
static constexpr double kMaxBound = 1 << 20;
/// For quotients up to this one a division can become a product.
static constexpr int32_t kMaxDivided = 1 << 10;

/// The number that `value` is, perhaps in all lanes.
static std::optional<double> numberOf(Value value) {
  FloatAttr number;
  DenseElementsAttr lanes;
  if (matchPattern(value, m_Constant(&lanes)) && lanes.isSplat())
    number = dyn_cast<FloatAttr>(lanes.getSplatValue<Attribute>());
  else
    matchPattern(value, m_Constant(&number));
  if (!number)
    return std::nullopt;
  return number.getValueAsDouble();
}

static std::optional<int32_t> integerOf(Value value) {
  std::optional<double> number = numberOf(value);
  if (!number || !(std::abs(*number) <= kMaxBound) ||
      *number != std::floor(*number))
    return std::nullopt;
  return static_cast<int32_t>(*number);
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

namespace {
/// The reciprocal of a number: the first part is not above it.
struct Reciprocal {
  float high, low;
};
} // namespace

/// The reciprocal of `divisor`, if x * high + x * low with one rounding is as
/// good as x / divisor for quotients that are rounded to integers up to
/// `bound`. Both grow with x: they agree if they do around the arguments where
/// the integer changes.
static std::optional<Reciprocal> reciprocalFor(float divisor, int32_t bound) {
  if (!(divisor > 0) || !std::isnormal(divisor))
    return std::nullopt;
  double inverse = 1.0 / divisor;
  Reciprocal found{static_cast<float>(inverse), 0};
  // Parts of one sign: those of infinity times them have it too.
  if (found.high > inverse)
    found.high = std::nextafter(found.high, 0.0f);
  found.low = static_cast<float>(inverse - found.high);
  if (!std::isnormal(found.high) || !std::isnormal(found.low))
    return std::nullopt;
  constexpr int kNeighbors = 4;
  for (int32_t n = 0; n <= bound; ++n) {
    float x = static_cast<float>((n + 0.5) * divisor);
    for (int i = 0; i < kNeighbors; ++i)
      x = std::nextafter(x, 0.0f);
    for (int i = 0; i <= 2 * kNeighbors; ++i) {
      float quotient = x / divisor;
      float sum = std::fma(x, found.high, x * found.low);
      if (std::nearbyint(quotient) != std::nearbyint(sum))
        return std::nullopt;
      x = std::nextafter(x, std::numeric_limits<float>::infinity());
    }
  }
  return found;
}

/// The number as i32, without the offset.
static Value roundToIntegers(OpBuilder &b, Location loc, Value value,
                             const Rounding &rounding) {
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

private:
  /// What is rounded, without a division if possible.
  Value multiplied(OpBuilder &b, const Rounding &rounding) {
    auto division = rounding.number.getDefiningOp<arith::DivFOp>();
    std::optional<double> divisor =
        division ? numberOf(division.getRhs()) : std::nullopt;
    int32_t bound = std::max(rounding.high - rounding.offset,
                             rounding.offset - rounding.low);
    if (!divisor || bound > kMaxDivided ||
        !CpuMachine::of(getOperation()).hasFma())
      return rounding.number;
    auto [known, isNew] = reciprocals.try_emplace({*divisor, bound});
    if (isNew)
      known->second = reciprocalFor(static_cast<float>(*divisor), bound);
    if (!known->second)
      return rounding.number;
    Location loc = division.getLoc();
    Type type = division.getType();
    Value x = division.getLhs();
    auto part = [&](float number) {
      return splat(b, loc, type, b.getF32FloatAttr(number));
    };
    Value low = arith::MulFOp::create(b, loc, x, part(known->second->low));
    return math::FmaOp::create(b, loc, x, part(known->second->high), low);
  }

  /// Rewrites a conversion; numbers that are made of its result again start
  /// from the integers of 32 bits.
  void rewrite(Operation *op, const Rounding &rounding) {
    OpBuilder b(op);
    Location loc = op->getLoc();
    Value rounded = roundToIntegers(b, loc, multiplied(b, rounding), rounding);
    Value moved = rounded;
    if (rounding.offset != 0)
      moved =
          arith::AddIOp::create(b, loc, rounded,
                                splat(b, loc, rounded.getType(),
                                      b.getI32IntegerAttr(rounding.offset)));
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

  std::map<std::pair<double, int32_t>, std::optional<Reciprocal>> reciprocals;
};
} // namespace
