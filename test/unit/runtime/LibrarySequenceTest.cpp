// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Library functions on sequences and optionals.
#include "test/unit/runtime/LibraryCall.h"

using namespace hone;

namespace {

class Sequences : public LibraryTest {
protected:
  /// The sequence that the last call made.
  const hone_value *made() { return keep(results[0]); }

  const hone_value *sequenceOf(const std::vector<const hone_value *> &tensors,
                               int32_t type) {
    if (tensors.empty())
      expectOk(call(hone_lib_sequence_empty, {}));
    else
      expectOk(call(hone_lib_sequence_construct, tensors, {type}));
    return made();
  }
  /// Sums of the elements' first numbers, as digits.
  std::vector<float> firsts(const hone_value *sequence) {
    std::vector<float> result;
    const hone_sequence &list = *sequence->as.sequence;
    for (int64_t i = 0; i < list.count; ++i)
      result.push_back(elements<float>(list.elements[i]).at(0));
    return result;
  }
};

using F32s = std::vector<float>;

TEST_F(Sequences, BuildAndRead) {
  auto *s =
      sequenceOf({scalar<float>(1), list<float>({2, 3})}, HONE_TYPE_FLOAT);
  expectOk(call(hone_lib_sequence_length, {s}));
  EXPECT_EQ(elements<int64_t>(), (std::vector<int64_t>{2}));
  expectOk(call(hone_lib_sequence_at, {s, scalar<int64_t>(-1)}));
  EXPECT_EQ(elements<float>(), (F32s{2, 3}));
  expectOk(call(hone_lib_sequence_at, {s, list<int32_t>({0})}));
  EXPECT_EQ(dims(), Dims{});
  EXPECT_EQ(call(hone_lib_sequence_at, {s, scalar<int64_t>(2)}),
            HONE_INDEX_OUT_OF_RANGE);
  EXPECT_EQ(session.failure.node, 7);
}

TEST_F(Sequences, AtChecksWhatTheCallerExpects) {
  auto *s = sequenceOf({list<float>({2, 3})}, HONE_TYPE_FLOAT);
  hone_value expected = {};
  expected.kind = HONE_KIND_TENSOR;
  expected.as.tensor.rank = 2;
  EXPECT_EQ(
      call(hone_lib_sequence_at, {s, scalar<int64_t>(0)}, {}, 1, expected),
      HONE_SHAPE_MISMATCH);
  expected.as.tensor = {nullptr, nullptr, -1, HONE_TYPE_INT64};
  EXPECT_EQ(
      call(hone_lib_sequence_at, {s, scalar<int64_t>(0)}, {}, 1, expected),
      HONE_BAD_VALUE);
  expected.as.tensor = {nullptr, nullptr, 1, HONE_TYPE_FLOAT};
  expectOk(
      call(hone_lib_sequence_at, {s, scalar<int64_t>(0)}, {}, 1, expected));
}

TEST_F(Sequences, InsertEraseAppend) {
  auto *empty = sequenceOf({}, HONE_TYPE_FLOAT);
  expectOk(call(hone_lib_sequence_append, {empty, scalar<float>(1)},
                {HONE_TYPE_FLOAT}));
  auto *one = made();
  expectOk(call(hone_lib_sequence_insert, {one, scalar<float>(2)},
                {HONE_TYPE_FLOAT}));
  auto *two = made();
  expectOk(call(hone_lib_sequence_insert,
                {two, scalar<float>(3), scalar<int64_t>(-1)},
                {HONE_TYPE_FLOAT}));
  auto *three = made();
  EXPECT_EQ(firsts(three), (F32s{1, 3, 2}));
  EXPECT_EQ(firsts(two), (F32s{1, 2}));
  expectOk(call(hone_lib_sequence_erase, {three, scalar<int64_t>(0)}));
  EXPECT_EQ(firsts(made()), (F32s{3, 2}));
  expectOk(call(hone_lib_sequence_erase, {three}));
  EXPECT_EQ(firsts(made()), (F32s{1, 3}));
  EXPECT_EQ(call(hone_lib_sequence_erase, {empty}), HONE_INDEX_OUT_OF_RANGE);
  EXPECT_EQ(call(hone_lib_sequence_insert,
                 {two, scalar<float>(3), scalar<int64_t>(3)},
                 {HONE_TYPE_FLOAT}),
            HONE_INDEX_OUT_OF_RANGE);
}

TEST_F(Sequences, ElementsHaveTheTypeOfTheConfig) {
  auto *s = sequenceOf({tensor<int8_t>({1}, {1})}, HONE_TYPE_BOOL);
  EXPECT_EQ(s->as.sequence->elements[0].as.tensor.type, HONE_TYPE_BOOL);
  EXPECT_EQ(
      call(hone_lib_sequence_construct, {scalar<float>(1)}, {HONE_TYPE_INT64}),
      HONE_INTERNAL);
}

TEST_F(Sequences, Concat) {
  auto *s = sequenceOf(
      {tensor<float>({2, 1}, {1, 2}), tensor<float>({2, 2}, {3, 4, 5, 6})},
      HONE_TYPE_FLOAT);
  expectOk(call(hone_lib_concat_from_sequence, {s}, {1, 0}));
  EXPECT_EQ(dims(), (Dims{2, 3}));
  EXPECT_EQ(elements<float>(), (F32s{1, 3, 4, 2, 5, 6}));
  EXPECT_EQ(call(hone_lib_concat_from_sequence, {s}, {0, 0}),
            HONE_SHAPE_MISMATCH);
  EXPECT_EQ(call(hone_lib_concat_from_sequence, {s}, {2, 0}),
            HONE_INDEX_OUT_OF_RANGE);
  EXPECT_EQ(call(hone_lib_concat_from_sequence,
                 {sequenceOf({}, HONE_TYPE_FLOAT)}, {0, 0}),
            HONE_BAD_VALUE);
}

TEST_F(Sequences, ConcatWithANewAxis) {
  auto *s =
      sequenceOf({list<float>({1, 2}), list<float>({3, 4})}, HONE_TYPE_FLOAT);
  expectOk(call(hone_lib_concat_from_sequence, {s}, {0, 1}));
  EXPECT_EQ(dims(), (Dims{2, 2}));
  EXPECT_EQ(elements<float>(), (F32s{1, 2, 3, 4}));
  expectOk(call(hone_lib_concat_from_sequence, {s}, {-1, 1}));
  EXPECT_EQ(elements<float>(), (F32s{1, 3, 2, 4}));
  auto *scalars =
      sequenceOf({scalar<float>(5), scalar<float>(6)}, HONE_TYPE_FLOAT);
  expectOk(call(hone_lib_concat_from_sequence, {scalars}, {0, 1}));
  EXPECT_EQ(dims(), (Dims{2}));
}

TEST_F(Sequences, Split) {
  auto *x = tensor<float>({3, 2}, {1, 2, 3, 4, 5, 6});
  expectOk(call(hone_lib_split_to_sequence, {x}, {0, 0, HONE_TYPE_FLOAT}));
  auto *rows = made();
  EXPECT_EQ(firsts(rows), (F32s{1, 3, 5}));
  EXPECT_EQ(dims(rows->as.sequence->elements[0]), (Dims{2}));
  expectOk(call(hone_lib_split_to_sequence, {x, scalar<int64_t>(2)},
                {0, 0, HONE_TYPE_FLOAT}));
  auto *pieces = made();
  EXPECT_EQ(dims(pieces->as.sequence->elements[0]), (Dims{2, 2}));
  EXPECT_EQ(dims(pieces->as.sequence->elements[1]), (Dims{1, 2}));
  expectOk(call(hone_lib_split_to_sequence, {x, list<int32_t>({1, 0, 1})},
                {-1, 1, HONE_TYPE_FLOAT}));
  auto *columns = made();
  EXPECT_EQ(columns->as.sequence->count, 3);
  EXPECT_EQ(elements<float>(columns->as.sequence->elements[2]),
            (F32s{2, 4, 6}));
  EXPECT_EQ(dims(columns->as.sequence->elements[1]), (Dims{3, 0}));
  EXPECT_EQ(call(hone_lib_split_to_sequence, {x, list<int64_t>({1, 1})},
                 {0, 1, HONE_TYPE_FLOAT}),
            HONE_SHAPE_MISMATCH);
  EXPECT_EQ(call(hone_lib_split_to_sequence, {x, list<int64_t>({4, -1})},
                 {0, 1, HONE_TYPE_FLOAT}),
            HONE_SHAPE_MISMATCH);
  EXPECT_EQ(call(hone_lib_split_to_sequence, {x, scalar<int64_t>(0)},
                 {0, 1, HONE_TYPE_FLOAT}),
            HONE_BAD_VALUE);
}

TEST_F(Sequences, Strings) {
  expectOk(call(hone_lib_split_to_sequence,
                {strings({"a", "bc", "d"}), scalar<int64_t>(2)},
                {0, 1, HONE_TYPE_STRING}));
  auto *s = made();
  expectOk(call(hone_lib_concat_from_sequence, {s}, {0, 0}));
  EXPECT_EQ(elements<std::string>(),
            (std::vector<std::string>{"a", "bc", "d"}));
}

TEST_F(Sequences, TensorsOfAnyRank) {
  expectOk(
      call(hone_lib_optional_make, {list<float>({4, 5})}, {HONE_TYPE_FLOAT}));
  auto *list2 = made();
  expectOk(call(hone_lib_flatten, {list2}));
  EXPECT_EQ(elements<float>(), (F32s{4, 5}));
  expectOk(call(hone_lib_flatten, {scalar<float>(6)}));
  EXPECT_EQ(elements<float>(), (F32s{6}));
  expectOk(call(hone_lib_shape_like, {list<float>({7}), scalar<int64_t>(1)},
                {HONE_TYPE_FLOAT}));
  EXPECT_EQ(made()->as.optional.value->as.tensor.rank, 0);
  EXPECT_EQ(
      call(hone_lib_shape_like, {list<float>({7}), list2}, {HONE_TYPE_FLOAT}),
      HONE_SHAPE_MISMATCH);
  expectOk(call(hone_lib_optional_empty, {}));
  auto *empty = made();
  EXPECT_EQ(call(hone_lib_flatten, {empty}), HONE_BAD_VALUE);

  auto held = [&](size_t i) -> const hone_value & {
    return *results[i].as.optional.value;
  };
  expectOk(call(hone_lib_broadcast,
                {list2, tensor<int64_t>({3, 1}, {7, 8, 9}), scalar<float>(1)},
                {}, 3));
  for (size_t i = 0; i < 3; ++i) {
    const hone_tensor &t = held(i).as.tensor;
    EXPECT_EQ(std::vector<int64_t>(t.dims, t.dims + t.rank),
              (std::vector<int64_t>{3, 2}));
  }
  EXPECT_EQ(elements<float>(held(0)), (F32s{4, 5, 4, 5, 4, 5}));
  EXPECT_EQ(elements<int64_t>(held(1)),
            (std::vector<int64_t>{7, 7, 8, 8, 9, 9}));
  EXPECT_EQ(elements<float>(held(2)), (F32s{1, 1, 1, 1, 1, 1}));
  EXPECT_EQ(call(hone_lib_broadcast, {list2, list<float>({1, 2, 3})}, {}, 2),
            HONE_SHAPE_MISMATCH);
  EXPECT_EQ(call(hone_lib_broadcast, {list2, empty}, {}, 2), HONE_BAD_VALUE);
}

TEST_F(Sequences, Optionals) {
  expectOk(call(hone_lib_optional_empty, {}));
  auto *empty = made();
  auto has = [&](const std::vector<const hone_value *> &operands) {
    expectOk(call(hone_lib_optional_has_element, operands));
    return elements<uint8_t>().at(0) != 0;
  };
  EXPECT_FALSE(has({empty}));
  EXPECT_FALSE(has({}));
  EXPECT_FALSE(has({nullptr}));
  EXPECT_TRUE(has({scalar<float>(1)}));
  EXPECT_EQ(call(hone_lib_optional_get_element, {empty}), HONE_BAD_VALUE);

  expectOk(
      call(hone_lib_optional_make, {list<float>({4, 5})}, {HONE_TYPE_FLOAT}));
  auto *full = made();
  EXPECT_TRUE(has({full}));
  expectOk(call(hone_lib_optional_get_element, {full}));
  EXPECT_EQ(elements<float>(), (F32s{4, 5}));
  expectOk(call(hone_lib_optional_get_element, {scalar<float>(6)}));
  EXPECT_EQ(elements<float>(), (F32s{6}));

  auto *s = sequenceOf({scalar<float>(7)}, HONE_TYPE_FLOAT);
  expectOk(call(hone_lib_optional_make, {s}, {0}));
  auto *holder = made();
  EXPECT_TRUE(has({holder}));
  expectOk(call(hone_lib_optional_get_element, {holder}));
  EXPECT_EQ(firsts(made()), (F32s{7}));
  hone_value expected = {};
  expected.kind = HONE_KIND_TENSOR;
  EXPECT_EQ(call(hone_lib_optional_get_element, {holder}, {}, 1, expected),
            HONE_BAD_VALUE);
}

} // namespace
