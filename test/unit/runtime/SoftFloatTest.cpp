// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The conversions of 16-bit floats against their definition: every 16-bit
// value, and around every one the points where rounding decides.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <gtest/gtest.h>
#include <random>

extern "C" {
float __extendhfsf2(_Float16);
_Float16 __truncsfhf2(float);
_Float16 __truncdfhf2(double);
__bf16 __truncsfbf2(float);
__bf16 __truncdfbf2(double);
}

namespace {

template <typename To, typename From> To bits(From value) {
  static_assert(sizeof(To) == sizeof(From));
  To result;
  memcpy(&result, &value, sizeof(To));
  return result;
}

/// A 16-bit format, by the definition of IEEE 754.
struct Format {
  int exponentBits;
  int mantissa() const { return 15 - exponentBits; }
  int bias() const { return (1 << (exponentBits - 1)) - 1; }
  bool isNan(uint16_t x) const { return (x & 0x7fff) > infinity(); }
  uint16_t infinity() const { return ((1 << exponentBits) - 1) << mantissa(); }

  double value(uint16_t x) const {
    int power = (x & 0x7fff) >> mantissa();
    double fraction = x & ((1 << mantissa()) - 1);
    double magnitude = (x & 0x7fff) == infinity() ? INFINITY
                       : power == 0
                           ? std::ldexp(fraction, 1 - bias() - mantissa())
                           : std::ldexp(fraction + (1 << mantissa()),
                                        power - bias() - mantissa());
    return x & 0x8000 ? -magnitude : magnitude;
  }
};

constexpr Format half{5}, brain{8};

uint16_t toHalf(double x) { return bits<uint16_t>(__truncdfhf2(x)); }
uint16_t toHalf(float x) { return bits<uint16_t>(__truncsfhf2(x)); }
uint16_t toBrain(double x) { return bits<uint16_t>(__truncdfbf2(x)); }
uint16_t toBrain(float x) { return bits<uint16_t>(__truncsfbf2(x)); }

TEST(SoftFloat, ExtendsEveryHalf) {
  for (uint32_t x = 0; x < 65536; ++x) {
    float wide = __extendhfsf2(bits<_Float16>(uint16_t(x)));
    if (half.isNan(x)) {
      ASSERT_TRUE(std::isnan(wide)) << x;
      ASSERT_EQ(bits<uint32_t>(wide) >> 31, x >> 15) << x;
    } else {
      ASSERT_EQ(double(wide), half.value(x)) << x;
      ASSERT_EQ(std::signbit(wide), x >> 15) << x;
    }
  }
}

/// Every value v of the format, the middle m between it and the next one, and
/// the neighbours of m: v and below m give v, m the even one, above m the next.
template <typename Wide, typename Narrow>
void checkRounding(const Format &format, Narrow narrow) {
  for (uint32_t sign : {0u, 0x8000u})
    for (uint32_t x = 0; x < format.infinity(); ++x) {
      uint16_t here = sign | x, next = here + 1;
      double low = format.value(here);
      // Beyond the largest number rounding goes on as if there were more.
      double high = x + 1 == format.infinity()
                        ? 2 * low - format.value(here - 1)
                        : format.value(next);
      double middle = low / 2 + high / 2;
      if (Wide(low) != low || std::isinf(Wide(middle)))
        continue;
      ASSERT_EQ(narrow(Wide(low)), here);
      if (Wide(middle) != middle)
        continue; // between two denormals of a format as wide
      ASSERT_EQ(narrow(Wide(middle)), x & 1 ? next : here) << x;
      Wide up = std::nextafter(Wide(middle), Wide(high));
      Wide down = std::nextafter(Wide(middle), Wide(low));
      ASSERT_EQ(narrow(up), next) << x;
      ASSERT_EQ(narrow(down), here) << x;
    }
}

TEST(SoftFloat, NarrowsFloatToHalf) {
  checkRounding<float>(half, [](float x) { return toHalf(x); });
}
TEST(SoftFloat, NarrowsDoubleToHalf) {
  checkRounding<double>(half, [](double x) { return toHalf(x); });
}
TEST(SoftFloat, NarrowsFloatToBfloat) {
  checkRounding<float>(brain, [](float x) { return toBrain(x); });
}
TEST(SoftFloat, NarrowsDoubleToBfloat) {
  checkRounding<double>(brain, [](double x) { return toBrain(x); });
}

TEST(SoftFloat, RoundsDoubleOnce) {
  // Rounded to float first, this would be a tie, and go down to the even 1.
  double above = 1 + 0x1p-11 + 0x1p-40;
  EXPECT_EQ(toHalf(above), 0x3c01);
  EXPECT_EQ(toBrain(1 + 0x1p-8 + 0x1p-40), 0x3f81);
}

TEST(SoftFloat, Extremes) {
  for (float sign : {1.0f, -1.0f}) {
    uint16_t bit = sign < 0 ? 0x8000 : 0;
    EXPECT_EQ(toHalf(sign * INFINITY), bit | half.infinity());
    EXPECT_EQ(toBrain(sign * INFINITY), bit | brain.infinity());
    EXPECT_EQ(toHalf(sign * 1e30f), bit | half.infinity());
    EXPECT_EQ(toBrain(double(sign) * 1e300), bit | brain.infinity());
    EXPECT_EQ(toHalf(sign * 1e-30f), bit);
    EXPECT_EQ(toBrain(double(sign) * 1e-300), bit);
    EXPECT_EQ(toHalf(sign * 0.0f), bit);
    // The smallest denormal float: its bfloat16 is zero or the same as rounding
    // says.
    EXPECT_EQ(toBrain(sign * 0x1p-149f), bit);
    EXPECT_EQ(toBrain(sign * 0x1p-133f), bit | 1);
    EXPECT_EQ(toBrain(double(sign) * 0x1p-133), bit | 1);
  }
}

TEST(SoftFloat, NansStayNans) {
  for (uint32_t payload : {1u, 0x1000u, 0x2000u, 0x400000u, 0x7fffffu})
    for (uint32_t sign : {0u, 0x80000000u}) {
      float nan = bits<float>(sign | 0x7f800000u | payload);
      EXPECT_TRUE(half.isNan(toHalf(nan))) << payload;
      EXPECT_TRUE(brain.isNan(toBrain(nan))) << payload;
      EXPECT_EQ(toHalf(nan) >> 15, sign >> 31);
      double wide =
          bits<double>(uint64_t(sign) << 32 | 0x7ff0000000000000ull | payload);
      EXPECT_TRUE(half.isNan(toHalf(wide)));
      EXPECT_TRUE(brain.isNan(toBrain(wide)));
    }
}

TEST(SoftFloat, RandomBitsAgreeWithExactRounding) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 2000000; ++i) {
    float x = bits<float>(uint32_t(random()));
    if (!std::isfinite(x))
      continue;
    // The nearest of the two neighbours that truncation and its successor are.
    uint16_t low = uint16_t(bits<uint32_t>(x) >> 16), high = low + 1;
    double toLow = std::fabs(double(x) - brain.value(low));
    double toHigh =
        std::fabs(double(x) - (high % 0x8000 == brain.infinity()
                                   ? 2 * brain.value(low) - brain.value(low - 1)
                                   : brain.value(high)));
    uint16_t nearest = toLow < toHigh   ? low
                       : toHigh < toLow ? high
                       : low & 1        ? high
                                        : low;
    ASSERT_EQ(toBrain(x), nearest) << bits<uint32_t>(x);
  }
}

} // namespace
