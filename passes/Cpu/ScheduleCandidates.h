// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Schedules worth measuring beside the chosen one.
#ifndef HONE_PASSES_CPU_SCHEDULECANDIDATES_H
#define HONE_PASSES_CPU_SCHEDULECANDIDATES_H

#include "passes/Cpu/Schedule.h"
#include "llvm/ADT/SmallVector.h"

namespace hone {

/// Schedules of an operation with other register tiles than `current`, each
/// with the blocks chosen for it. The machine supports all of them; the most
/// promising come first.
llvm::SmallVector<graph::ScheduleAttr>
tileCandidates(graph::ScheduledOpInterface op, graph::ScheduleAttr current,
               const CpuMachine &machine);

/// Schedules with the tile of `current` and one other thing changed: a block
/// half or twice as large, other chunks of K, the right-hand side copied or
/// not. The machine supports all of them.
llvm::SmallVector<graph::ScheduleAttr>
blockCandidates(graph::ScheduledOpInterface op, graph::ScheduleAttr current,
                const CpuMachine &machine);

} // namespace hone

#endif // HONE_PASSES_CPU_SCHEDULECANDIDATES_H
