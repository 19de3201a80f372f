// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Math functions as arithmetic, so that they vectorize; those without an
// accurate expansion are left to libm, element by element.
#include "passes/Cpu/Passes.h"

#include "dialects/Machine/Machine.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "passes/Emit/Combiner.h"
#include "passes/Emit/Emit.h"
#include "llvm/ADT/bit.h"

#include <limits>

namespace hone {
#define GEN_PASS_DEF_EXPANDMATHPASS
#include "passes/Cpu/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;

namespace {
/// Arithmetic on a scalar or vector of f32.
class Arithmetic {
public:
  /// With `scales` there is an instruction that multiplies each element of a
  /// vector of 512 bits by a power of two.
  Arithmetic(PatternRewriter &rewriter, Location loc, Type type, bool scales)
      : rewriter(rewriter), loc(loc), type(type) {
    auto vector = dyn_cast<VectorType>(type);
    this->scales = scales && vector && vector.getRank() == 1 &&
                   vector.getNumElements() >= 16 &&
                   llvm::isPowerOf2_64(vector.getNumElements());
  }

  Value constant(float value) {
    return splat(rewriter, loc, type, rewriter.getF32FloatAttr(value));
  }
  Value integer(int32_t value) {
    return splat(rewriter, loc, integerType(),
                 rewriter.getI32IntegerAttr(value));
  }
  Type integerType() {
    Type i32 = IntegerType::get(type.getContext(), 32);
    if (auto vector = dyn_cast<VectorType>(type))
      return vector.clone(i32);
    return i32;
  }

  Value add(Value a, Value b) {
    return arith::AddFOp::create(rewriter, loc, a, b);
  }
  Value sub(Value a, Value b) {
    return arith::SubFOp::create(rewriter, loc, a, b);
  }
  Value mul(Value a, Value b) {
    return arith::MulFOp::create(rewriter, loc, a, b);
  }
  Value fma(Value a, Value b, Value c) {
    return math::FmaOp::create(rewriter, loc, a, b, c);
  }
  Value less(Value a, Value b) {
    return arith::CmpFOp::create(rewriter, loc, arith::CmpFPredicate::OLT, a,
                                 b);
  }
  Value select(Value condition, Value a, Value b) {
    return arith::SelectOp::create(rewriter, loc, condition, a, b);
  }
  Value bits(Value a) {
    return arith::BitcastOp::create(rewriter, loc, integerType(), a);
  }
  Value fromBits(Value a) {
    return arith::BitcastOp::create(rewriter, loc, type, a);
  }
  Value shiftLeft(Value a, int32_t by) {
    return arith::ShLIOp::create(rewriter, loc, a, integer(by));
  }
  Value subBits(Value a, Value b) {
    return arith::SubIOp::create(rewriter, loc, a, b);
  }
  /// Coefficients from the highest power down.
  Value polynomial(Value x, ArrayRef<float> coefficients) {
    Value sum = constant(coefficients.front());
    for (float coefficient : coefficients.drop_front())
      sum = fma(sum, x, constant(coefficient));
    return sum;
  }

  /// exp(x) within 1 ulp.
  Value exp(Value x) {
    // At the upper limit the result is infinite. NaN propagates.
    Value high = constant(89.0f), limited = select(less(high, x), high, x);
    const float coefficients[] = {0x1.6a243ap-10f,
                                  0x1.1239ep-7f,
                                  0x1.5558f2p-5f,
                                  0x1.555492p-3f,
                                  0x1.fffffcp-2f,
                                  1.0f,
                                  1.0f};
    // Masked scores are far below where the result is 0. It must not be the
    // instructions that round it to 0: processors need hundreds of cycles then.
    if (scales) {
      Reduced reduced = reduceExponent(limited, 0);
      Value y = scale(polynomial(reduced.r, coefficients), reduced.n);
      return select(less(x, constant(-104.0f)), constant(0), y);
    }
    // 2^n is split into two powers, both normal numbers: their exponents add up
    // to n, each biased by 127. So results may be subnormal. At the lower limit
    // both powers are 0.
    Value low = constant(-176.0f);
    limited = select(less(limited, low), low, limited);
    Reduced reduced = reduceExponent(limited, 254);
    Value sum = bits(reduced.t),
          half = arith::ShRUIOp::create(rewriter, loc, sum, integer(1));
    Value y = polynomial(reduced.r, coefficients);
    y = mul(y, fromBits(shiftLeft(half, 23)));
    y = mul(y, fromBits(shiftLeft(subBits(sum, half), 23)));
    // Only this product becomes infinite: it must not become part of a fused
    // one, whose sum with another infinity is a number.
    return LLVM::CallIntrinsicOp::create(
               rewriter, loc, type,
               rewriter.getStringAttr("llvm.arithmetic.fence"), ValueRange{y})
        .getResult(0);
  }

