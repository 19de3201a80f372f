// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Plan.h"

#include <gtest/gtest.h>
#include <random>
#include <vector>

using namespace hone::plan;

namespace {

struct Planned {
  std::vector<int64_t> offsets;
  Result result;
};

Planned planAll(const std::vector<Interval> &intervals,
                Effort effort = Effort()) {
  Planned planned;
  planned.offsets.resize(intervals.size());
  std::vector<int64_t> scratch(scratchBytes(intervals.size()) / 8 + 1);
  planned.result = plan(intervals.data(), intervals.size(),
                        planned.offsets.data(), scratch.data(), effort);
  return planned;
}

/// No two buffers that live at one step share a byte; all are aligned and
/// inside.
void expectValid(const std::vector<Interval> &intervals,
                 const Planned &planned) {
  for (size_t i = 0; i < intervals.size(); ++i) {
    const Interval &a = intervals[i];
    ASSERT_EQ(planned.offsets[i] % a.alignment, 0);
    ASSERT_GE(planned.offsets[i], 0);
    ASSERT_LE(planned.offsets[i] + a.bytes, planned.result.arenaBytes);
    for (size_t j = 0; j < i; ++j) {
      const Interval &b = intervals[j];
      bool together = a.first <= b.last && b.first <= a.last;
      bool overlap = planned.offsets[i] < planned.offsets[j] + b.bytes &&
                     planned.offsets[j] < planned.offsets[i] + a.bytes;
      ASSERT_FALSE(together && overlap && a.bytes && b.bytes)
          << i << " and " << j;
    }
  }
  ASSERT_GE(planned.result.arenaBytes, planned.result.lowerBoundBytes);
}

TEST(Plan, NothingNeedsNothing) {
  Planned planned = planAll({});
  EXPECT_EQ(planned.result.arenaBytes, 0);
  EXPECT_EQ(planned.result.lowerBoundBytes, 0);
}

TEST(Plan, ChainReusesItsBuffers) {
  // step:    0    1    2    3
  // a 256    x    x
  // b 128         x    x
  // c 256              x    x
  // sum    256  384  384  256
  std::vector<Interval> intervals = {
      {256, 64, 0, 1}, {128, 64, 1, 2}, {256, 64, 2, 3}};
  Planned planned = planAll(intervals);
  expectValid(intervals, planned);
  EXPECT_EQ(planned.result.lowerBoundBytes, 384);
  EXPECT_EQ(planned.result.arenaBytes, 384);
  EXPECT_EQ(planned.offsets[0], planned.offsets[2]);
}

TEST(Plan, EndsAreIncluded) {
  // Both live at step 1: 64 + 64.
  std::vector<Interval> intervals = {{64, 64, 0, 1}, {64, 64, 1, 2}};
  EXPECT_EQ(planAll(intervals).result.arenaBytes, 128);
  // From step 2 on there is room: 64.
  intervals[1].first = 2;
  EXPECT_EQ(planAll(intervals).result.arenaBytes, 64);
}

TEST(Plan, EmptyBuffersTakeNoRoom) {
  std::vector<Interval> intervals = {{0, 64, 0, 9}, {64, 64, 0, 9}};
  Planned planned = planAll(intervals);
  EXPECT_EQ(planned.result.arenaBytes, 64);
  EXPECT_EQ(planned.offsets[0], 0);
}

TEST(Plan, RoundsUpToTheAlignment) {
  // 1 -> 64, 65 -> 128, 4096-aligned 1 -> 4096
  std::vector<Interval> intervals = {
      {1, 64, 0, 0}, {65, 64, 0, 0}, {1, 4096, 1, 1}};
  Planned planned = planAll(intervals);
  expectValid(intervals, planned);
  EXPECT_EQ(planned.result.lowerBoundBytes, 4096);
  EXPECT_EQ(planned.result.arenaBytes, 4096);
}

TEST(Plan, LargeBuffersBeginAtAPage) {
  std::vector<Interval> intervals = {{64, 64, 0, 2},
                                     {hone::plan::kLargeBuffer, 64, 0, 1},
                                     {hone::plan::kLargeBuffer - 1, 64, 1, 2},
                                     {hone::plan::kLargeBuffer + 1, 64, 2, 2}};
  Planned planned = planAll(intervals);
  expectValid(intervals, planned);
  EXPECT_EQ(planned.offsets[1] % hone::plan::kPage, 0);
  EXPECT_EQ(planned.offsets[3] % hone::plan::kPage, 0);
}

TEST(Plan, SearchBeatsGreedyBySize) {
  // By size b and c go to 0, d above c, and a above b and d: 9.
  // With d at the bottom, c above it and a above d: 7.
  // step:  0  1  2
  // a 2    x  x
  // b 4    x
  // c 4          x
  // d 3       x  x
  // sum    6  5  7
  std::vector<Interval> intervals = {
      {128, 64, 0, 1}, {256, 64, 0, 0}, {256, 64, 2, 2}, {192, 64, 1, 2}};
  Planned planned = planAll(intervals);
  expectValid(intervals, planned);
  EXPECT_EQ(planned.result.lowerBoundBytes, 7 * 64);
  EXPECT_EQ(planned.result.arenaBytes, 7 * 64);
}

/// The live ranges of a plain transformer's activations, unfused.
std::vector<Interval> transformer(int layers, int64_t tokens, int64_t hidden,
                                  int64_t heads) {
  std::vector<Interval> intervals;
  int64_t row = tokens * hidden * 4, scores = tokens * tokens * heads * 4;
  int32_t t = 0, residual = 0;
  intervals.push_back({row, 64, 0, 0});
  for (int layer = 0; layer < layers; ++layer) {
    int32_t start = t;
    auto add = [&](int64_t bytes, int32_t first, int32_t last) {
      intervals.push_back({bytes, 64, start + first, start + last});
    };
    add(row, 1, 4);    // q
    add(row, 2, 4);    // k
    add(row, 3, 6);    // v
    add(scores, 4, 5); // q k
    add(scores, 5, 6); // softmax
    add(row, 6, 7);    // mixed
    add(row, 7, 8);    // projected
    intervals[residual].last = start + 8;
    residual = int32_t(intervals.size());
    add(row, 8, 9);  // sum
    add(row, 9, 10); // norm
    add(4 * row, 10, 11);
    add(4 * row, 11, 12);
    add(row, 12, 13);
    intervals[residual].last = start + 13;
    residual = int32_t(intervals.size());
    add(row, 13, 14);
    t = start + 14;
  }
  intervals[residual].last = t;
  return intervals;
}

TEST(Plan, TransformersReachTheBound) {
  for (int64_t tokens : {7, 64, 128, 384, 512})
    for (int64_t hidden : {384, 768}) {
      std::vector<Interval> intervals =
          transformer(12, tokens, hidden, hidden / 64);
      Planned planned = planAll(intervals);
      expectValid(intervals, planned);
      EXPECT_EQ(planned.result.arenaBytes, planned.result.lowerBoundBytes)
          << tokens << " tokens, " << hidden;
    }
}

TEST(Plan, RandomGraphsComeCloseToTheBound) {
  double sum = 0;
  int cases = 200;
  for (int seed = 0; seed < cases; ++seed) {
    std::mt19937 random(seed);
    auto below = [&](int bound) { return int(random() % bound); };
    std::vector<Interval> intervals;
    int count = 1 + below(60);
    for (int i = 0; i < count; ++i) {
      int32_t first = below(count);
      int32_t last = first + (below(5) ? below(4) : below(count));
      intervals.push_back({int64_t(below(5000)), 1ll << below(8), first, last});
    }
    Planned planned = planAll(intervals);
    SCOPED_TRACE(seed);
    expectValid(intervals, planned);
    if (planned.result.lowerBoundBytes)
      sum += double(planned.result.arenaBytes) /
             double(planned.result.lowerBoundBytes);
    else
      sum += 1;
  }
  EXPECT_LT(sum / cases, 1.02);
}

TEST(Plan, SamePlanEveryTime) {
  std::vector<Interval> intervals = transformer(6, 100, 384, 6);
  EXPECT_EQ(planAll(intervals).offsets, planAll(intervals).offsets);
}

TEST(Plan, StopsWhenItIsEnough) {
  std::vector<Interval> intervals = transformer(12, 384, 384, 6);
  Effort effort;
  effort.enough = int64_t(1) << 40;
  Planned planned = planAll(intervals, effort);
  expectValid(intervals, planned);
}

TEST(Plan, RefusesWhatOverflows) {
  EXPECT_EQ(planAll({{INT64_MAX, 64, 0, 1}}).result.arenaBytes, -1);
  EXPECT_EQ(planAll({{-1, 64, 0, 1}}).result.arenaBytes, -1);
  std::vector<Interval> many(1000, {int64_t(1) << 45, 64, 0, 1});
  EXPECT_EQ(planAll(many).result.arenaBytes, -1);
}

TEST(Plan, ManyBuffersEndInTime) {
  std::vector<Interval> intervals;
  for (int32_t i = 0; i < 10000; ++i)
    intervals.push_back({1000 + i % 777, 64, i, i + 3 + i % 5});
  expectValid({}, planAll({}));
  Planned planned = planAll(intervals);
  EXPECT_GE(planned.result.arenaBytes, planned.result.lowerBoundBytes);
}

} // namespace
