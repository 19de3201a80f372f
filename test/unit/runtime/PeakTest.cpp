// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The measured peak of the machine, and the least time that work takes there.
#include "hone/runtime.h"

#include <gtest/gtest.h>

namespace {

TEST(Peak, IsMeasuredOnThePoolsThreads) {
  hone_pool pool;
  ASSERT_EQ(hone_pool_create(2, &pool), HONE_OK);
  for (const hone_pool *threads : {static_cast<const hone_pool *>(nullptr),
                                   static_cast<const hone_pool *>(&pool)}) {
    hone_peak peak;
    ASSERT_EQ(hone_measure_peak(threads, &peak), HONE_OK);
    EXPECT_EQ(peak.threads, threads ? 2 : 1);
    EXPECT_GE(peak.vector_bits, 128);
    // No machine that runs this is slower, or faster.
    EXPECT_GT(peak.flop_per_second, 1e8);
    EXPECT_LT(peak.flop_per_second, 2e12);
    EXPECT_GT(peak.bytes_per_second, 1e8);
    EXPECT_LT(peak.bytes_per_second, 1e12);
  }
  // One that serves a session cannot be measured.
  hone_peak peak;
  ASSERT_TRUE(pool.acquire(pool.self));
  EXPECT_EQ(hone_measure_peak(&pool, &peak), HONE_WRONG_CALL);
  pool.release(pool.self);
  EXPECT_EQ(hone_measure_peak(&pool, nullptr), HONE_WRONG_CALL);
  hone_pool_destroy(&pool);
}

TEST(Peak, BoundsWork) {
  hone_peak peak = {100, 10, 1, 256};
  int32_t bound = -1;
  EXPECT_EQ(hone_peak_seconds(&peak, 200, 10, &bound), 2);
  EXPECT_EQ(bound, HONE_BOUND_COMPUTE);
  EXPECT_EQ(hone_peak_seconds(&peak, 200, 50, &bound), 5);
  EXPECT_EQ(bound, HONE_BOUND_MEMORY);
  EXPECT_EQ(hone_peak_seconds(&peak, -1, 50, &bound), 5);
  EXPECT_EQ(bound, HONE_BOUND_MEMORY);
  EXPECT_EQ(hone_peak_seconds(&peak, 0, -1, &bound), 0);
  EXPECT_EQ(bound, HONE_BOUND_NONE);
  EXPECT_EQ(hone_peak_seconds(&peak, 100, 0, nullptr), 1);
  EXPECT_EQ(hone_peak_seconds(nullptr, 100, 100, &bound), 0);
}

} // namespace