  /// log(x) within 2 ulp.
  Value log(Value x) {
    Value zero = constant(0), one = constant(1);
    // Subnormal numbers are scaled to normal ones.
    Value isSmall = less(x, constant(0x1p-126f));
    Value scaled = select(isSmall, mul(x, constant(0x1p23f)), x);
    // scaled = 2^n (1 + f), with the factor between the roots of 1/2 and 2.
    Value n = subBits(bits(scaled), integer(0x3f3504f3));
    n = arith::ShRSIOp::create(rewriter, loc, n, integer(23));
    Value f = sub(fromBits(subBits(bits(scaled), shiftLeft(n, 23))), one);
    n = arith::SIToFPOp::create(rewriter, loc, type, n);
    n = sub(n, select(isSmall, constant(23), zero));
    Value square = mul(f, f);
    Value rest =
        polynomial(f, {7.0376836292e-2f, -1.1514610310e-1f, 1.1676998740e-1f,
                       -1.2420140846e-1f, 1.4249322787e-1f, -1.6668057665e-1f,
                       2.0000714765e-1f, -2.4999993993e-1f, 3.3333331174e-1f});
    rest = fma(n, constant(-2.12194440e-4f), mul(mul(rest, f), square));
    rest = fma(square, constant(-0.5f), rest);
    Value result = fma(n, constant(0.693359375f), add(f, rest));
    // Of 0 and infinity; of negative numbers and NaN it is NaN.
    Value infinity = constant(std::numeric_limits<float>::infinity());
    Value isOrdinary = arith::CmpFOp::create(
        rewriter, loc, arith::CmpFPredicate::OLT, zero, x);
    Value edge = arith::CmpFOp::create(rewriter, loc, arith::CmpFPredicate::OEQ,
                                       x, zero);
    Value other =
        select(edge, constant(-std::numeric_limits<float>::infinity()),
               constant(std::numeric_limits<float>::quiet_NaN()));
    result = select(less(x, infinity), result, x);
    return select(isOrdinary, result, other);
  }

  /// erf(x) within 1.2 ulp.
  Value erf(Value x) {
    Value sign =
        arith::AndIOp::create(rewriter, loc, bits(x), integer(INT32_MIN));
    Value t = fromBits(arith::XOrIOp::create(rewriter, loc, bits(x), sign));
    Value s = mul(x, x);
    Value small =
        polynomial(s, {-5.96761703e-4f, 4.99119423e-3f, -2.67681349e-2f,
                       1.12819925e-1f, -3.76125336e-1f, 1.28379166e-1f});
    small = fma(small, x, x);
    // 1 - exp(p(|x|)); beyond 4 the result is 1.
    Value four = constant(4.0f);
    Value u = select(less(four, t), four, t);
    Value p = polynomial(u, {-1.72853470e-5f, 3.83197126e-4f, -3.88396438e-3f,
                             2.42546219e-2f, -1.06777877e-1f, -6.34846687e-1f,
                             -1.12871751f});
    p = expInRange(mul(p, u), {0x1.0F9F9Cp-7f, 0x1.573A1Ap-5f, 0x1.555A80p-3f,
                               0x1.FFFDC6p-2f, 0x1.FFFFF6p-1f, 1.0f});
    Value large = sub(constant(1.0f), p);
    large = fromBits(arith::OrIOp::create(rewriter, loc, bits(large), sign));
    return select(less(constant(0.921875f), t), large, small);
  }

