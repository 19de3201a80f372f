// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A stable sort of positions, without recursion.
#ifndef HONE_RUNTIME_CORE_LIBRARY_SORT_H
#define HONE_RUNTIME_CORE_LIBRARY_SORT_H

#include <stdint.h>
#include <string.h>

namespace hone {
namespace library {

/// Sorts `items`; `room` holds as many. `less` may be inconsistent (NaNs): then
/// the order is any, the items are still all there.
template <typename T, typename Less>
void mergeSort(T *items, T *room, int64_t count, Less less) {
  T *from = items, *to = room;
  for (int64_t width = 1; width < count; width *= 2) {
    for (int64_t begin = 0; begin < count; begin += 2 * width) {
      int64_t middle = begin + width < count ? begin + width : count;
      int64_t end = middle + width < count ? middle + width : count;
      int64_t left = begin, right = middle;
      for (int64_t i = begin; i < end; ++i)
        to[i] =
            left < middle && (right >= end || !less(from[right], from[left]))
                ? from[left++]
                : from[right++];
    }
    T *swap = from;
    from = to;
    to = swap;
  }
  if (from != items)
    memcpy(items, from, sizeof(T) * size_t(count));
}

} // namespace library
} // namespace hone

#endif // HONE_RUNTIME_CORE_LIBRARY_SORT_H
