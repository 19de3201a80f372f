// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The hot path allocates nothing once it has seen its sizes. This program's
// malloc and mmap are its own and count.
#include "test/unit/runtime/TinyCall.h"

#include <atomic>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

extern "C" {
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
}

static std::atomic<int64_t> allocations{0};

extern "C" {
void *malloc(size_t bytes) {
  ++allocations;
  return __libc_malloc(bytes);
}
void *calloc(size_t count, size_t bytes) {
  ++allocations;
  return __libc_calloc(count, bytes);
}
void *realloc(void *pointer, size_t bytes) {
  ++allocations;
  return __libc_realloc(pointer, bytes);
}
void *aligned_alloc(size_t alignment, size_t bytes) {
  ++allocations;
  return __libc_memalign(alignment, bytes);
}
void *mmap(void *address, size_t bytes, int protection, int flags, int file,
           off_t offset) {
  ++allocations;
  return reinterpret_cast<void *>(
      syscall(SYS_mmap, address, bytes, protection, flags, file, offset));
}
}

namespace {

/// Allocations of `runs` runs of a session on these threads.
int64_t allocationsOf(TinySession &session, TinyCall &call, int runs) {
  int64_t before = allocations;
  for (int i = 0; i < runs; ++i)
    if (call.run(session.session) != HONE_OK)
      return -1;
  return allocations - before;
}

TEST(Allocation, NoneAfterTheFirstRun) {
  for (int32_t threads : {1, 2}) {
    hone_session_options options = {};
    options.threads = threads;
    TinySession session(options);
    TinyCall call(900);
    EXPECT_GT(allocationsOf(session, call, 1), 0); // the counter works
    EXPECT_EQ(allocationsOf(session, call, 100), 0);
  }
}

TEST(Allocation, NoneForPlansThatAreKept) {
  TinySession session;
  TinyCall small(3), large(900);
  allocationsOf(session, small, 1);
  allocationsOf(session, large, 1);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(allocationsOf(session, small, 1), 0);
    EXPECT_EQ(allocationsOf(session, large, 1), 0);
  }
}

TEST(Allocation, LargeBlocksAreKept) {
  TinySession session;
  TinyCall call(2);
  tiny::extraBlockBytes = int64_t(8) << 20;
  EXPECT_GT(allocationsOf(session, call, 1), 0);
  EXPECT_EQ(allocationsOf(session, call, 10), 0);
  tiny::extraBlockBytes = int64_t(4) << 20;
  allocationsOf(session, call, 1);
  EXPECT_EQ(allocationsOf(session, call, 10), 0);
  tiny::extraBlockBytes = 0;
}

} // namespace
