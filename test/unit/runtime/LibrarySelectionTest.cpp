// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Library functions whose result sizes the data decide.
#include "test/unit/runtime/LibraryCall.h"

#include <algorithm>
#include <map>

using namespace hone;

namespace {

using Selection = LibraryTest;
using I64s = std::vector<int64_t>;
using F32s = std::vector<float>;

TEST_F(Selection, NonzeroListsCoordinatesByAxis) {
  expectOk(call(hone_lib_nonzero,
                {tensor<float>({2, 3}, {0, 1, -0.0f, 2, 0, NAN})},
                {HONE_TYPE_FLOAT}));
  EXPECT_EQ(dims(), (Dims{2, 3}));
  EXPECT_EQ(elements<int64_t>(), (I64s{0, 1, 1, 1, 0, 2}));
}

TEST_F(Selection, NonzeroOfScalarsAndNothing) {
  expectOk(call(hone_lib_nonzero, {scalar<int64_t>(5)}, {HONE_TYPE_INT64}));
  EXPECT_EQ(dims(), (Dims{0, 1}));
  expectOk(call(hone_lib_nonzero, {scalar<int64_t>(0)}, {HONE_TYPE_INT64}));
  EXPECT_EQ(dims(), (Dims{0, 0}));
  expectOk(
      call(hone_lib_nonzero, {tensor<int32_t>({0, 4}, {})}, {HONE_TYPE_INT32}));
  EXPECT_EQ(dims(), (Dims{2, 0}));
}

TEST_F(Selection, NonzeroOfOtherTypes) {
  expectOk(call(hone_lib_nonzero, {strings({"", "a"})}, {HONE_TYPE_STRING}));
  EXPECT_EQ(elements<int64_t>(), (I64s{1}));
  expectOk(call(hone_lib_nonzero,
                {list<_Float16>({_Float16(-0.0), _Float16(1)})},
                {HONE_TYPE_FLOAT16}));
  EXPECT_EQ(elements<int64_t>(), (I64s{1}));
  expectOk(call(hone_lib_nonzero, {list<uint8_t>({0, 200})}, {HONE_TYPE_BOOL}));
  EXPECT_EQ(elements<int64_t>(), (I64s{1}));
}

TEST_F(Selection, CompressAlongAnAxisAndFlat) {
  auto *x = tensor<float>({3, 2}, {1, 2, 3, 4, 5, 6});
  expectOk(call(hone_lib_compress, {x, bools({0, 1, 1})}, {0, 0}));
  EXPECT_EQ(dims(), (Dims{2, 2}));
  EXPECT_EQ(elements<float>(), (F32s{3, 4, 5, 6}));
  expectOk(call(hone_lib_compress, {x, bools({0, 1})}, {-1, 0}));
  EXPECT_EQ(dims(), (Dims{3, 1}));
  EXPECT_EQ(elements<float>(), (F32s{2, 4, 6}));
  expectOk(call(hone_lib_compress, {x, bools({0, 1, 0, 0, 1})}, {0, 1}));
  EXPECT_EQ(elements<float>(), (F32s{2, 5}));
  EXPECT_EQ(call(hone_lib_compress, {x, bools({0, 1, 1})}, {1, 0}),
            HONE_SHAPE_MISMATCH);
  EXPECT_EQ(call(hone_lib_compress, {x, bools({0})}, {2, 0}),
            HONE_INDEX_OUT_OF_RANGE);
}

TEST_F(Selection, CompressOfStrings) {
  expectOk(call(hone_lib_compress, {strings({"a", "b", "c"}), bools({1, 0, 1})},
                {0, 0}));
  EXPECT_EQ(elements<std::string>(), (std::vector<std::string>{"a", "c"}));
}

TEST_F(Selection, UniqueSorted) {
  expectOk(call(hone_lib_unique, {list<float>({2, 1, 1, 3, 4, 3})},
                {0, 1, 1, HONE_TYPE_FLOAT}, 4));
  EXPECT_EQ(elements<float>(), (F32s{1, 2, 3, 4}));
  EXPECT_EQ(elements<int64_t>(1), (I64s{1, 0, 3, 4}));
  EXPECT_EQ(elements<int64_t>(2), (I64s{1, 0, 0, 2, 3, 2}));
  EXPECT_EQ(elements<int64_t>(3), (I64s{2, 1, 2, 1}));
}

TEST_F(Selection, UniqueInOrderOfAppearance) {
  expectOk(call(hone_lib_unique, {list<float>({2, 1, 1, 3, 4, 3})},
                {0, 1, 0, HONE_TYPE_FLOAT}, 4));
  EXPECT_EQ(elements<float>(), (F32s{2, 1, 3, 4}));
  EXPECT_EQ(elements<int64_t>(1), (I64s{0, 1, 3, 4}));
  EXPECT_EQ(elements<int64_t>(2), (I64s{0, 1, 1, 2, 3, 2}));
  EXPECT_EQ(elements<int64_t>(3), (I64s{1, 2, 2, 1}));
}

TEST_F(Selection, UniqueAlongAxes) {
  expectOk(call(hone_lib_unique,
                {tensor<float>({3, 3}, {1, 0, 0, 1, 0, 0, 2, 3, 4})},
                {0, 0, 1, HONE_TYPE_FLOAT}, 4));
  EXPECT_EQ(dims(), (Dims{2, 3}));
  EXPECT_EQ(elements<float>(), (F32s{1, 0, 0, 2, 3, 4}));
  EXPECT_EQ(elements<int64_t>(2), (I64s{0, 0, 1}));
  expectOk(call(hone_lib_unique,
                {tensor<float>({2, 4, 2}, {1, 1, 0, 1, 2, 1, 0, 1, 1, 1, 0, 1,
                                           2, 1, 0, 1})},
                {1, 0, 1, HONE_TYPE_FLOAT}, 4));
  EXPECT_EQ(dims(), (Dims{2, 3, 2}));
  EXPECT_EQ(elements<float>(), (F32s{0, 1, 1, 1, 2, 1, 0, 1, 1, 1, 2, 1}));
  EXPECT_EQ(elements<int64_t>(1), (I64s{1, 0, 2}));
  EXPECT_EQ(elements<int64_t>(2), (I64s{1, 0, 2, 0}));
  EXPECT_EQ(elements<int64_t>(3), (I64s{2, 1, 1}));
}

TEST_F(Selection, UniqueOrdersByType) {
  auto *x = list<uint8_t>({255, 1, 127, 255});
  expectOk(call(hone_lib_unique, {x}, {0, 1, 1, HONE_TYPE_UINT8}));
  EXPECT_EQ(elements<uint8_t>(), (std::vector<uint8_t>{1, 127, 255}));
  expectOk(call(hone_lib_unique, {x}, {0, 1, 1, HONE_TYPE_INT8}));
  EXPECT_EQ(elements<int8_t>(), (std::vector<int8_t>{-1, 1, 127}));
  expectOk(call(hone_lib_unique, {strings({"b", "a", "", "b", "ab"})},
                {0, 1, 1, HONE_TYPE_STRING}));
  EXPECT_EQ(elements<std::string>(),
            (std::vector<std::string>{"", "a", "ab", "b"}));
}

TEST_F(Selection, UniqueOfSpecialNumbers) {
  expectOk(call(hone_lib_unique,
                {list<float>({NAN, 0.0f, -INFINITY, -0.0f, NAN, INFINITY, -1})},
                {0, 1, 1, HONE_TYPE_FLOAT}, 4));
  std::vector<float> y = elements<float>();
  ASSERT_EQ(y.size(), 5u);
  EXPECT_EQ(y[0], -INFINITY);
  EXPECT_EQ(y[1], -1);
  EXPECT_EQ(y[3], INFINITY);
  EXPECT_TRUE(std::isnan(y[4]));
  EXPECT_EQ(elements<int64_t>(3), (I64s{1, 1, 2, 1, 2}));
}

TEST_F(Selection, UniqueOfMany) {
  // Numbers of one byte, of several, and of both signs.
  for (int64_t factor : {int64_t(1), int64_t(-1000), int64_t(1) << 40}) {
    std::vector<int64_t> x;
    std::map<int64_t, I64s> places;
    for (int64_t i = 0; i < 1000; ++i) {
      x.push_back((i * 37 % 101 - 7) * factor);
      places[x.back()].push_back(i);
    }
    for (bool sorted : {true, false}) {
      expectOk(call(hone_lib_unique, {list<int64_t>(x)},
                    {0, 1, sorted, HONE_TYPE_INT64}, 4));
      I64s y = elements<int64_t>(), first = elements<int64_t>(1),
           which = elements<int64_t>(2), count = elements<int64_t>(3);
      ASSERT_EQ(y.size(), places.size());
      EXPECT_TRUE(sorted ? std::is_sorted(y.begin(), y.end())
                         : std::is_sorted(first.begin(), first.end()));
      for (size_t i = 0; i < y.size(); ++i) {
        EXPECT_EQ(first[i], places[y[i]].front());
        EXPECT_EQ(count[i], int64_t(places[y[i]].size()));
      }
      for (size_t i = 0; i < x.size(); ++i)
        EXPECT_EQ(y[which[i]], x[i]);
    }
  }
}

TEST_F(Selection, UniqueOfNothing) {
  expectOk(call(hone_lib_unique, {tensor<float>({0}, {})},
                {0, 1, 1, HONE_TYPE_FLOAT}, 4));
  for (int i = 0; i < 4; ++i)
    EXPECT_EQ(dims(i), (Dims{0}));
  // Three rows without elements are all the same.
  expectOk(call(hone_lib_unique, {tensor<float>({3, 0}, {})},
                {0, 0, 1, HONE_TYPE_FLOAT}, 4));
  EXPECT_EQ(dims(), (Dims{1, 0}));
  EXPECT_EQ(elements<int64_t>(3), (I64s{3}));
}

class Suppression : public LibraryTest {
protected:
  const hone_value *boxes() {
    return tensor<float>({1, 6, 4},
                         {0, 0,  1, 1,  0, 0.1f,  1, 1.1f,  0, -0.1f, 1, 0.9f,
                          0, 10, 1, 11, 0, 10.1f, 1, 11.1f, 0, 100,   1, 101});
  }
  const hone_value *scores() {
    return tensor<float>({1, 1, 6}, {0.9f, 0.75f, 0.6f, 0.95f, 0.5f, 0.3f});
  }
};

TEST_F(Suppression, ByOverlap) {
  expectOk(call(hone_lib_non_max_suppression,
                {boxes(), scores(), list<int64_t>({3}), list<float>({0.5f}),
                 list<float>({0})},
                {0}));
  EXPECT_EQ(dims(), (Dims{3, 3}));
  EXPECT_EQ(elements<int64_t>(), (I64s{0, 0, 3, 0, 0, 0, 0, 0, 5}));
}

TEST_F(Suppression, ByScoreAndCount) {
  expectOk(call(hone_lib_non_max_suppression,
                {boxes(), scores(), list<int64_t>({3}), list<float>({0.5f}),
                 list<float>({0.4f})},
                {0}));
  EXPECT_EQ(elements<int64_t>(), (I64s{0, 0, 3, 0, 0, 0}));
  expectOk(call(hone_lib_non_max_suppression,
                {boxes(), scores(), list<int64_t>({2}), list<float>({0.5f})},
                {0}));
  EXPECT_EQ(elements<int64_t>(), (I64s{0, 0, 3, 0, 0, 0}));
  expectOk(call(hone_lib_non_max_suppression, {boxes(), scores()}, {0}));
  EXPECT_EQ(dims(), (Dims{0, 3}));
}

TEST_F(Suppression, CenteredBoxesAndFlippedCorners) {
  auto *centered = tensor<float>(
      {1, 3, 4}, {0.5f, 0.5f, 1, 1, 0.5f, 0.6f, 1, 1, 10.5f, 0.5f, 1, 1});
  auto *three = tensor<float>({1, 1, 3}, {0.9f, 0.75f, 0.6f});
  expectOk(call(hone_lib_non_max_suppression,
                {centered, three, list<int64_t>({3}), list<float>({0.5f})},
                {1}));
  EXPECT_EQ(elements<int64_t>(), (I64s{0, 0, 0, 0, 0, 2}));
  auto *flipped = tensor<float>({1, 2, 4}, {1, 1, 0, 0, 0, 0.1f, 1, 1.1f});
  expectOk(call(hone_lib_non_max_suppression,
                {flipped, tensor<float>({1, 1, 2}, {0.5f, 0.75f}),
                 list<int64_t>({3}), list<float>({0.5f})},
                {0}));
  EXPECT_EQ(elements<int64_t>(), (I64s{0, 0, 1}));
}

TEST_F(Suppression, EqualScoresKeepTheOrderOfBoxes) {
  // In pairs that overlap; zeros of both signs are equal.
  std::vector<float> corners, scores;
  I64s expected;
  for (int i = 0; i < 40; ++i) {
    float at = float(i / 2);
    corners.insert(corners.end(), {at, 0, at + 1, 1});
    scores.push_back(i % 2 ? 0.0f : -0.0f);
    if (i % 2 == 0)
      expected.insert(expected.end(), {0, 0, i});
  }
  auto *manyBoxes = tensor<float>({1, 40, 4}, corners);
  auto *manyScores = tensor<float>({1, 1, 40}, scores);
  expectOk(call(
      hone_lib_non_max_suppression,
      {manyBoxes, manyScores, list<int64_t>({50}), list<float>({0.5f})}, {0}));
  EXPECT_EQ(elements<int64_t>(), expected);
}

TEST_F(Suppression, BatchesAndClasses) {
  auto *two = tensor<float>({2, 2, 4},
                            {0, 0, 1, 1, 5, 5, 6, 6, 0, 0, 1, 1, 0, 0, 1, 1});
  auto *scores =
      tensor<float>({2, 2, 2}, {0.1f, 0.2f, 0.4f, 0.3f, 0.5f, 0.6f, NAN, 0.7f});
  expectOk(call(
      hone_lib_non_max_suppression,
      {two, scores, list<int64_t>({9}), list<float>({0.5f}), list<float>({0})},
      {0}));
  EXPECT_EQ(elements<int64_t>(),
            (I64s{0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 1}));
}

TEST_F(Suppression, WrongShapes) {
  EXPECT_EQ(
      call(hone_lib_non_max_suppression,
           {tensor<float>({1, 1, 3}, {0, 0, 1}), tensor<float>({1, 1, 1}, {1})},
           {0}),
      HONE_SHAPE_MISMATCH);
  EXPECT_EQ(call(hone_lib_non_max_suppression,
                 {boxes(), tensor<float>({1, 1, 1}, {1})}, {0}),
            HONE_SHAPE_MISMATCH);
}

TEST_F(Selection, RangeOfFloats) {
  expectOk(call(hone_lib_range,
                {scalar<float>(1), scalar<float>(5), scalar<float>(2)},
                {HONE_TYPE_FLOAT}));
  EXPECT_EQ(elements<float>(), (F32s{1, 3}));
  expectOk(call(hone_lib_range,
                {scalar<double>(1), scalar<double>(0), scalar<double>(-0.25)},
                {HONE_TYPE_DOUBLE}));
  EXPECT_EQ(elements<double>(), (std::vector<double>{1, 0.75, 0.5, 0.25}));
  expectOk(call(hone_lib_range,
                {scalar<_Float16>(_Float16(0)), scalar<_Float16>(_Float16(1)),
                 scalar<_Float16>(_Float16(0.5))},
                {HONE_TYPE_FLOAT16}));
  EXPECT_EQ(dims(), (Dims{2}));
  expectOk(call(hone_lib_range,
                {scalar<float>(NAN), scalar<float>(5), scalar<float>(2)},
                {HONE_TYPE_FLOAT}));
  EXPECT_EQ(dims(), (Dims{0}));
  EXPECT_EQ(call(hone_lib_range,
                 {scalar<float>(0), scalar<float>(INFINITY), scalar<float>(1)},
                 {HONE_TYPE_FLOAT}),
            HONE_OUT_OF_MEMORY);
}

TEST_F(Selection, RangeOfIntegers) {
  expectOk(call(hone_lib_range,
                {scalar<int32_t>(10), scalar<int32_t>(4), scalar<int32_t>(-2)},
                {HONE_TYPE_INT32}));
  EXPECT_EQ(elements<int32_t>(), (std::vector<int32_t>{10, 8, 6}));
  expectOk(call(hone_lib_range,
                {scalar<int64_t>(INT64_MIN), scalar<int64_t>(INT64_MAX),
                 scalar<int64_t>(INT64_MAX)},
                {HONE_TYPE_INT64}));
  EXPECT_EQ(elements<int64_t>(), (I64s{INT64_MIN, -1, INT64_MAX - 1}));
  expectOk(call(hone_lib_range,
                {scalar<int64_t>(3), scalar<int64_t>(3), scalar<int64_t>(1)},
                {HONE_TYPE_INT64}));
  EXPECT_EQ(dims(), (Dims{0}));
  EXPECT_EQ(call(hone_lib_range,
                 {scalar<int64_t>(0), scalar<int64_t>(3), scalar<int64_t>(0)},
                 {HONE_TYPE_INT64}),
            HONE_BAD_VALUE);
  EXPECT_EQ(
      call(hone_lib_range,
           {scalar<int64_t>(0), scalar<int64_t>(INT64_MAX), scalar<int64_t>(1)},
           {HONE_TYPE_INT64}),
      HONE_OUT_OF_MEMORY);
}

} // namespace
