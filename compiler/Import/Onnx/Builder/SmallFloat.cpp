// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Floats of 4 and 8 bits as integer arithmetic on their bits.
#include "compiler/Import/Onnx/Builder/SmallFloat.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <cmath>

using namespace mlir;
using namespace hone::onnx;

namespace {

/// Layout of a format: sign, exponent, mantissa.
struct Format {
  int exponentBits, mantissaBits, bias;
  int largest;  ///< bits of the largest finite number
  int overflow; ///< bits of the value above: infinity, or NaN without one; -1
                /// < if there is neither
  int nan;      ///< bits of NaN, -1 without
  bool noMinusZero; ///< the bits of -0 are the NaN
};

Format formatOf(ElementType type) {
  switch (type) {
  case ElementType::Float8E4M3FN:
    return {4, 3, 7, 0x7e, 0x7f, 0x7f, false};
  case ElementType::Float8E4M3FNUZ:
    return {4, 3, 8, 0x7f, 0x80, 0x80, true};
  case ElementType::Float8E5M2:
    return {5, 2, 15, 0x7b, 0x7c, 0x7e, false};
  case ElementType::Float8E5M2FNUZ:
    return {5, 2, 16, 0x7f, 0x80, 0x80, true};
  default: // Float4E2M1
    return {2, 1, 1, 0x7, -1, -1, false};
  }
}

Scalar bitsOf(const Scalar &x) {
  ScalarBuilder &s = *x.builder;
  return s.wrap(s.builder.createOrFold<arith::BitcastOp>(
      s.loc, s.builder.getI32Type(), x.value));
}

Scalar floatOf(const Scalar &bits) {
  ScalarBuilder &s = *bits.builder;
  return s.wrap(s.builder.createOrFold<arith::BitcastOp>(
      s.loc, s.builder.getF32Type(), bits.value));
}

Scalar logicalShiftRight(Scalar x, int by) {
  x.isUnsigned = true;
  Scalar shifted = shiftRight(x, x.builder->integer(x.type(), by, true));
  shifted.isUnsigned = false;
  return shifted;
}

Scalar mask(const Scalar &x, int64_t bits) {
  return bitAnd(x, x.builder->integer(x.type(), bits));
}

} // namespace

Scalar hone::onnx::decodeSmallFloat(const Scalar &stored, ElementType type) {
  ScalarBuilder &s = *stored.builder;
  Type i32 = s.builder.getI32Type(), f32 = s.builder.getF32Type();
  Scalar bits =
      s.wrap(s.builder.createOrFold<arith::ExtUIOp>(s.loc, i32, stored.value));
  Scalar nan = s.constant(f32, NAN);
  if (type == ElementType::Float8E8M0) {
    // Only a power of two: the exponent of f32. 2^-127 is a subnormal there.
    Scalar power = floatOf(shiftLeft(bits, s.integer(i32, 23)));
    power = select(eq(bits, 0), s.constant(f32, std::ldexp(1.0, -127)), power);
    return select(eq(bits, 255), nan, power);
  }
  Format f = formatOf(type);
  int width = f.exponentBits + f.mantissaBits;
  Scalar magnitude = mask(bits, (1 << width) - 1);
  Scalar exponent = logicalShiftRight(magnitude, f.mantissaBits);
  Scalar subnormal =
      s.toFloat(magnitude, f32) * std::ldexp(1.0, 1 - f.bias - f.mantissaBits);
  Scalar moved = shiftLeft(magnitude, s.integer(i32, 23 - f.mantissaBits));
  Scalar normal = floatOf(moved + s.integer(i32, int64_t(127 - f.bias) << 23));
  Scalar value = select(eq(exponent, 0), subnormal, normal);
  if (type == ElementType::Float8E5M2) {
    value = select(eq(magnitude, 0x7c), s.constant(f32, INFINITY), value);
    value = select(gt(magnitude, 0x7c), nan, value);
  } else if (type == ElementType::Float8E4M3FN) {
    value = select(eq(magnitude, f.nan), nan, value);
  }
  Scalar negative = ne(mask(bits, 1 << width), 0);
  value = select(negative, -value, value);
  if (f.noMinusZero)
    value = select(eq(bits, f.nan), nan, value);
  return value;
}

