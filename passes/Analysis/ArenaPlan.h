// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The runtime's planner, for what the compiler can plan.
#ifndef HONE_PASSES_ANALYSIS_ARENAPLAN_H
#define HONE_PASSES_ANALYSIS_ARENAPLAN_H

#include "llvm/ADT/ArrayRef.h"
#include <cstdint>

namespace hone {

struct ArenaSlot {
  int32_t first, last; ///< a slot that nothing touches has -1
  int64_t alignment;
  int64_t bytes;
  int64_t offset;
};

struct ArenaSize {
  int64_t bytes = -1;
  int64_t lowerBound = -1;
};

/// Sets the offsets. The size is -1 where the slots' sizes overflow.
ArenaSize planArena(llvm::MutableArrayRef<ArenaSlot> slots);

} // namespace hone

#endif // HONE_PASSES_ANALYSIS_ARENAPLAN_H
