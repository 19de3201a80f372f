// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The functions that generated code calls for sequences and blocks.
#include "runtime/core/Session.h"
#include "test/unit/runtime/TinyCall.h"

#include <cstring>
#include <gtest/gtest.h>

namespace {

struct Sequences : testing::Test {
  TinySession session;
  hone_frame *frame = &session.session->frame;

  const hone_sequence *append(const hone_sequence *to, float value) {
    return hone_rt_sequence_append(frame, to, &value, HONE_TYPE_FLOAT, 0,
                                   nullptr);
  }
  const hone_sequence *insert(const hone_sequence *to, int64_t at,
                              float value) {
    return hone_rt_sequence_insert(frame, to, at, &value, HONE_TYPE_FLOAT, 0,
                                   nullptr, 0);
  }
  std::vector<float> values(const hone_sequence *sequence) {
    std::vector<float> result;
    for (int64_t i = 0; i < hone_rt_sequence_length(sequence); ++i)
      result.push_back(*static_cast<float *>(
          hone_rt_sequence_at(frame, sequence, i, 0)->as.tensor.data));
    return result;
  }
};

using Values = std::vector<float>;

TEST_F(Sequences, GrowWithoutChangingOthers) {
  const hone_sequence *empty = hone_rt_sequence_new(frame);
  const hone_sequence *one = append(empty, 1);
  const hone_sequence *two = append(one, 2);
  const hone_sequence *other = append(one, 3); // the place is taken: a copy
  EXPECT_EQ(values(empty), Values());
  EXPECT_EQ(values(one), Values({1}));
  EXPECT_EQ(values(two), Values({1, 2}));
  EXPECT_EQ(values(other), Values({1, 3}));
  const hone_sequence *many = empty;
  for (int i = 0; i < 1000; ++i)
    many = append(many, float(i));
  EXPECT_EQ(hone_rt_sequence_length(many), 1000);
  EXPECT_EQ(values(many)[999], 999);
}

TEST_F(Sequences, InsertAndErase) {
  const hone_sequence *s = append(append(hone_rt_sequence_new(frame), 1), 2);
  EXPECT_EQ(values(insert(s, 0, 9)), Values({9, 1, 2}));
  EXPECT_EQ(values(insert(s, 2, 9)), Values({1, 2, 9}));
  EXPECT_EQ(values(insert(s, -1, 9)), Values({1, 9, 2}));
  EXPECT_EQ(values(hone_rt_sequence_erase(frame, s, 0, 0)), Values({2}));
  EXPECT_EQ(values(hone_rt_sequence_erase(frame, s, -1, 0)), Values({1}));
  EXPECT_EQ(values(s), Values({1, 2}));
}

TEST_F(Sequences, PositionsAreChecked) {
  const hone_sequence *s = append(hone_rt_sequence_new(frame), 1);
  struct {
    const char *what;
    bool failed;
  } cases[] = {
      {"at 1", !hone_rt_sequence_at(frame, s, 1, 0)},
      {"at -2", !hone_rt_sequence_at(frame, s, -2, 0)},
      {"insert 2", !insert(s, 2, 0)},
      {"erase 1", !hone_rt_sequence_erase(frame, s, 1, 0)},
  };
  for (auto &c : cases)
    EXPECT_TRUE(c.failed) << c.what;
  const hone::Failure &failure = session.session->failure;
  EXPECT_EQ(failure.status, HONE_INDEX_OUT_OF_RANGE);
  EXPECT_EQ(failure.value, 1); // the first one stands
  EXPECT_EQ(failure.limit, 1);
}

TEST_F(Sequences, ElementsAreCopies) {
  int64_t dims[] = {2, 3};
  int32_t data[6] = {1, 2, 3, 4, 5, 6};
  const hone_sequence *s = hone_rt_sequence_append(
      frame, hone_rt_sequence_new(frame), data, HONE_TYPE_INT32, 2, dims);
  memset(data, 0, sizeof(data));
  dims[0] = 0;
  const hone_tensor &element = s->elements[0].as.tensor;
  EXPECT_EQ(static_cast<int32_t *>(element.data)[5], 6);
  EXPECT_EQ(element.dims[0], 2);
  EXPECT_EQ(element.rank, 2);
  EXPECT_EQ(element.type, HONE_TYPE_INT32);
}

TEST_F(Sequences, BlocksAreReused) {
  void *first = hone_rt_alloc(frame, -1, 1000);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(first) % 64, 0u);
  int64_t held = session.stats().block_bytes;
  hone_rt_free(frame, first);
  hone_rt_free(frame, nullptr);
  for (int i = 0; i < 100; ++i) {
    void *again = hone_rt_alloc(frame, -1, 1000 + i % 50);
    EXPECT_NE(again, nullptr);
    hone_rt_free(frame, again);
  }
  EXPECT_EQ(session.stats().block_bytes, held);
  EXPECT_EQ(hone_rt_alloc(frame, -1, -1), nullptr);
  EXPECT_EQ(session.session->failure.status, HONE_OUT_OF_MEMORY);
}

