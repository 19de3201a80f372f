// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// An order of weights of bytes in which sums of two products, with unsigned
// bytes, fit in 16 bits.
#ifndef HONE_PASSES_GRAPH_BYTEORDER_H
#define HONE_PASSES_GRAPH_BYTEORDER_H

#include "dialects/Graph/Constants.h"
#include "dialects/Graph/Graph.h"

namespace hone {

/// Weights as a matrix, whose rows are the channels of each tap of a filter; a
/// plain matrix has one tap.
struct ByteMatrix {
  const graph::ConstantBytes &source;
  int64_t taps, channels, columns;
  int64_t tapStride, channelStride, columnStride;
  int64_t tapsInRow; ///< Of the filter.

  int64_t rows() const { return taps * channels; }
  /// Zero where there is no column.
  int8_t at(int64_t row, int64_t column) const {
    if (column >= columns)
      return 0;
    return *source.element(row / channels * tapStride +
                           row % channels * channelStride +
                           column * columnStride);
  }
};

/// The bytes of one half of a panel, in their order.
struct OrderedHalf {
  static constexpr int64_t columns = graph::PackedAttr::kHalf;
  using Row = std::array<int8_t, columns>;
  /// What the elements that begin with row `first`, in order, lack.
  struct Correction {
    int64_t first;
    std::array<Row, 4> rows;
  };

  std::vector<Row> rows;       ///< By place.
  std::vector<uint8_t> places; ///< In its block, the row at each place.
  std::vector<Correction> corrections;
};

/// The halves of all panels of `matrix`; none if one of them needs more
/// corrections than pay off.
std::optional<std::vector<OrderedHalf>> orderBytes(mlir::MLIRContext *context,
                                                   const ByteMatrix &matrix);

} // namespace hone

#endif // HONE_PASSES_GRAPH_BYTEORDER_H
