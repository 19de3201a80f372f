// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Functions of f64 to a few units in the last place.
#ifndef HONE_PASSES_GPU_MATH_DOUBLEMATH_H
#define HONE_PASSES_GPU_MATH_DOUBLEMATH_H

#include "passes/Emit/WideArithmetic.h"

namespace hone {

/// On scalars. Reductions and series are those of W. J. Cody and W. Waite,
/// "Software Manual for the Elementary Functions" (1980); values that need more
/// than 53 bits are sums of two numbers (T. J. Dekker, "A Floating-Point
/// Technique for Extending the Available Precision", 1971).
class DoubleMath : public WideArithmetic {
public:
  DoubleMath(mlir::PatternRewriter &rewriter, mlir::Location loc);

  mlir::Value exp(mlir::Value x);
  mlir::Value exp2(mlir::Value x);
  mlir::Value expm1(mlir::Value x);
  mlir::Value log(mlir::Value x);
  mlir::Value log2(mlir::Value x);
  mlir::Value log10(mlir::Value x);
  mlir::Value log1p(mlir::Value x);
  mlir::Value pow(mlir::Value x, mlir::Value y);
  mlir::Value cbrt(mlir::Value x);
  mlir::Value erf(mlir::Value x);

  mlir::Value sinh(mlir::Value x);
  mlir::Value cosh(mlir::Value x);
  mlir::Value tanh(mlir::Value x);
  mlir::Value asinh(mlir::Value x);
  mlir::Value acosh(mlir::Value x);
  mlir::Value atanh(mlir::Value x);

  mlir::Value sin(mlir::Value x);
  mlir::Value cos(mlir::Value x);
  mlir::Value tan(mlir::Value x);
  mlir::Value asin(mlir::Value x);
  mlir::Value acos(mlir::Value x);
  mlir::Value atan(mlir::Value x);
  mlir::Value atan2(mlir::Value y, mlir::Value x);

private:
  /// A sum of two numbers, the second below the last place of the first.
  struct Pair {
    mlir::Value high, low;
  };
  /// x = 2^exponent (1 + f), with 1 + f between the square roots of 1/2 and 2.
  struct Split {
    mlir::Value exponent, f;
  };

  mlir::Value product(mlir::Value a, mlir::Value b);
  Pair exactProduct(mlir::Value a, mlir::Value b);
  Pair exactSum(mlir::Value a, mlir::Value b);
  mlir::Value clamp(mlir::Value x, double low, double high);
  mlir::Value powerOfTwo(mlir::Value exponent);
  mlir::Value scaled(mlir::Value x, mlir::Value exponent);

  std::pair<Pair, mlir::Value> reduceExponent(Pair x);
  mlir::Value expm1OfRest(Pair rest);
  mlir::Value expOf(Pair x, int64_t exponent = 0);

  Split split(mlir::Value x);
  mlir::Value logOfRest(mlir::Value f, mlir::Value low);
  mlir::Value logSpecial(mlir::Value x, mlir::Value result);
  Pair logPair(mlir::Value x);

  std::pair<Pair, mlir::Value> reduceAngle(mlir::Value magnitude);
  std::pair<Pair, mlir::Value> reduceSmallAngle(mlir::Value magnitude);
  std::pair<Pair, mlir::Value> reduceLargeAngle(mlir::Value magnitude);
  std::pair<mlir::Value, mlir::Value> sineAndCosine(mlir::Value x);
  mlir::Value atanOfPositive(mlir::Value x);
  mlir::Value complement(mlir::Value x);
};

} // namespace hone

#endif // HONE_PASSES_GPU_MATH_DOUBLEMATH_H
