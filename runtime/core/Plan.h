// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Places buffers with known sizes and live ranges in one arena. Knows nothing
// of IR or sessions: the compiler plans static models with it, the runtime all
// others.
#ifndef HONE_RUNTIME_CORE_PLAN_H
#define HONE_RUNTIME_CORE_PLAN_H

#include <stddef.h>
#include <stdint.h>

namespace hone::plan {

/// Large buffers begin at a page, so that what a loop loads and what it stores
/// have the same place within one. Processors compare these bits alone before a
/// load may pass a store: with a result a little above its operand, each load
/// seems to read what was stored just before, and waits.
constexpr int64_t kLargeBuffer = 128 << 10, kPage = 4096;

/// A buffer that is live from step `first` to step `last`, both included.
struct Interval {
  int64_t bytes;
  int64_t alignment; ///< a power of two; of large buffers at least a page
  int32_t first;
  int32_t last;
};

/// How long the search may go on. A unit of work is one look at a placed
/// buffer, about a nanosecond.
struct Effort {
  int64_t tries = 1000;
  int64_t work = 50'000'000;
  /// An arena of this size is as good as the smallest: the search ends.
  int64_t enough = 0;
};

struct Result {
  int64_t arenaBytes;      ///< -1: the sizes overflow
  int64_t lowerBoundBytes; ///< most bytes live at one step: no plan is smaller
};

/// Bytes of scratch memory, 8-byte aligned, that `plan` needs.
size_t scratchBytes(int64_t count);

/// Writes the offset of every interval; empty ones get 0. The same arguments
/// always give the same plan.
Result plan(const Interval *intervals, int64_t count, int64_t *offsets,
            void *scratch, Effort effort = Effort());

} // namespace hone::plan

#endif // HONE_RUNTIME_CORE_PLAN_H
