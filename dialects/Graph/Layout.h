// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The order of dimensions in which operations work: as in the model, or with
// channels last.
#ifndef HONE_DIALECTS_GRAPH_LAYOUT_H
#define HONE_DIALECTS_GRAPH_LAYOUT_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

namespace hone::graph {

enum class LayoutRole {
  Fixed,              ///< works in the order of the model only
  Any,                ///< works in either order
  BetterChannelsLast, ///< the same, somewhat faster with channels last
  ChannelsLast,       ///< works fast with channels last only
};

enum class OperandOrder {
  Model,     ///< always that of the model
  Own,       ///< that in which the operation works
  Broadcast, ///< the same, once brought to the rank of the result
};

/// Tensors of this rank have channels in dimension 1 and can have them last.
inline bool hasChannelsLastOrder(int64_t rank) {
  return rank >= 3 && rank <= 5;
}
/// The permutation from channels first to channels last: [0, 2, .., 1].
llvm::SmallVector<int64_t> channelsLastOrder(int64_t rank);
/// The permutation back: [0, rank - 1, 1, ..].
llvm::SmallVector<int64_t> channelsFirstOrder(int64_t rank);

/// Entry `i` of the result is entry `order[i]` of `values`.
template <typename T>
llvm::SmallVector<T> permuted(llvm::ArrayRef<T> values,
                              llvm::ArrayRef<int64_t> order) {
  llvm::SmallVector<T> result;
  for (int64_t from : order)
    result.push_back(values[from]);
  return result;
}

} // namespace hone::graph

#endif // HONE_DIALECTS_GRAPH_LAYOUT_H
