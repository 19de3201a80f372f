// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a machine can do with a schedule.
#ifndef HONE_PASSES_CPU_SCHEDULE_H
#define HONE_PASSES_CPU_SCHEDULE_H

#include "passes/Cpu/MicroKernel.h"
#include <optional>
#include <string>

namespace hone {

/// The most rows of a register tile of so many vectors.
int64_t maxTileRows(const CpuMachine &machine, const MicroKernel &form,
                    int64_t vectors);

/// Whether the product is one of dot products, of few rows with a transposed
/// operand: tiles have one row, and nothing is copied.
bool isDotProduct(const ProductShape &shape);

/// Whether the left-hand side of a block is first converted to the type that
/// the form reads, and not by each tile for each of its elements.
bool isWidened(const ProductShape &shape, const MicroKernel &form);

/// A register tile and the form in which it multiplies.
struct FormedTile {
  const MicroKernel *form = nullptr;
  int64_t rows = 1, vectors = 1;

  int64_t columns(const CpuMachine &machine, const ProductTypes &types) const {
    return vectors * form->lanes(machine, types.accumulator);
  }
};

/// Cycles of one step of such a tile along K: so many multiply-adds and loads
/// start in each, and a little goes to the loop.
double stepCycles(const CpuMachine &machine, int64_t rows, int64_t vectors);

/// The schedule that is likely the best for the operation's type; with `tile`,
/// the best of those with that register tile.
graph::ScheduleAttr chooseSchedule(graph::ScheduledOpInterface op,
                                   const CpuMachine &machine,
                                   std::optional<FormedTile> tile = {});

/// Why the machine cannot follow a schedule for an operation, as what the
/// operation "has"; "" where it can. It must have the form, tiles must fit into
/// the registers and be as wide as whole panels or an even part of one, and
/// what waits in scratch memory is limited.
std::string scheduleProblem(graph::ScheduledOpInterface op,
                            graph::ScheduleAttr schedule,
                            const CpuMachine &machine);

/// Fails with an error at `op` where it has no schedule, or one that the
/// machine cannot follow.
mlir::LogicalResult checkSchedule(graph::ScheduledOpInterface op,
                                  const CpuMachine &machine);

} // namespace hone

#endif // HONE_PASSES_CPU_SCHEDULE_H
