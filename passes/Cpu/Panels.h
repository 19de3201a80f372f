// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The operands of products as tiles read them: panels on the right, and rows on
// the left.
#ifndef HONE_PASSES_CPU_PANELS_H
#define HONE_PASSES_CPU_PANELS_H

#include "passes/Cpu/MicroKernel.h"
#include "passes/Cpu/ProductTile.h"

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

/// Elements of a row that are put in order at a time, of `count`: so few that
/// the next are copied while these are multiplied.
int64_t orderedWidth(int64_t count);
/// Room for those of a tile.
FlatBuffer makeOrdered(Emitter &e, int64_t rows);

/// to[i * width + k] = from[sources[i] + the place of k], for k in [0, width),
/// if there is a source: in its block, the place that is at `order` in
/// `orders`.
void emitOrdering(Emitter &e, const FlatBuffer &from,
                  llvm::ArrayRef<mlir::Value> sources, const FlatBuffer &orders,
                  mlir::Value order, int64_t width, const FlatBuffer &to);

/// An ordered right-hand side of `k` elements in a column.
struct OrderedPanels {
  const FlatBuffer &buffer;
  graph::PackedAttr layout;
  int64_t k;

  mlir::Value start(Emitter &e, const PanelPlace &place) const {
    return e.mul(place.panel, buffer.strides.front());
  }
  /// Where the order of a half is.
  mlir::Value order(Emitter &e, const PanelPlace &place) const;
};

/// Adds the corrections of a tile's columns to its sums. `rowsAt` says where in
/// `a` the elements are that a position means, for each row.
using RowsAt = llvm::function_ref<llvm::SmallVector<mlir::Value>(
    llvm::ArrayRef<mlir::Value> position)>;
llvm::SmallVector<mlir::Value>
emitCorrections(Emitter &e, const ProductTile &tile, const FlatBuffer &a,
                const OrderedPanels &panels, const PanelPlace &place,
                RowsAt rowsAt, mlir::ValueRange sums);

} // namespace hone

#endif // HONE_PASSES_CPU_PANELS_H
