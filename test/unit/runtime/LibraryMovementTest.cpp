// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Library functions that move elements of any type.
#include "test/unit/runtime/LibraryCall.h"

using namespace hone;

namespace {

using Movement = LibraryTest;
using Texts = std::vector<std::string>;
using I64s = std::vector<int64_t>;

TEST_F(Movement, TakeFromSeveralSources) {
  expectOk(call(hone_lib_take,
                {tensor<int64_t>({2, 2}, {3, 0, 2, 1}), strings({"a", "b"}),
                 strings({}), strings({"c", "d"})}));
  EXPECT_EQ(dims(), (Dims{2, 2}));
  EXPECT_EQ(elements<std::string>(), (Texts{"d", "a", "c", "b"}));
  EXPECT_EQ(call(hone_lib_take, {list<int64_t>({2}), strings({"a", "b"})}),
            HONE_INDEX_OUT_OF_RANGE);
  EXPECT_EQ(call(hone_lib_take, {list<int64_t>({-1}), strings({"a", "b"})}),
            HONE_INDEX_OUT_OF_RANGE);
}

TEST_F(Movement, Gather) {
  auto *x = tensor<std::string>({2, 3}, {"a", "b", "c", "d", "e", "f"});
  expectOk(call(hone_lib_gather, {x, list<int32_t>({2, -3})}, {1}));
  EXPECT_EQ(dims(), (Dims{2, 2}));
  EXPECT_EQ(elements<std::string>(), (Texts{"c", "a", "f", "d"}));
  expectOk(call(hone_lib_gather, {x, scalar<int64_t>(1)}, {0}));
  EXPECT_EQ(dims(), (Dims{3}));
  EXPECT_EQ(elements<std::string>(), (Texts{"d", "e", "f"}));
  EXPECT_EQ(call(hone_lib_gather, {x, scalar<int64_t>(2)}, {0}),
            HONE_INDEX_OUT_OF_RANGE);
  EXPECT_EQ(call(hone_lib_gather, {scalar<float>(1), scalar<int64_t>(0)}, {0}),
            HONE_INDEX_OUT_OF_RANGE);
}

TEST_F(Movement, Concat) {
  expectOk(call(hone_lib_concat,
                {tensor<uint8_t>({2, 1}, {1, 2}), tensor<uint8_t>({2, 0}, {}),
                 tensor<uint8_t>({2, 2}, {3, 4, 5, 6})},
                {-1}));
  EXPECT_EQ(elements<uint8_t>(), (std::vector<uint8_t>{1, 3, 4, 2, 5, 6}));
  EXPECT_EQ(call(hone_lib_concat,
                 {strings({"a"}), tensor<std::string>({1, 1}, {"b"})}, {0}),
            HONE_SHAPE_MISMATCH);
}

TEST_F(Movement, ExpandAndWhere) {
  auto *column = tensor<std::string>({2, 1}, {"a", "b"});
  expectOk(call(hone_lib_expand, {column, list<int64_t>({2, 1, 2})}));
  EXPECT_EQ(dims(), (Dims{2, 2, 2}));
  EXPECT_EQ(elements<std::string>(),
            (Texts{"a", "a", "b", "b", "a", "a", "b", "b"}));
  EXPECT_EQ(call(hone_lib_expand, {column, list<int64_t>({3, 1})}),
            HONE_SHAPE_MISMATCH);
  EXPECT_EQ(call(hone_lib_expand, {column, list<int64_t>({-1, 1})}),
            HONE_BAD_VALUE);
  expectOk(call(hone_lib_expand, {column, list<int64_t>({0, 1, 1})}));
  EXPECT_EQ(dims(), (Dims{0, 2, 1}));

  expectOk(call(hone_lib_where,
                {bools({1, 0}), column, tensor<std::string>({}, {"x"})}));
  EXPECT_EQ(dims(), (Dims{2, 2}));
  EXPECT_EQ(elements<std::string>(), (Texts{"a", "x", "b", "x"}));
}

TEST_F(Movement, Transpose) {
  auto *x = tensor<int64_t>({2, 1, 3}, {1, 2, 3, 4, 5, 6});
  expectOk(call(hone_lib_transpose, {x, list<int64_t>({2, 0, 1})}));
  EXPECT_EQ(dims(), (Dims{3, 2, 1}));
  EXPECT_EQ(elements<int64_t>(), (I64s{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(call(hone_lib_transpose, {x, list<int64_t>({2, 0, 0})}),
            HONE_BAD_VALUE);
  EXPECT_EQ(call(hone_lib_transpose, {x, list<int64_t>({2, 0, 3})}),
            HONE_BAD_VALUE);
  EXPECT_EQ(call(hone_lib_transpose, {x, list<int64_t>({0, 1})}),
            HONE_SHAPE_MISMATCH);
}

class Slice : public LibraryTest {
protected:
  I64s slice(int64_t start, int64_t end, int64_t step) {
    expectOk(call(hone_lib_slice, {list<int64_t>({0, 1, 2, 3, 4}),
                                   list<int64_t>({start}), list<int64_t>({end}),
                                   list<int64_t>({0}), list<int64_t>({step})}));
    return elements<int64_t>();
  }
};

TEST_F(Slice, AsOnnx) {
  EXPECT_EQ(slice(1, 4, 1), (I64s{1, 2, 3}));
  EXPECT_EQ(slice(-2, INT64_MAX, 1), (I64s{3, 4}));
  EXPECT_EQ(slice(0, 5, 2), (I64s{0, 2, 4}));
  EXPECT_EQ(slice(4, 0, -2), (I64s{4, 2}));
  EXPECT_EQ(slice(INT64_MAX, INT64_MIN, -1), (I64s{4, 3, 2, 1, 0}));
  EXPECT_EQ(slice(-1, -6, -1), (I64s{4, 3, 2, 1, 0}));
  EXPECT_EQ(slice(3, 3, 1), (I64s{}));
  EXPECT_EQ(slice(3, 1, 1), (I64s{}));
  EXPECT_EQ(slice(0, INT64_MAX, INT64_MAX), (I64s{0}));
  EXPECT_EQ(slice(INT64_MAX, INT64_MIN, INT64_MIN), (I64s{4}));
  EXPECT_EQ(slice(9, 12, 1), (I64s{}));
}

TEST_F(Slice, SeveralAxes) {
  expectOk(call(hone_lib_slice,
                {tensor<std::string>({2, 3}, {"a", "b", "c", "d", "e", "f"}),
                 list<int32_t>({-1, 1}), list<int32_t>({-100, 3}),
                 list<int32_t>({0, -1}), list<int32_t>({-1, 1})}));
  EXPECT_EQ(dims(), (Dims{2, 2}));
  EXPECT_EQ(elements<std::string>(), (Texts{"e", "f", "b", "c"}));
  EXPECT_EQ(call(hone_lib_slice,
                 {list<float>({1}), list<int64_t>({0}), list<int64_t>({1}),
                  list<int64_t>({0}), list<int64_t>({0})}),
            HONE_BAD_VALUE);
  EXPECT_EQ(call(hone_lib_slice,
                 {list<float>({1}), list<int64_t>({0}), list<int64_t>({1}),
                  list<int64_t>({1}), list<int64_t>({1})}),
            HONE_INDEX_OUT_OF_RANGE);
  EXPECT_EQ(call(hone_lib_slice,
                 {list<float>({1}), list<int64_t>({0}), list<int64_t>({}),
                  list<int64_t>({0}), list<int64_t>({1})}),
            HONE_SHAPE_MISMATCH);
}

TEST_F(Movement, Tile) {
  expectOk(call(hone_lib_tile, {tensor<std::string>({2, 1}, {"a", "b"}),
                                list<int64_t>({2, 2})}));
  EXPECT_EQ(dims(), (Dims{4, 2}));
  EXPECT_EQ(elements<std::string>(),
            (Texts{"a", "a", "b", "b", "a", "a", "b", "b"}));
  expectOk(call(hone_lib_tile, {list<float>({1, 2}), list<int64_t>({0})}));
  EXPECT_EQ(dims(), (Dims{0}));
  EXPECT_EQ(call(hone_lib_tile, {list<float>({1, 2}), list<int64_t>({-1})}),
            HONE_BAD_VALUE);
  EXPECT_EQ(
      call(hone_lib_tile, {list<float>({1, 2}), list<int64_t>({INT64_MAX})}),
      HONE_OUT_OF_MEMORY);
}

} // namespace