  /// asin(x) within 0.8 ulp.
  Value asin(Value x) {
    auto [isLarge, s, rest] = arcOfSine(x);
    Value factor = select(isLarge, constant(-2.0f), constant(1.0f));
    Value from = select(isLarge, constant(kHalfPi), constant(0.0f));
    Value fromRest = select(isLarge, constant(kHalfPiRest), constant(0.0f));
    rest = fma(rest, factor, fromRest);
    // pi / 2 - 2 s, and its rounding error.
    Value difference = fma(s, factor, from);
    rest = add(rest, fma(s, factor, sub(from, difference)));
    Value result = add(difference, rest);
    return math::CopySignOp::create(rewriter, loc, result, x);
  }

  /// acos(x) within 0.8 ulp: 2 a near 1, pi - 2 a near -1, otherwise pi / 2
  /// minus or plus a.
  Value acos(Value x) {
    Arc arc = arcOfSine(x);
    Value isNegative = less(x, constant(0.0f));
    auto choose = [&](float nearOne, float nearMinusOne, float positive,
                      float negative) {
      return select(
          arc.isLarge,
          select(isNegative, constant(nearMinusOne), constant(nearOne)),
          select(isNegative, constant(negative), constant(positive)));
    };
    Value factor = choose(2, -2, -1, 1);
    Value from = choose(0, 2 * kHalfPi, kHalfPi, kHalfPi);
    Value fromRest = choose(0, 2 * kHalfPiRest, kHalfPiRest, kHalfPiRest);
    return add(from, fma(arc.s, factor, fma(arc.rest, factor, fromRest)));
  }

private:
  /// pi / 2 in two parts.
  static constexpr float kHalfPi = 1.57079637f, kHalfPiRest = -4.37113883e-8f;

  struct Arc {
    Value isLarge, s, rest;
  };
  /// asin(s) as s + rest: of s = |x|, or above 1 / 2 of the root of (1 - |x|) /
  /// 2, which is NaN if there is none.
  Arc arcOfSine(Value x) {
    Value a = math::AbsFOp::create(rewriter, loc, x), half = constant(0.5f);
    Value isLarge = less(half, a);
    Value z = select(isLarge, fma(a, constant(-0.5f), half), mul(a, a));
    Value s = select(isLarge, math::SqrtOp::create(rewriter, loc, z), a);
    Value p = polynomial(z, {0x1.59dacp-5f, 0x1.8ba262p-6f, 0x1.748c64p-5f,
                             0x1.33014ep-4f, 0x1.5555cap-3f});
    // The rounding error of the root; no root is so small that the sum changes.
    Value off =
        select(isLarge, fma(mul(s, constant(-1.0f)), s, z), constant(0.0f));
    off = arith::DivFOp::create(rewriter, loc, off,
                                fma(s, constant(2.0f), constant(0x1p-60f)));
    return {isLarge, s, fma(mul(p, z), s, off)};
  }

  /// Adding it leaves an integer in the low bits.
  static constexpr float kMagic = 12582912.0f;

  /// x = n ln 2 + r; t is a float with n + offset in its low bits, which a
  /// large number puts there.
  struct Reduced {
    Value t, n, r;
  };
  Reduced reduceExponent(Value x, int offset) {
    Value magic = constant(kMagic + static_cast<float>(offset));
    Value t = fma(x, constant(1.44269504f), magic);
    Value n = sub(t, magic);
    Value r = fma(n, constant(-0.693359375f), x);
    return {t, n, fma(n, constant(2.12194440e-4f), r)};
  }

