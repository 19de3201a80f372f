// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Numbers of any element type.
#include "runtime/library/Numbers.h"

using namespace hone;
using namespace hone::library;

int64_t library::integerAt(const Tensor &tensor, int64_t index) {
  bool noSign = isUnsigned(tensor.type);
  switch (tensor.width) {
  case 1:
    return noSign ? int64_t(tensor.as<uint8_t>()[index])
                  : int64_t(tensor.as<int8_t>()[index]);
  case 2:
    return noSign ? int64_t(tensor.as<uint16_t>()[index])
                  : int64_t(tensor.as<int16_t>()[index]);
  case 4:
    return noSign ? int64_t(tensor.as<uint32_t>()[index])
                  : int64_t(tensor.as<int32_t>()[index]);
  case 8:
    return tensor.as<int64_t>()[index];
  default:
    return 0;
  }
}

double library::floatingAt(const Tensor &tensor, int64_t index) {
  switch (tensor.type) {
  case HONE_TYPE_FLOAT:
    return double(tensor.as<float>()[index]);
  case HONE_TYPE_DOUBLE:
    return tensor.as<double>()[index];
  case HONE_TYPE_FLOAT16:
    return double(float(tensor.as<_Float16>()[index]));
  case HONE_TYPE_BFLOAT16:
    return double(float(tensor.as<__bf16>()[index]));
  case HONE_TYPE_UINT64:
    return double(tensor.as<uint64_t>()[index]);
  default:
    return isInteger(tensor.type) ? double(integerAt(tensor, index)) : 0.0;
  }
}

void library::putFloating(const Tensor &tensor, int64_t index, double number) {
  switch (tensor.type) {
  case HONE_TYPE_FLOAT:
    tensor.as<float>()[index] = float(number);
    return;
  case HONE_TYPE_DOUBLE:
    tensor.as<double>()[index] = number;
    return;
  case HONE_TYPE_FLOAT16:
    tensor.as<_Float16>()[index] = _Float16(number);
    return;
  case HONE_TYPE_BFLOAT16:
    tensor.as<__bf16>()[index] = __bf16(number);
    return;
  case HONE_TYPE_BOOL:
    tensor.as<uint8_t>()[index] = number != 0;
    return;
  default:
    break;
  }
  if (number != number)
    return putInteger(tensor, index, 0);
  int32_t bits = int32_t(8 * tensor.width);
  if (tensor.type == HONE_TYPE_UINT64) {
    uint64_t whole = number <= 0                       ? 0
                     : number >= 18446744073709551616. ? UINT64_MAX
                                                       : uint64_t(number);
    return putInteger(tensor, index, int64_t(whole));
  }
  if (isUnsigned(tensor.type)) {
    auto top = double((uint64_t(1) << bits) - 1);
    return putInteger(tensor, index,
                      number <= 0 ? 0 : int64_t(number < top ? number : top));
  }
  if (bits == 64) {
    int64_t whole = number >= 9223372036854775808.    ? INT64_MAX
                    : number <= -9223372036854775808. ? INT64_MIN
                                                      : int64_t(number);
    return putInteger(tensor, index, whole);
  }
  auto top = double((int64_t(1) << (bits - 1)) - 1);
  putInteger(tensor, index,
             int64_t(number > top        ? top
                     : number < -top - 1 ? -top - 1
                                         : number));
}

void library::putInteger(const Tensor &tensor, int64_t index, int64_t number) {
  if (tensor.type == HONE_TYPE_BOOL)
    number = number != 0;
  switch (tensor.width) {
  case 1:
    tensor.as<uint8_t>()[index] = uint8_t(number);
    return;
  case 2:
    tensor.as<uint16_t>()[index] = uint16_t(number);
    return;
  case 4:
    tensor.as<uint32_t>()[index] = uint32_t(number);
    return;
  case 8:
    tensor.as<uint64_t>()[index] = uint64_t(number);
    return;
  default:
    return;
  }
}

uint64_t library::orderedKey(const Tensor &tensor, int64_t index) {
  constexpr uint64_t sign = uint64_t(1) << 63;
  if (!isFloating(tensor.type)) {
    auto number = uint64_t(integerAt(tensor, index));
    return isUnsigned(tensor.type) ? number : number ^ sign;
  }
  double number = floatingAt(tensor, index);
  if (number != number)
    return UINT64_MAX;
  auto bits = __builtin_bit_cast(uint64_t, number == 0 ? 0.0 : number);
  return bits & sign ? ~bits : bits | sign;
}