/// E8M0 has neither sign nor zero: rounds up to a power of two, as is ONNX's
/// default.
static Scalar encodePowerOfTwo(const Scalar &x, bool saturate) {
  ScalarBuilder &s = *x.builder;
  Type i32 = s.builder.getI32Type();
  Scalar magnitude = mask(bitsOf(x), 0x7fffffff);
  Scalar exponent = logicalShiftRight(magnitude, 23);
  Scalar up = gt(mask(magnitude, 0x7fffff), 0);
  // Subnormals of f32 up to 2^-127 have the code 0.
  up = select(eq(exponent, 0), gt(magnitude, 1 << 22), up);
  Scalar code = exponent + select(up, s.integer(i32, 1), s.integer(i32, 0));
  if (saturate)
    code = select(gt(code, 254), s.integer(i32, 254), code);
  return select(isNan(x), s.integer(i32, 255), code);
}

Scalar hone::onnx::encodeSmallFloat(const Scalar &wide, ElementType type,
                                    bool saturate) {
  ScalarBuilder &s = *wide.builder;
  Type i32 = s.builder.getI32Type(), i8 = s.builder.getI8Type();
  Scalar x = s.toFloat(wide, s.builder.getF32Type());
  auto narrow = [&](const Scalar &code) {
    return s.wrap(
        s.builder.createOrFold<arith::TruncIOp>(s.loc, i8, code.value), true);
  };
  if (type == ElementType::Float8E8M0)
    return narrow(encodePowerOfTwo(x, saturate));

  Format f = formatOf(type);
  Scalar bits = bitsOf(x);
  Scalar magnitude = mask(bits, 0x7fffffff);
  // Below the smallest normal number the code is the value in units of the last
  // place.
  double smallestNormal = std::ldexp(1.0, 1 - f.bias),
         unit = std::ldexp(1.0, 1 - f.bias - f.mantissaBits);
  Scalar size = floatOf(magnitude);
  Scalar scaled = roundEven(
      select(lt(size, smallestNormal), size, s.like(size, 0)) * (1.0 / unit));
  Scalar subnormal =
      s.wrap(s.builder.createOrFold<arith::FPToSIOp>(s.loc, i32, scaled.value));
  // Above it the bits are rounded to nearest even and the exponent gets the
  // other bias.
  int shift = 23 - f.mantissaBits;
  Scalar odd = mask(logicalShiftRight(magnitude, shift), 1);
  Scalar rounded = logicalShiftRight(
      magnitude + odd + s.integer(i32, (1 << (shift - 1)) - 1), shift);
  Scalar normal = rounded - s.integer(i32, (127 - f.bias) << f.mantissaBits);
  Scalar code = select(lt(size, smallestNormal), subnormal, normal);

  Scalar tooLarge = gt(code, f.largest);
  Scalar infinite = eq(size, INFINITY);
  Scalar sign = shiftLeft(logicalShiftRight(bits, 31),
                          s.integer(i32, f.exponentBits + f.mantissaBits));
  if (saturate || f.overflow < 0) {
    code = select(bitOr(tooLarge, infinite), s.integer(i32, f.largest), code);
    code = bitOr(code, sign);
  } else if (f.noMinusZero) {
    code = select(bitOr(tooLarge, infinite), s.integer(i32, f.overflow),
                  bitOr(code, sign));
  } else {
    code = bitOr(
        select(bitOr(tooLarge, infinite), s.integer(i32, f.overflow), code),
        sign);
  }
  if (f.noMinusZero) // -0 would be read as NaN.
    code = select(
        bitAnd(eq(code, 0x80), bitAnd(bitNot(tooLarge), bitNot(infinite))),
        s.integer(i32, 0), code);
  if (f.nan >= 0)
    code = select(isNan(x),
                  f.noMinusZero ? s.integer(i32, f.nan)
                                : bitOr(s.integer(i32, f.nan), sign),
                  code);
  else // Without NaN: minus zero.
    code = select(isNan(x), s.integer(i32, 0x8), code);
  return narrow(code);
}
