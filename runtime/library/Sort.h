// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Stable, non-recursive sorts, and a heap.
#ifndef HONE_RUNTIME_LIBRARY_SORT_H
#define HONE_RUNTIME_LIBRARY_SORT_H

#include <stdint.h>
#include <string.h>

namespace hone {
namespace library {

/// Sorts `items`, using `room`, which holds as many. `less` may be inconsistent
/// (NaNs): the order is then arbitrary, but no item is lost.
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

/// Sorts `items` by their unsigned keys, a byte at a time from the least
/// significant; `room` holds as many. Bytes that all keys share cost nothing.
template <typename T, typename Key>
void radixSort(T *items, T *room, int64_t count, Key keyOf) {
  constexpr int bytes = sizeof(uint64_t);
  int64_t places[bytes][256] = {};
  for (int64_t i = 0; i < count; ++i) {
    uint64_t key = keyOf(items[i]);
    for (int byte = 0; byte < bytes; ++byte)
      ++places[byte][key >> (8 * byte) & 255];
  }
  T *from = items, *to = room;
  for (int byte = 0; count > 0 && byte < bytes; ++byte) {
    auto digitOf = [&](const T &item) {
      return uint64_t(keyOf(item)) >> (8 * byte) & 255;
    };
    int64_t *place = places[byte], next = 0;
    if (place[digitOf(from[0])] == count)
      continue;
    for (int digit = 0; digit < 256; ++digit) {
      int64_t here = place[digit];
      place[digit] = next;
      next += here;
    }
    for (int64_t i = 0; i < count; ++i)
      to[place[digitOf(from[i])]++] = from[i];
    T *swap = from;
    from = to;
    to = swap;
  }
  if (from != items)
    memcpy(items, from, sizeof(T) * size_t(count));
}

/// Moves the item at `at` down a heap whose first item is the least.
template <typename T> void siftDown(T *items, int64_t count, int64_t at) {
  T item = items[at];
  for (int64_t child; (child = 2 * at + 1) < count; at = child) {
    child += child + 1 < count && items[child + 1] < items[child];
    if (!(items[child] < item))
      break;
    items[at] = items[child];
  }
  items[at] = item;
}

/// Makes a heap, from which few items can be taken in order without sorting
/// the rest.
template <typename T> void makeHeap(T *items, int64_t count) {
  for (int64_t at = count / 2; at-- > 0;)
    siftDown(items, count, at);
}

/// Takes the least item of a heap, which must not be empty.
template <typename T> T takeLeast(T *items, int64_t &count) {
  T least = items[0];
  items[0] = items[--count];
  if (count > 0)
    siftDown(items, count, 0);
  return least;
}

} // namespace library
} // namespace hone

#endif // HONE_RUNTIME_LIBRARY_SORT_H