  /// y 2^n, rounded once. LLVM's own operation takes integers, which the
  /// instruction does not.
  Value scale(Value y, Value n) {
    constexpr int64_t kLanes = 16;
    int64_t lanes = cast<VectorType>(y.getType()).getNumElements();
    if (lanes == kLanes) {
      Value all = arith::ConstantIntOp::create(rewriter, loc, -1, kLanes);
      Value mode = arith::ConstantIntOp::create(rewriter, loc, 4, 32);
      return LLVM::CallIntrinsicOp::create(
                 rewriter, loc, y.getType(),
                 rewriter.getStringAttr("llvm.x86.avx512.mask.scalef.ps.512"),
                 ValueRange{y, n, y, all, mode})
          .getResult(0);
    }
    auto [yLow, yHigh] = halvesOf(rewriter, loc, y);
    auto [nLow, nHigh] = halvesOf(rewriter, loc, n);
    return vector::ShuffleOp::create(
        rewriter, loc, scale(yLow, nLow), scale(yHigh, nHigh),
        llvm::to_vector(llvm::seq<int64_t>(lanes)));
  }

  /// exp(x) for results between 2^-125 and 1; the coefficients are those of
  /// exp(r).
  Value expInRange(Value x, ArrayRef<float> coefficients) {
    Reduced reduced = reduceExponent(x, 127);
    return mul(polynomial(reduced.r, coefficients),
               fromBits(shiftLeft(bits(reduced.t), 23)));
  }

  PatternRewriter &rewriter;
  Location loc;
  Type type;
  bool scales;
};

template <typename OpTy, Value (Arithmetic::*expansion)(Value)>
struct ExpandF32 : OpRewritePattern<OpTy> {
  ExpandF32(MLIRContext *context, bool scales)
      : OpRewritePattern<OpTy>(context), scales(scales) {}

  LogicalResult matchAndRewrite(OpTy op,
                                PatternRewriter &rewriter) const override {
    if (!getElementTypeOrSelf(op.getType()).isF32())
      return rewriter.notifyMatchFailure(op, "not f32");
    Arithmetic arithmetic(rewriter, op.getLoc(), op.getType(), scales);
    rewriter.replaceOp(op, (arithmetic.*expansion)(op.getOperand()));
    return success();
  }

private:
  bool scales;
};

/// To bf16, where that may be approximate, by the instruction, which takes
/// subnormal numbers for 0.
struct RoundFreely : OpRewritePattern<arith::TruncFOp> {
  explicit RoundFreely(MLIRContext *context)
      : OpRewritePattern(context, /*benefit=*/2) {}

  LogicalResult matchAndRewrite(arith::TruncFOp op,
                                PatternRewriter &rewriter) const override {
    auto flags = op.getFastmath().value_or(arith::FastMathFlags::none);
    auto type = dyn_cast<VectorType>(op.getIn().getType());
    if (!bitEnumContainsAll(flags, arith::FastMathFlags::afn) ||
        !getElementTypeOrSelf(op.getType()).isBF16() || !type ||
        type.getRank() != 1 || type.getNumElements() != 16 ||
        !type.getElementType().isF32())
      return rewriter.notifyMatchFailure(op, "not the instruction's");
    rewriter.replaceOpWithNewOp<LLVM::CallIntrinsicOp>(
        op, op.getType(),
        rewriter.getStringAttr("llvm.x86.avx512bf16.cvtneps2bf16.512"),
        ValueRange(op.getIn()));
    return success();
  }
};

/// Without an instruction a fused multiply-add would be a call.
struct SplitFma : OpRewritePattern<math::FmaOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::FmaOp op,
                                PatternRewriter &rewriter) const override {
    Value product =
        arith::MulFOp::create(rewriter, op.getLoc(), op.getA(), op.getB());
    rewriter.replaceOpWithNewOp<arith::AddFOp>(op, product, op.getC());
    return success();
  }
};

/// A maximum or minimum that propagates NaN, by comparisons: `orNan` is true
/// for NaN, `ordered` is not.
template <typename OpTy, arith::CmpFPredicate ordered,
          arith::CmpFPredicate orNan>
struct ExpandExtremum : OpRewritePattern<OpTy> {
  using OpRewritePattern<OpTy>::OpRewritePattern;

