// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tensors to and from NumPy's .npy files. Existing readers support neither
// strings nor bfloat16's two opaque bytes, and trust the header.
#ifndef HONE_TOOLS_RUN_NPY_H
#define HONE_TOOLS_RUN_NPY_H

#include "hone/abi.h"
#include "tools/hone-run/Files.h"

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

  hone_value value();
};

/// Reads a file as a tensor of the model's type `type`; types unknown to npy
/// are read from unsigned integers of their width. Throws Failure.
Array readNpy(const std::string &path, int32_t type);

/// Writes a temporary file in the same folder and renames it. Throws Failure.
void writeNpy(const std::string &path, const hone_tensor &tensor);

/// "float[2,384]"
std::string describe(const hone_tensor &tensor);

} // namespace hone::run

#endif // HONE_TOOLS_RUN_NPY_H
