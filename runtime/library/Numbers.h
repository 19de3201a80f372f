// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Numbers of any element type, read and written one by one.
#ifndef HONE_RUNTIME_LIBRARY_NUMBERS_H
#define HONE_RUNTIME_LIBRARY_NUMBERS_H

#include "runtime/library/Call.h"

namespace hone {
namespace library {

inline bool isFloating(int64_t type) {
  return type == HONE_TYPE_FLOAT || type == HONE_TYPE_DOUBLE ||
         type == HONE_TYPE_FLOAT16 || type == HONE_TYPE_BFLOAT16;
}

inline bool isUnsigned(int64_t type) {
  return type == HONE_TYPE_BOOL || type == HONE_TYPE_UINT8 ||
         type == HONE_TYPE_UINT16 || type == HONE_TYPE_UINT32 ||
         type == HONE_TYPE_UINT64;
}

inline bool isInteger(int64_t type) {
  return isUnsigned(type) || type == HONE_TYPE_INT8 ||
         type == HONE_TYPE_INT16 || type == HONE_TYPE_INT32 ||
         type == HONE_TYPE_INT64;
}

inline bool isNumber(int64_t type) {
  return isFloating(type) || isInteger(type);
}

/// An integer of the tensor's width; signless ones as the type says.
int64_t integerAt(const Tensor &tensor, int64_t index);

/// Any number as a double; 0 for strings and other types.
double floatingAt(const Tensor &tensor, int64_t index);

/// Writes a number, rounded to nearest in a floating type, truncated and
/// saturated in an integer type; as bool, whether it is not 0.
void putFloating(const Tensor &tensor, int64_t index, double number);

/// Writes the low bytes of an integer; as bool, whether it is not 0.
void putInteger(const Tensor &tensor, int64_t index, int64_t number);

/// A key whose unsigned order is the order of the numbers; -0 equals 0, and all
/// NaNs are equal and come last.
uint64_t orderedKey(const Tensor &tensor, int64_t index);

/// Calls `work` with a zero of an unsigned integer of `width` bytes, to copy
/// elements by assignment.
struct Sixteen {
  uint64_t halves[2];
};
template <typename Work> void withWidth(int64_t width, Work work) {
  switch (width) {
  case 1:
    return work(uint8_t(0));
  case 2:
    return work(uint16_t(0));
  case 4:
    return work(uint32_t(0));
  case 8:
    return work(uint64_t(0));
  default:
    return work(Sixteen{});
  }
}

} // namespace library
} // namespace hone

#endif // HONE_RUNTIME_LIBRARY_NUMBERS_H
