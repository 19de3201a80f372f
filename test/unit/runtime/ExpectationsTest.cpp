// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What counts as different, for each kind of element.
#include "tools/hone-run/Expectations.h"

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <limits>

using namespace hone::run;

namespace {

template <typename T>
Array arrayOf(int32_t type, const std::vector<T> &values) {
  Array array;
  array.type = type;
  array.dims = {int64_t(values.size())};
  array.data.resize(values.size() * sizeof(T));
  memcpy(array.data.data(), values.data(), array.data.size());
  return array;
}

template <typename T>
Difference compare(int32_t type, const std::vector<T> &actual,
                   const std::vector<T> &expected, double relative,
                   double absolute) {
  Array first = arrayOf(type, actual), second = arrayOf(type, expected);
  return differenceOf(first.tensor(), second.tensor(), {relative, absolute});
}

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(Expectations, FloatsAreCloseOrTheSame) {
  Difference same = compare<float>(HONE_TYPE_FLOAT, {1, 100, kNaN, kInfinity},
                                   {1.5, 101, kNaN, kInfinity}, 0.01, 0.5);
  EXPECT_EQ(same.count, 0);
  EXPECT_EQ(same.worst, -1);
  EXPECT_EQ(same.largest, 1);
  // 0.5 is twice what 0.1 + 0.15 allows, 2 is less than twice.
  Difference different =
      compare<float>(HONE_TYPE_FLOAT, {1.5, 12, 3}, {1, 10, 3}, 0.15, 0.1);
  EXPECT_EQ(different.count, 2);
  EXPECT_EQ(different.worst, 0);
  // No tolerance makes these equal.
  for (float other : {1.0f, kInfinity, -kInfinity}) {
    EXPECT_EQ(
        compare<float>(HONE_TYPE_FLOAT, {kNaN}, {other}, 1e30, 1e30).count, 1);
    EXPECT_EQ(
        compare<float>(HONE_TYPE_FLOAT, {other}, {kNaN}, 1e30, 1e30).count, 1);
  }
  EXPECT_EQ(
      compare<float>(HONE_TYPE_FLOAT, {3, kInfinity}, {3, 1}, 1e30, 1).worst,
      1);
  EXPECT_EQ(
      compare<float>(HONE_TYPE_FLOAT, {-kInfinity}, {kInfinity}, 1, 1).count,
      1);
  EXPECT_EQ(compare<double>(HONE_TYPE_DOUBLE, {1}, {1 + 1e-15}, 0, 0).count, 1);
}

TEST(Expectations, IntegersAndTexts) {
  EXPECT_EQ(compare<int64_t>(HONE_TYPE_INT64, {INT64_MAX, 1000},
                             {INT64_MAX - 1, 1000}, 1, 0)
                .count,
            1);
  EXPECT_EQ(compare<uint8_t>(HONE_TYPE_UINT8, {1, 255}, {2, 0}, 1, 1).count, 1);
  EXPECT_EQ(compare<uint8_t>(HONE_TYPE_BOOL, {1}, {0}, 1, 0).count, 1);
  Array first, second;
  first.type = second.type = HONE_TYPE_STRING;
  first.dims = second.dims = {2};
  first.setStrings({"a", "b"});
  second.setStrings({"a", "bc"});
  Difference difference = differenceOf(first.tensor(), second.tensor(), {1, 1});
  EXPECT_EQ(difference.count, 1);
  EXPECT_EQ(difference.worst, 1);
}

TEST(Expectations, ComplexNumbersByTheirDistance) {
  Array first = arrayOf<float>(HONE_TYPE_COMPLEX64, {3, 4}),
        second = arrayOf<float>(HONE_TYPE_COMPLEX64, {0, 0});
  first.dims = second.dims = {1};
  EXPECT_EQ(differenceOf(first.tensor(), second.tensor(), {0, 5}).count, 0);
  EXPECT_EQ(differenceOf(first.tensor(), second.tensor(), {0, 4.9}).count, 1);
}

TEST(Expectations, ToleranceByType) {
  Options options;
  EXPECT_EQ(Tolerance::of(HONE_TYPE_FLOAT, options).relative, 1e-3);
  EXPECT_EQ(Tolerance::of(HONE_TYPE_BFLOAT16, options).relative, 2e-2);
  EXPECT_EQ(Tolerance::of(HONE_TYPE_INT8, options).absolute, 0);
  options.atol = 3;
  EXPECT_EQ(Tolerance::of(HONE_TYPE_INT8, options).absolute, 3);
}

} // namespace
