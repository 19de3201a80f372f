// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Numbers and strings as keys of a hash table.
#ifndef HONE_RUNTIME_LIBRARY_KEYS_H
#define HONE_RUNTIME_LIBRARY_KEYS_H

#include "runtime/library/Numbers.h"
#include "runtime/library/Text.h"

namespace hone {
namespace library {

/// Equal for equal numbers, including NaNs; a hash for strings.
inline uint64_t keyOf(const Tensor &tensor, int64_t index) {
  if (tensor.type == HONE_TYPE_STRING)
    return hash(tensor.as<hone_string>()[index]);
  return orderedKey(tensor, index);
}

/// Whether elements of two tensors of one type are the same key.
inline bool sameKey(const Tensor &a, int64_t i, const Tensor &b, int64_t j) {
  if (a.type == HONE_TYPE_STRING)
    return equal(a.as<hone_string>()[i], b.as<hone_string>()[j]);
  return orderedKey(a, i) == orderedKey(b, j);
}

} // namespace library
} // namespace hone

#endif // HONE_RUNTIME_LIBRARY_KEYS_H
