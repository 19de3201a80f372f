// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Elements of tensors as numbers and as text, whatever their type.
#ifndef HONE_TOOLS_RUN_ELEMENTS_H
#define HONE_TOOLS_RUN_ELEMENTS_H

#include "tools/hone-run/Array.h"

namespace hone::run {

/// Holds every element of up to 64 bits exactly.
using Number = long double;

bool isFloat(int32_t type);
bool isComplex(int32_t type);

/// An element that is a number; of a complex one, its real part.
Number realAt(const hone_tensor &tensor, int64_t index);
Number imaginaryAt(const hone_tensor &tensor, int64_t index);

/// Sets an element that is a number, rounded to the type, to one in its range.
void setReal(Array &array, int64_t index, Number value);

/// The least and the largest finite number of a type. False: its elements are
/// not real numbers.
bool rangeOf(int32_t type, Number &low, Number &high);

/// With as many digits as tell it from its neighbours, or rounded to fewer.
std::string textAt(const hone_tensor &tensor, int64_t index, int digits = 20);

/// All elements, or the first and last of each dimension if there are many, in
/// rows of the last dimension.
std::string tableOf(const hone_tensor &tensor);

/// "[0,5]"; empty for a scalar.
std::string positionText(const hone_tensor &tensor, int64_t index);

} // namespace hone::run

#endif // HONE_TOOLS_RUN_ELEMENTS_H
