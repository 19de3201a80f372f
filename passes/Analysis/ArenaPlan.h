// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The runtime's planner, as used by the compiler.
#ifndef HONE_PASSES_ANALYSIS_ARENAPLAN_H
#define HONE_PASSES_ANALYSIS_ARENAPLAN_H

#include "llvm/ADT/ArrayRef.h"
#include <cstdint>

namespace hone {

struct ArenaSlot {
  int32_t first, last; ///< -1 for an unused slot
  int64_t alignment;
  int64_t bytes;
  int64_t offset;
};

struct ArenaSize {
  int64_t bytes = -1;
  int64_t lowerBound = -1;
};

/// Sets the offsets. The size is -1 if the slots' sizes overflow.
ArenaSize planArena(llvm::MutableArrayRef<ArenaSlot> slots);

} // namespace hone

#endif // HONE_PASSES_ANALYSIS_ARENAPLAN_H
