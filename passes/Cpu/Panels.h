// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The operands of products as tiles read them: panels on the right, and rows on
// the left.
#ifndef HONE_PASSES_CPU_PANELS_H
#define HONE_PASSES_CPU_PANELS_H

#include "passes/Cpu/MicroKernel.h"

namespace hone {

/// Where a vector of columns lies in a packed right-hand side.
struct PanelPlace {
  mlir::Value panel, column; ///< The column within the panel.
};
/// Of the vector that begins `offset` columns into a tile of `columns`. The
/// tile begins with column `firstColumn`; if it is made of whole panels, with
/// panel `firstPanel`. With `panels`, their number, it may extend past the
/// last.
PanelPlace placeInPanels(Emitter &e, int64_t columns, mlir::Value firstPanel,
                         mlir::Value firstColumn, int64_t offset,
                         mlir::Value panels);

/// wide[k][v * lanes ..] = the vector of columns at `sources[v]`, for k in
/// [0, count): rows of `pitch` elements, which the form's `elementwise` reads.
void emitWidening(Emitter &e, const MicroKernel &form, mlir::Type accumulator,
                  int64_t lanes, const FlatBuffer &panels,
                  llvm::ArrayRef<mlir::Value> sources, mlir::Value count,
                  const FlatBuffer &wide, int64_t pitch);

/// to[target + i] = from[source + i] for i in [0, count), in the type in which
/// the form reads the left-hand side. A last, incomplete vector of `lanes` is
/// stored whole.
void emitConversion(Emitter &e, const CpuMachine &machine,
                    const MicroKernel &form, const ProductTypes &types,
                    int64_t lanes, const FlatBuffer &from, mlir::Value source,
                    const FlatBuffer &to, mlir::Value target,
                    mlir::Value count);

} // namespace hone

#endif // HONE_PASSES_CPU_PANELS_H
