// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Facts about element types, statuses and values.
#ifndef HONE_RUNTIME_CORE_TYPES_H
#define HONE_RUNTIME_CORE_TYPES_H

#include "hone/abi.h"

namespace hone {

/// Bits of one element; 0 for numbers that are not a type.
int32_t typeBits(int32_t type);

/// ONNX's name of the type in lower case ("float", "int64"); "?" for none.
const char *typeName(int32_t type);

const char *kindName(int32_t kind);

/// Product of the dimensions; -1 when one is negative or the product overflows.
int64_t elementCount(int32_t rank, const int64_t *dims);

/// Bytes of elements of `bits` bits each; -1 like elementCount.
int64_t packedBytes(int64_t bits, int32_t rank, const int64_t *dims);

/// Bytes of a tensor's data, packed types included; -1 like elementCount, or
/// for an unknown type.
int64_t tensorBytes(int32_t type, int32_t rank, const int64_t *dims);

inline bool sameDims(int32_t rank, const int64_t *a, const int64_t *b) {
  for (int32_t i = 0; i < rank; ++i)
    if (a[i] != b[i])
      return false;
  return true;
}

} // namespace hone

#endif // HONE_RUNTIME_CORE_TYPES_H