  LogicalResult matchAndRewrite(OpTy op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value a = op.getLhs(), b = op.getRhs();
    // A comparison and a selection are one instruction.
    auto choose = [&](arith::CmpFPredicate predicate) -> Value {
      Value aWins = arith::CmpFOp::create(rewriter, loc, predicate, a, b);
      return arith::SelectOp::create(rewriter, loc, aWins, a, b);
    };
    if (matchPattern(b, m_Constant()) && !matchPattern(b, m_NaNFloat())) {
      rewriter.replaceOp(op, choose(orNan));
      return success();
    }
    // `b` if either is NaN, unless that is `a`.
    Value best = choose(ordered);
    Value isNumber =
        arith::CmpFOp::create(rewriter, loc, arith::CmpFPredicate::ORD, a, a);
    rewriter.replaceOpWithNewOp<arith::SelectOp>(op, isNumber, best, a);
    return success();
  }
};

/// The maximum or minimum of a vector, by halves: LLVM compares signs of zero
/// as well, lane by lane.
struct ExpandExtremumOfLanes : OpRewritePattern<vector::ReductionOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(vector::ReductionOp op,
                                PatternRewriter &rewriter) const override {
    vector::CombiningKind kind = op.getKind();
    int64_t lanes = op.getSourceVectorType().getNumElements();
    if ((kind != vector::CombiningKind::MAXIMUMF &&
         kind != vector::CombiningKind::MINIMUMF) ||
        !llvm::isPowerOf2_64(lanes))
      return rewriter.notifyMatchFailure(op, "not an extremum of floats");
    Location loc = op.getLoc();
    auto combine = [&](Value a, Value b) {
      return vector::makeArithReduction(rewriter, loc, kind, a, b);
    };
    Value rest = op.getVector();
    for (; lanes > 1; lanes /= 2) {
      auto [low, high] = halvesOf(rewriter, loc, rest);
      rest = combine(low, high);
    }
    Value result = vector::ExtractOp::create(rewriter, loc, rest, 0);
    if (Value start = op.getAcc())
      result = combine(start, result);
    rewriter.replaceOp(op, result);
    return success();
  }
};

bool isExpanded(StringRef name) {
  return llvm::is_contained({math::ExpM1Op::getOperationName(),
                             math::Log1pOp::getOperationName(),
                             math::TanhOp::getOperationName()},
                            name);
}

struct ExpandMathPass : hone::impl::ExpandMathPassBase<ExpandMathPass> {
  using Base::Base;
  void runOnOperation() override {
    const CpuMachine &machine = CpuMachine::of(getOperation());
    RewritePatternSet patterns(&getContext());
    if (machine.hasBf16Dot())
      patterns.add<RoundFreely>(&getContext());
    patterns.add<ExpandExtremum<arith::MaximumFOp, arith::CmpFPredicate::OGT,
                                arith::CmpFPredicate::UGT>,
                 ExpandExtremum<arith::MinimumFOp, arith::CmpFPredicate::OLT,
                                arith::CmpFPredicate::ULT>,
                 ExpandExtremumOfLanes>(&getContext());
    patterns.add<ExpandF32<math::ExpOp, &Arithmetic::exp>,
                 ExpandF32<math::LogOp, &Arithmetic::log>,
                 ExpandF32<math::ErfOp, &Arithmetic::erf>,
                 ExpandF32<math::AsinOp, &Arithmetic::asin>,
                 ExpandF32<math::AcosOp, &Arithmetic::acos>>(
        &getContext(), machine.vectorBits >= 512);
    if (!machine.hasFma())
      patterns.add<SplitFma>(&getContext());
    populateMathAlgebraicSimplificationPatterns(patterns);
    populateMathF32ExpansionPatterns(patterns, [](StringRef) { return true; });
    populateMathPolynomialApproximationPatterns(patterns, isExpanded);
    arith::populateExpandBFloat16Patterns(patterns);
    arith::populateCeilFloorDivExpandOpsPatterns(patterns);
    math::populateExpansionPatterns(patterns, {"round", "ipowi"});
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns)))) {
      getOperation()->emitError("math functions could not be expanded");
      return signalPassFailure();
    }
    getOperation()->walk([](arith::ArithFastMathInterface op) {
      if (isa<arith::AddFOp, arith::SubFOp, arith::MulFOp>(op))
        op->setAttr(op.getFastMathAttrName(),
                    arith::FastMathFlagsAttr::get(
                        op->getContext(), arith::FastMathFlags::contract));
    });
  }
};
} // namespace
