// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tensors and other values, with their memory.
#ifndef HONE_TOOLS_RUN_ARRAY_H
#define HONE_TOOLS_RUN_ARRAY_H

#include "hone/abi.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <new>
#include <string>
#include <sys/mman.h>
#include <vector>

namespace hone::run {

/// Allocates memory like numpy: large arrays ask for huge pages. All are
/// aligned to cache lines.
template <typename T> struct ArrayAllocator {
  using value_type = T;
  static constexpr size_t kLine = 64, kHugePage = size_t(2) << 20;

  T *allocate(size_t count) {
    if (count > PTRDIFF_MAX / sizeof(T) - kHugePage)
      throw std::bad_alloc();
    size_t bytes = count * sizeof(T);
    size_t unit = bytes >= kHugePage ? kHugePage : kLine;
    bytes = (bytes + unit - 1) / unit * unit;
    void *memory = aligned_alloc(unit, bytes);
    if (!memory)
      throw std::bad_alloc();
    if (unit == kHugePage)
      madvise(memory, bytes, MADV_HUGEPAGE); // harmless if refused
    return static_cast<T *>(memory);
  }
  void deallocate(T *memory, size_t) { free(memory); }

  friend bool operator==(ArrayAllocator, ArrayAllocator) { return true; }
  friend bool operator!=(ArrayAllocator, ArrayAllocator) { return false; }
};

using Bytes = std::vector<char, ArrayAllocator<char>>;

/// A tensor with its memory.
struct Array {
  int32_t type = 0;
  std::vector<int64_t> dims;
  Bytes data;
  std::deque<std::string> strings; ///< what hone_strings in data point to

  /// Points to the array, like `value`.
  hone_tensor tensor();
  hone_value value();
  /// Makes these the elements of an array of strings.
  void setStrings(std::deque<std::string> texts);
};

/// Owns what values point to.
class ValueStore {
public:
  Array &add(Array array);
  hone_value sequence(std::vector<hone_value> values);
  /// A map of two arrays of rank 1.
  hone_value map(Array keys, Array values);

private:
  std::deque<Array> arrays;
  std::deque<std::vector<hone_value>> elements;
  std::deque<hone_sequence> sequences;
  std::deque<hone_tensor> tensors;
};

/// "float[2,384]"
std::string describe(const hone_tensor &tensor);

/// The number of elements.
int64_t elementCount(const hone_tensor &tensor);

} // namespace hone::run

#endif // HONE_TOOLS_RUN_ARRAY_H
