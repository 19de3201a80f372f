// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a machine can do with a schedule.
#ifndef HONE_PASSES_CPU_SCHEDULE_H
#define HONE_PASSES_CPU_SCHEDULE_H

#include "passes/Cpu/MicroKernel.h"

namespace hone {

/// The most rows of a register tile of so many vectors.
int64_t maxTileRows(const CpuMachine &machine, const MicroKernel &form,
                    int64_t vectors);

/// Whether the product is one of dot products, of few rows with a transposed
/// operand: tiles have one row, and nothing is copied.
bool isDotProduct(const ProductShape &shape);

/// Fail with an error at `op` where it has no schedule, or one that the machine
/// cannot follow: it must have the form, tiles must fit into the registers and
/// be as wide as whole panels or an even part of one, and what waits in scratch
/// memory is limited.
mlir::LogicalResult checkSchedule(graph::ContractOp op,
                                  const CpuMachine &machine);
mlir::LogicalResult checkSchedule(graph::ConvWindowOp op,
                                  const CpuMachine &machine);
mlir::LogicalResult checkSchedule(graph::AttendOp op,
                                  const CpuMachine &machine);

} // namespace hone

#endif // HONE_PASSES_CPU_SCHEDULE_H
