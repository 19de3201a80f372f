// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The conversions that LLVM calls for half and bfloat16 on processors without
// instructions for them, so that a model needs no libgcc. Rounds to nearest
// even; NaNs stay NaNs and become quiet.
#include <stdint.h>

namespace {

template <typename To, typename From> To bits(From value) {
  return __builtin_bit_cast(To, value);
}

/// Narrows a float encoded in `Bits` bits to 16 bits with `exponent` exponent
/// bits. Rounding once keeps double to half free of double rounding.
template <typename Bits, int wideExponent, int wideMantissa, int exponent>
uint16_t narrow(Bits value) {
  constexpr int mantissa = 15 - exponent;
  constexpr int dropped = wideMantissa - mantissa;
  constexpr int wideBias = (1 << (wideExponent - 1)) - 1;
  constexpr int bias = (1 << (exponent - 1)) - 1;
  constexpr int infinity = (1 << exponent) - 1;
  constexpr Bits one = 1;
  constexpr Bits wideInfinity = ((one << wideExponent) - 1) << wideMantissa;

  uint16_t sign = uint16_t(value >> (wideExponent + wideMantissa) << 15);
  Bits magnitude = value & ((one << (wideExponent + wideMantissa)) - 1);
  if (magnitude >
      wideInfinity) // keep the top of the payload, set the quiet bit
    return uint16_t(sign | infinity << mantissa | 1 << (mantissa - 1) |
                    ((magnitude >> dropped) & ((1 << mantissa) - 1)));
  int power = int(magnitude >> wideMantissa) - wideBias + bias;
  if (power >= infinity)
    return uint16_t(sign | infinity << mantissa);

  Bits significand = magnitude & ((one << wideMantissa) - 1);
  int shift = dropped;
  if (power > 0) {
    significand |= Bits(power) << wideMantissa;
  } else { // a denormal result
    shift += 1 - power;
    if (shift > wideMantissa + 2)
      return sign;
    // A denormal operand has no hidden bit; it is far below the range of half,
    // and for bfloat16 keeps its exponent.
    if (magnitude >> wideMantissa)
      significand |= one << wideMantissa;
    else
      shift -= 1;
  }
  Bits result = significand >> shift;
  Bits rest = significand & ((one << shift) - 1), half = one << (shift - 1);
  // A carry out of the mantissa increments the exponent, as it should.
  if (rest > half || (rest == half && (result & 1)))
    ++result;
  return uint16_t(sign | result);
}

} // namespace

extern "C" {

float __extendhfsf2(_Float16 value) {
  uint32_t half = bits<uint16_t>(value);
  uint32_t sign = (half & 0x8000u) << 16, magnitude = half & 0x7fffu;
  if (magnitude >= 0x7c00u) // infinity, or a NaN made quiet
    return bits<float>(sign | 0x7f800000u | (magnitude & 0x3ffu) << 13 |
                       (magnitude > 0x7c00u ? 0x400000u : 0));
  if (magnitude >= 0x400u)
    return bits<float>(sign | ((magnitude << 13) + (112u << 23)));
  // A denormal: exact as an integer times 2^-24.
  float exact = float(int32_t(magnitude)) * 0x1p-24f;
  return bits<float>(sign | bits<uint32_t>(exact));
}

_Float16 __truncsfhf2(float value) {
  return bits<_Float16>(narrow<uint32_t, 8, 23, 5>(bits<uint32_t>(value)));
}

_Float16 __truncdfhf2(double value) {
  return bits<_Float16>(narrow<uint64_t, 11, 52, 5>(bits<uint64_t>(value)));
}

__bf16 __truncsfbf2(float value) {
  return bits<__bf16>(narrow<uint32_t, 8, 23, 8>(bits<uint32_t>(value)));
}

__bf16 __truncdfbf2(double value) {
  return bits<__bf16>(narrow<uint64_t, 11, 52, 8>(bits<uint64_t>(value)));
}

} // extern "C"
