// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Places buffers with known sizes and live ranges in one arena. Independent of
// IR and sessions: the compiler plans static models with it, the runtime all
// others.
#ifndef HONE_RUNTIME_CORE_PLAN_H
#define HONE_RUNTIME_CORE_PLAN_H

#include <stddef.h>
#include <stdint.h>

namespace hone::plan {

/// Large buffers begin at a page boundary, so that a loop's loads and stores
/// have the same offset within a page. Processors compare only these bits
/// before letting a load pass a store: if the result begins slightly above its
/// operand, each load seems to depend on the preceding store, and waits.
constexpr int64_t kLargeBuffer = 128 << 10, kPage = 4096;

/// A buffer that is live from step `first` to step `last`, both included.
struct Interval {
  int64_t bytes;
  int64_t alignment; ///< a power of two; at least a page for large buffers
  int32_t first;
  int32_t last;
};

/// Search budget. A unit of work is one look at a placed buffer, about a
/// nanosecond.
struct Effort {
  int64_t tries = 1000;
  int64_t work = 50'000'000;
  /// The search ends at an arena of this size: smaller gains nothing.
  int64_t enough = 0;
};

struct Result {
  int64_t arenaBytes;      ///< -1: the sizes overflow
  int64_t lowerBoundBytes; ///< most bytes live at one step: a lower bound
};

/// Bytes of scratch memory, 8-byte aligned, that `plan` needs.
size_t scratchBytes(int64_t count);

/// Writes the offset of every interval; empty ones get 0. Deterministic.
Result plan(const Interval *intervals, int64_t count, int64_t *offsets,
            void *scratch, Effort effort = Effort());

} // namespace hone::plan

#endif // HONE_RUNTIME_CORE_PLAN_H
