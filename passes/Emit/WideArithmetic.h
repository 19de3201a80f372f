// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Arithmetic in f64 on scalars and vectors, for functions of narrower floats.
#ifndef HONE_PASSES_EMIT_WIDEARITHMETIC_H
#define HONE_PASSES_EMIT_WIDEARITHMETIC_H

#include "mlir/IR/PatternMatch.h"

namespace hone {

class WideArithmetic {
public:
  /// `type` is a float, or a vector of them, of at most 64 bits. With
  /// `branches`, code for rare arguments only runs if there are any.
  WideArithmetic(mlir::PatternRewriter &rewriter, mlir::Location loc,
                 mlir::Type type, bool branches = false);

  mlir::Value widen(mlir::Value value);
  mlir::Value narrow(mlir::Value value);

  mlir::Value constant(double value);
  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value sub(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, mlir::Value b);
  mlir::Value div(mlir::Value a, mlir::Value b);
  mlir::Value fma(mlir::Value a, mlir::Value b, mlir::Value c);
  mlir::Value abs(mlir::Value a);
  mlir::Value floor(mlir::Value a);
  mlir::Value sqrt(mlir::Value a);
  mlir::Value copySign(mlir::Value a, mlir::Value sign);
  mlir::Value less(mlir::Value a, mlir::Value b);
  mlir::Value equal(mlir::Value a, mlir::Value b);
  mlir::Value isNan(mlir::Value a);
  mlir::Value isNegative(mlir::Value a); ///< Of -0 as well.
  mlir::Value both(mlir::Value a, mlir::Value b);
  mlir::Value either(mlir::Value a, mlir::Value b);
  mlir::Value negate(mlir::Value condition);
  mlir::Value select(mlir::Value condition, mlir::Value a, mlir::Value b);
  mlir::Value addInteger(mlir::Value a, int64_t b);
  mlir::Value hasBit(mlir::Value integer, int64_t bit);
  /// Coefficients from the constant term up.
  mlir::Value series(mlir::Value x, llvm::ArrayRef<double> coefficients);

  /// The exponential function; beyond the range of f32 the result is some
  /// number out of its range.
  mlir::Value exp(mlir::Value x);
  /// The natural logarithm of a normal number.
  mlir::Value log(mlir::Value x);
  /// x to the power of y, from that of |x|: signs and special values.
  mlir::Value powerOf(mlir::Value x, mlir::Value y, mlir::Value magnitude);
  /// |x| = r + n pi / 2, for an x that was f32; n (i64) is exact in its last
  /// two bits.
  std::pair<mlir::Value, mlir::Value> reduceAngle(mlir::Value x);
  /// The remainder of the division a / b that has the sign of `a`; scalars.
  mlir::Value remainder(mlir::Value a, mlir::Value b);

protected:
  /// Added to a number below 2^51 it leaves the nearest integer in the low
  /// bits.
  static constexpr double kRound = 6755399441055744.0;

  mlir::Value integer(int64_t value);
  mlir::Value bits(mlir::Value a);
  mlir::Value fromBits(mlir::Value a);
  mlir::Type integerType();

  mlir::PatternRewriter &rewriter;
  mlir::Location loc;
  mlir::Type narrowType, type;

private:
  bool branches;
  std::pair<mlir::Value, mlir::Value> reduceLargeAngle(mlir::Value a);
};

} // namespace hone

#endif // HONE_PASSES_EMIT_WIDEARITHMETIC_H
