// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The runtime's planner, as used by the compiler.
#include "passes/Analysis/ArenaPlan.h"
#include "runtime/core/Plan.h"
#include <vector>

using namespace hone;

ArenaSize hone::planArena(llvm::MutableArrayRef<ArenaSlot> slots) {
  std::vector<plan::Interval> intervals;
  for (const ArenaSlot &slot : slots)
    intervals.push_back({slot.first < 0 ? 0 : slot.bytes, slot.alignment,
                         slot.first, slot.last});
  std::vector<int64_t> offsets(slots.size());
  std::vector<uint64_t> scratch(plan::scratchBytes(slots.size()) / 8 + 1);
  // A compilation has more time than a run with new dimensions.
  plan::Result result =
      plan::plan(intervals.data(), intervals.size(), offsets.data(),
                 scratch.data(), {4000, 400'000'000});
  for (size_t i = 0; i < slots.size(); ++i)
    slots[i].offset = offsets[i];
  return {result.arenaBytes, result.lowerBoundBytes};
}
