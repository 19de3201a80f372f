// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Pool.h"

#include <array>
#include <atomic>
#include <gtest/gtest.h>
#include <memory>
#include <thread>
#include <vector>

namespace {

/// A pool that ends with the test.
struct TestPool {
  explicit TestPool(int32_t threads) {
    EXPECT_EQ(hone::createPool(threads, &table), HONE_OK);
  }
  ~TestPool() { hone::destroyPool(&table); }
  template <typename Function> int32_t run(int64_t pieces, Function function) {
    auto call = [](void *task, int64_t begin, int64_t end, int64_t thread) {
      return (*static_cast<Function *>(task))(begin, end, thread);
    };
    return table.run(table.self, pieces, call, &function);
  }
  hone_pool table;
};

TEST(Pool, EachPieceRunsOnce) {
  for (int32_t threads : {1, 2, 3, 8}) {
    TestPool pool(threads);
    ASSERT_EQ(pool.table.threads, threads);
    for (int64_t pieces : {0, 1, 2, 3, 7, 8, 64, 1000}) {
      std::vector<std::atomic<int>> counts(pieces);
      int32_t result =
          pool.run(pieces, [&](int64_t begin, int64_t end, int64_t thread) {
            EXPECT_LT(begin, end);
            EXPECT_LT(thread, threads);
            for (int64_t i = begin; i < end; ++i)
              counts[i].fetch_add(1);
            return 0;
          });
      EXPECT_EQ(result, 0);
      for (auto &count : counts)
        ASSERT_EQ(count.load(), 1) << threads << " threads";
    }
  }
}

TEST(Pool, ThreadsBeginWithTheSamePieces) {
  constexpr int64_t threads = 3, pieces = 12;
  TestPool pool(threads);
  for (int job = 0; job < 20; ++job) {
    std::array<std::atomic<int64_t>, threads> first;
    for (auto &piece : first)
      piece = -1;
    std::atomic<int> started{0};
    pool.run(pieces, [&](int64_t begin, int64_t, int64_t thread) {
      int64_t none = -1;
      // Nobody takes what is left of another's pieces before all are here.
      if (first[thread].compare_exchange_strong(none, begin)) {
        started.fetch_add(1);
        while (started.load() < threads)
          std::this_thread::yield();
      }
      return 0;
    });
    for (int64_t thread = 0; thread < threads; ++thread)
      EXPECT_EQ(first[thread].load(), thread * (pieces / threads));
  }
}

TEST(Pool, MorePiecesThanWordsCount) {
  TestPool pool(2);
  for (int64_t pieces : {int64_t(UINT32_MAX), int64_t(UINT32_MAX) + 1,
                         int64_t(1) << 40, INT64_MAX}) {
    std::atomic<uint64_t> sum{0};
    pool.run(pieces, [&](int64_t begin, int64_t end, int64_t) {
      EXPECT_LT(begin, end);
      EXPECT_LE(end, pieces);
      sum.fetch_add(end - begin);
      return 0;
    });
    EXPECT_EQ(sum.load(), uint64_t(pieces));
  }
}

TEST(Pool, ManyShortJobs) {
  TestPool pool(4);
  std::atomic<int64_t> sum{0};
  for (int job = 0; job < 20000; ++job)
    pool.run(5, [&](int64_t begin, int64_t end, int64_t) {
      sum.fetch_add(end - begin);
      return 0;
    });
  EXPECT_EQ(sum.load(), 100000);
}

TEST(Pool, ParkedWorkersWakeUp) {
  TestPool pool(3);
  for (int job = 0; job < 5; ++job) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    std::atomic<int> inside{0};
    // Both pieces wait for each other: two threads must have come.
    pool.run(2, [&](int64_t, int64_t, int64_t) {
      inside.fetch_add(1);
      while (inside.load() < 2)
        std::this_thread::yield();
      return 0;
    });
    EXPECT_EQ(inside.load(), 2);
  }
}

TEST(Pool, EachThreadNumberIsUsedByOneThreadAtATime) {
  TestPool pool(4);
  std::atomic<int> busy[4] = {};
  pool.run(400, [&](int64_t, int64_t, int64_t thread) {
    EXPECT_EQ(busy[thread].exchange(1), 0);
    std::this_thread::yield();
    busy[thread].store(0);
    return 0;
  });
}

TEST(Pool, ServesOneAtATime) {
  TestPool pool(2);
  EXPECT_TRUE(pool.table.acquire(pool.table.self));
  EXPECT_FALSE(pool.table.acquire(pool.table.self));
  pool.table.release(pool.table.self);
  EXPECT_TRUE(pool.table.acquire(pool.table.self));
  pool.table.release(pool.table.self);
}

TEST(Pool, FailureEndsTheJob) {
  TestPool pool(2);
  std::atomic<int64_t> ran{0};
  int32_t result = pool.run(100000, [&](int64_t begin, int64_t end, int64_t) {
    ran.fetch_add(end - begin);
    return begin == 0 ? 7 : 0;
  });
  EXPECT_EQ(result, 7);
  EXPECT_LE(ran.load(), 100000);
  // And the next one is as any other.
  EXPECT_EQ(pool.run(10, [](int64_t, int64_t, int64_t) { return 0; }), 0);
}

TEST(Pool, NestedPoolsWork) {
  TestPool outer(2);
  std::atomic<int64_t> sum{0};
  ASSERT_TRUE(outer.table.acquire(outer.table.self));
  outer.run(4, [&](int64_t begin, int64_t end, int64_t) {
    for (int64_t i = begin; i < end; ++i) {
      // A busy pool turns the caller away; another one serves it.
      EXPECT_FALSE(outer.table.acquire(outer.table.self));
      TestPool inner(2);
      inner.run(10, [&](int64_t b, int64_t e, int64_t) {
        sum.fetch_add(e - b);
        return 0;
      });
    }
    return 0;
  });
  EXPECT_EQ(sum.load(), 40);
}

TEST(Pool, ManyPoolsAtOnce) {
  std::vector<std::thread> callers;
  std::atomic<int64_t> sum{0};
  for (int caller = 0; caller < 6; ++caller)
    callers.emplace_back([&] {
      TestPool pool(3);
      for (int job = 0; job < 300; ++job)
        pool.run(16, [&](int64_t begin, int64_t end, int64_t) {
          sum.fetch_add(end - begin);
          return 0;
        });
    });
  for (std::thread &caller : callers)
    caller.join();
  EXPECT_EQ(sum.load(), 6 * 300 * 16);
}

TEST(Pool, UnusedPoolEnds) {
  for (int i = 0; i < 20; ++i)
    TestPool pool(4);
}

} // namespace
