// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Elements of every type as numbers and text, and random ones in a range.
#include "tools/hone-run/Elements.h"
#include "hone/runtime.h"
#include "tools/hone-run/Random.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace hone::run;

namespace {

Array arrayOf(int32_t type, std::vector<int64_t> dims) {
  Array array;
  array.type = type;
  array.dims = std::move(dims);
  array.data.resize(size_t(
      hone_tensor_bytes(type, int32_t(array.dims.size()), array.dims.data())));
  return array;
}

/// The number of a code of a type of at most 16 bits.
Number decoded(int32_t type, uint16_t code) {
  Array array = arrayOf(type, {1});
  memcpy(array.data.data(), &code, array.data.size());
  return realAt(array.tensor(), 0);
}

TEST(Elements, SmallFloats) {
  EXPECT_EQ(decoded(HONE_TYPE_FLOAT16, 0x3c00), 1);
  EXPECT_EQ(decoded(HONE_TYPE_FLOAT16, 0xfbff), -65504);
  EXPECT_EQ(decoded(HONE_TYPE_FLOAT16, 1), 0x1p-24L);
  EXPECT_TRUE(std::isinf(decoded(HONE_TYPE_FLOAT16, 0x7c00)));
  EXPECT_TRUE(std::isnan(decoded(HONE_TYPE_FLOAT16, 0x7c01)));
  EXPECT_EQ(decoded(HONE_TYPE_BFLOAT16, 0xc040), -3);
  EXPECT_EQ(decoded(HONE_TYPE_FLOAT8E4M3FN, 0x7e), 448);
  EXPECT_TRUE(std::isnan(decoded(HONE_TYPE_FLOAT8E4M3FN, 0xff)));
  EXPECT_EQ(decoded(HONE_TYPE_FLOAT8E4M3FNUZ, 0x7f), 240);
  EXPECT_TRUE(std::isnan(decoded(HONE_TYPE_FLOAT8E4M3FNUZ, 0x80)));
  EXPECT_EQ(decoded(HONE_TYPE_FLOAT8E5M2, 0x7b), 57344);
  EXPECT_TRUE(std::isinf(decoded(HONE_TYPE_FLOAT8E5M2, 0xfc)));
  EXPECT_EQ(decoded(HONE_TYPE_FLOAT8E5M2FNUZ, 0x7f), 57344);
  EXPECT_EQ(decoded(HONE_TYPE_FLOAT4E2M1, 0xf), -6);
  EXPECT_EQ(decoded(HONE_TYPE_FLOAT8E8M0, 0), 0x1p-127L);
  EXPECT_TRUE(std::isnan(decoded(HONE_TYPE_FLOAT8E8M0, 0xff)));
}

TEST(Elements, EveryCodeIsSetAgain) {
  for (int32_t type :
       {HONE_TYPE_FLOAT16, HONE_TYPE_BFLOAT16, HONE_TYPE_FLOAT8E4M3FN,
        HONE_TYPE_FLOAT8E4M3FNUZ, HONE_TYPE_FLOAT8E5M2,
        HONE_TYPE_FLOAT8E5M2FNUZ, HONE_TYPE_FLOAT4E2M1, HONE_TYPE_FLOAT8E8M0,
        HONE_TYPE_INT2, HONE_TYPE_UINT2, HONE_TYPE_INT4, HONE_TYPE_UINT4,
        HONE_TYPE_INT8, HONE_TYPE_UINT8, HONE_TYPE_INT16, HONE_TYPE_UINT16}) {
    Array array = arrayOf(type, {1});
    for (uint32_t code = 0; code < 1u << hone_type_bits(type); ++code) {
      Number number = decoded(type, uint16_t(code));
      if (!std::isfinite(number))
        continue;
      setReal(array, 0, number);
      ASSERT_EQ(realAt(array.tensor(), 0), number)
          << hone_type_name(type) << " " << code;
    }
  }
  Array wide = arrayOf(HONE_TYPE_UINT64, {1});
  setReal(wide, 0, Number(UINT64_MAX));
  EXPECT_EQ(textAt(wide.tensor(), 0), "18446744073709551615");
  wide.type = HONE_TYPE_INT64;
  EXPECT_EQ(textAt(wide.tensor(), 0), "-1");
}

TEST(Elements, RandomNumbersStayInTheirRange) {
  for (int32_t type = HONE_TYPE_FLOAT; type < HONE_TYPE_COUNT; ++type) {
    Range range;
    if (!rangeOf(type, range.low, range.high))
      continue;
    EXPECT_EQ(misfitOf(range, type), "");
    Array array = arrayOf(type, {1000});
    auto check = [&] {
      fillRandom(array, 3, range);
      bool differ = false;
      for (int64_t i = 0; i < 1000; ++i) {
        Number number = realAt(array.tensor(), i);
        ASSERT_GE(number, range.low) << hone_type_name(type);
        ASSERT_LE(number, range.high) << hone_type_name(type);
        differ |= number != realAt(array.tensor(), 0);
      }
      EXPECT_TRUE(differ || range.low == range.high) << hone_type_name(type);
    };
    check();
    range = {1, 1};
    check();
    EXPECT_EQ(realAt(array.tensor(), 999), 1);
  }
  EXPECT_NE(misfitOf({0, 256}, HONE_TYPE_UINT8), "");
  EXPECT_NE(misfitOf({-1, 0}, HONE_TYPE_BOOL), "");
  EXPECT_NE(misfitOf({0.5, 1}, HONE_TYPE_INT32), "");
  EXPECT_NE(misfitOf({0, 70000}, HONE_TYPE_FLOAT16), "");
  EXPECT_NE(misfitOf({0, 1}, HONE_TYPE_STRING), "");
}

TEST(Elements, Tables) {
  Array array = arrayOf(HONE_TYPE_FLOAT, {2, 3});
  for (int64_t i = 0; i < 6; ++i)
    setReal(array, i, Number(i) / 4);
  EXPECT_EQ(tableOf(array.tensor()), "[[   0 0.25  0.5]\n [0.75    1 1.25]]");
  EXPECT_EQ(positionText(array.tensor(), 5), "[1,2]");
  setReal(array, 0, 1.0L / 3);
  EXPECT_EQ(textAt(array.tensor(), 0), "0.33333334");
  EXPECT_EQ(tableOf(array.tensor()),
            "[[0.333333     0.25      0.5]\n [    0.75        1     1.25]]");
  setReal(array, 0, 0);
  array.dims = {};
  EXPECT_EQ(tableOf(array.tensor()), "0");
  EXPECT_EQ(positionText(array.tensor(), 0), "");
  EXPECT_EQ(tableOf(arrayOf(HONE_TYPE_FLOAT, {0, 1000000000000}).tensor()),
            "[]");
  EXPECT_EQ(tableOf(arrayOf(HONE_TYPE_BOOL, {2000}).tensor()),
            "[false false false ... false false false]");
  // A table of any tensor is short.
  EXPECT_LT(
      tableOf(arrayOf(HONE_TYPE_INT8, std::vector<int64_t>(8, 7)).tensor())
          .size(),
      2000u);
  array = arrayOf(HONE_TYPE_COMPLEX64, {1});
  EXPECT_EQ(tableOf(array.tensor()), "[0+0i]");
  array = arrayOf(HONE_TYPE_STRING, {2});
  array.setStrings({"a\nb", std::string(100, 'x')});
  EXPECT_EQ(textAt(array.tensor(), 0), "\"a\\nb\"");
  EXPECT_EQ(textAt(array.tensor(), 1), '"' + std::string(60, 'x') + "...\"");
}

} // namespace
