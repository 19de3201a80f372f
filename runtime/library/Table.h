// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A hash table of positions, for a fixed number of keys.
#ifndef HONE_RUNTIME_LIBRARY_TABLE_H
#define HONE_RUNTIME_LIBRARY_TABLE_H

#include "runtime/library/Call.h"

namespace hone {
namespace library {

inline int64_t tableSize(int64_t keys) {
  int64_t size = 16;
  while (size < 2 * keys)
    size *= 2;
  return size;
}

class Table {
public:
  Table(Call &call, int64_t keys)
      : mask(tableSize(keys) - 1), slots(call, mask + 1) {
    for (int64_t i = 0; slots && i <= mask; ++i)
      slots[i] = -1;
  }

  explicit operator bool() const { return bool(slots); }

  /// The slot of a key: holds its position, or -1 for a new key.
  /// `equal(position)` says whether the key at a position is this one.
  template <typename Equal> int64_t &find(uint64_t hash, Equal equal) const {
    hash = (hash ^ hash >> 32) * 0x9e3779b97f4a7c15u;
    auto at = int64_t(hash >> 20) & mask;
    while (slots[at] >= 0 && !equal(slots[at]))
      at = (at + 1) & mask;
    return slots[at];
  }

private:
  int64_t mask;
  Scratch<int64_t> slots;
};

} // namespace library
} // namespace hone

#endif // HONE_RUNTIME_LIBRARY_TABLE_H
