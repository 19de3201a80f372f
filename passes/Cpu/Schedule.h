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

/// Whether the product consists of dot products, of few rows with a transposed
/// operand: tiles have one row, and nothing is copied.
bool isDotProduct(const ProductShape &shape);

/// Whether the product reads quantized weights that its few rows unpack in
/// registers.
bool isUnpackedInRegisters(const ProductShape &shape);

/// Either of the two: tiles take all of K, and the right-hand side is not
/// copied.
bool isReadInPlace(const ProductShape &shape);

/// Whether the left-hand side of a block is first converted to the type that
/// the form reads, and not by each tile for each of its elements.
bool isConverted(const ProductShape &shape, const MicroKernel &form);
/// The same for the input of a convolution that is not a product; for matrices
/// always.
bool isConverted(graph::KernelConvOp op, const MicroKernel &form);

/// Elements of a column in the panels of a filter.
int64_t panelRows(graph::KernelConvOp op);

/// Of the input rows that a convolution with matrices converts, with padding at
/// both ends: pixels before a row, and of all of it; and the elements that a
/// kernel reads at a time, which lie together there.
struct PaddedRows {
  int64_t before, pixels, run;
};
/// For tiles of `rows` pixels; none if they are not known or too large.
std::optional<PaddedRows> paddedRows(graph::KernelConvOp op, int64_t rows);

/// The input rows that a block of `blockRows` rows of an image reads, for each
/// kernel element of the dimensions outside of them: rows of the output share
/// them unless many between them would not be read. Kernel element `k` of row
/// `r` reads row `r * perOutput + k`.
struct ConvertedRows {
  int64_t outerTaps, rows, perOutput;
  bool isShared;
  int64_t all() const { return outerTaps * rows; }
};
ConvertedRows convertedRows(graph::KernelConvOp op, int64_t blockRows);

/// Whether the form widens elements of panels, each time that it loads them
/// unless that was done before.
bool widensPanels(const MicroKernel &form, const ProductTypes &types);

/// The form of a schedule's register tiles: with `packed`, panels are widened
/// once for all rows of a block, if the form does so at all.
const MicroKernel &tileForm(const MicroKernel &form, bool packed);

/// Panels of the right-hand side that pass by a block's tiles of rows.
struct PassingPanels {
  int64_t rowTiles; ///< Of a block.
  int64_t columns;  ///< Of a tile.
  int64_t chunk;    ///< Elements of K that pass by at a time.
  int64_t k, n;
};
/// Elements of the panels of the next tile of columns that each tile of rows
/// prefetches, for each element of K, so that they arrive while all of them
/// multiply; 0: that does not pay.
int64_t prefetchedElements(const CpuMachine &machine, const MicroKernel &form,
                           const ProductTypes &types,
                           const PassingPanels &panels);

/// A register tile and its microkernel.
struct FormedTile {
  const MicroKernel *form = nullptr;
  int64_t rows = 1, vectors = 1;

  int64_t columns(const CpuMachine &machine, const ProductTypes &types) const {
    return vectors * form->lanes(machine, types.accumulator);
  }
};

/// The schedule that is likely the best for the operation's type; with `tile`,
/// the best of those with that register tile.
graph::ScheduleAttr chooseSchedule(graph::ScheduledOpInterface op,
                                   const CpuMachine &machine,
                                   std::optional<FormedTile> tile = {});

/// Why the machine does not support a schedule for an operation, as what the
/// operation "has"; "" if it does. It must have the form, tiles must fit in the
/// registers and be as wide as whole panels or an even part of one, and scratch
/// memory is limited.
std::string scheduleProblem(graph::ScheduledOpInterface op,
                            graph::ScheduleAttr schedule,
                            const CpuMachine &machine);

/// Fails with an error at `op` if it has no schedule, or one that the machine
/// does not support.
mlir::LogicalResult checkSchedule(graph::ScheduledOpInterface op,
                                  const CpuMachine &machine);

} // namespace hone

#endif // HONE_PASSES_CPU_SCHEDULE_H