TEST_F(Sequences, BlocksHoldWhatTheyPromise) {
  for (int64_t bytes = 0; bytes < 5000; bytes += 7) {
    auto *block = static_cast<char *>(hone_rt_alloc(frame, -1, bytes));
    ASSERT_NE(block, nullptr);
    memset(block, 0xab, size_t(bytes)); // a sanitizer tree sees an overrun
  }
  // Around the size from which blocks begin at a page, and around that from
  // which they are mapped.
  for (int64_t size : {128 << 10, 1 << 20})
    for (int64_t bytes = size - 5000; bytes < size + 5000; bytes += 999) {
      void *large = hone_rt_alloc(frame, -1, bytes);
      ASSERT_NE(large, nullptr);
      if (bytes >= size)
        EXPECT_EQ(reinterpret_cast<uintptr_t>(large) % 4096, 0u);
      memset(large, 1, size_t(bytes));
    }
}

/// What a block of the session holds.
int64_t &content(void *block) { return *static_cast<int64_t *>(block); }

TEST_F(Sequences, IterationsGiveBackWhatTheyMade) {
  void *before = hone_rt_alloc(frame, -1, 100);
  int64_t outer = hone_rt_mark(frame);
  void *carried = hone_rt_alloc(frame, -1, 100);
  content(before) = 1;
  int64_t held = 0;
  for (int i = 0; i < 100; ++i) {
    // A loop inside, of three iterations.
    int64_t inner = hone_rt_mark(frame);
    void *result = hone_rt_alloc(frame, -1, 100);
    content(result) = content(carried);
    for (int k = 0; k < 3; ++k) {
      void *next = hone_rt_alloc(frame, -1, 100);
      content(next) = content(result) + 1;
      result = next;
      hone_rt_end_iteration(frame, inner, &next, 1);
    }
    void *next = hone_rt_alloc(frame, -1, 100);
    content(next) = content(result);
    void *kept[] = {next, carried}; // the old one stays: a delayed value
    hone_rt_end_iteration(frame, outer, kept, 2);
    EXPECT_EQ(content(next), content(carried) + 3);
    hone_rt_end_iteration(frame, outer, kept, 1);
    carried = next;
    if (i == 1)
      held = session.stats().block_bytes;
  }
  EXPECT_EQ(session.stats().block_bytes, held);
  EXPECT_EQ(content(before), 1);
}

TEST_F(Sequences, OutliveIterations) {
  int64_t mark = hone_rt_mark(frame);
  const hone_sequence *sequence = append(hone_rt_sequence_new(frame), 1);
  hone_rt_end_iteration(frame, mark, nullptr, 0);
  for (int i = 0; i < 10; ++i)
    memset(hone_rt_alloc(frame, -1, 100), 0xab, 100);
  EXPECT_EQ(values(append(sequence, 2)), Values({1, 2}));
}

TEST_F(Sequences, CheckedMemoryShowsLateReaders) {
  session.session->blocks.poisons = true;
  int64_t mark = hone_rt_mark(frame);
  void *block = hone_rt_alloc(frame, -1, 8);
  EXPECT_EQ(content(block), -1);
  content(block) = 5;
  hone_rt_end_iteration(frame, mark, nullptr, 0);
  EXPECT_EQ(content(block), -1);
}

} // namespace
