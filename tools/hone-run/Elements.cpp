// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Elements of tensors as numbers and as text, whatever their type.
#include "tools/hone-run/Elements.h"
#include "hone/runtime.h"
#include "runtime/core/Printable.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

using namespace hone::run;

namespace {

/// A floating-point type of at most 16 bits.
struct SmallFloat {
  int exponentBits, mantissaBits, bias;
  /// Of the largest exponent: Ieee: infinity and NaN; Last: only the last code
  /// is a NaN; None: numbers, and with `unsignedZero` the code of -0 is a NaN.
  enum { Ieee, Last, None } special;
  bool unsignedZero = false, isUnsigned = false;

  uint32_t infinity() const {
    return ((1u << exponentBits) - 1) << mantissaBits;
  }
  uint32_t largest() const {
    uint32_t last = (1u << (exponentBits + mantissaBits)) - 1;
    return special == Ieee ? infinity() - 1 : special == Last ? last - 1 : last;
  }

  Number decode(uint32_t code) const {
    uint32_t signBit = isUnsigned ? 0 : 1u << (exponentBits + mantissaBits);
    uint32_t magnitude = signBit ? code & (signBit - 1) : code;
    Number sign = code & signBit ? -1 : 1;
    if (unsignedZero && code == signBit)
      return std::numeric_limits<Number>::quiet_NaN();
    if (magnitude > largest())
      return special == Ieee && magnitude == infinity()
                 ? sign * std::numeric_limits<Number>::infinity()
                 : std::numeric_limits<Number>::quiet_NaN();
    int exponent = int(magnitude >> mantissaBits);
    Number mantissa = magnitude & ((1u << mantissaBits) - 1);
    if (exponent > 0 || isUnsigned) // only signed types have denormals
      mantissa += Number(1u << mantissaBits);
    else
      exponent = 1;
    return sign * std::ldexp(mantissa, exponent - bias - mantissaBits);
  }

  /// Of a number in the range of the type, rounded to nearest even.
  uint32_t encode(Number value) const {
    int least = isUnsigned ? -bias : 1 - bias;
    int exponent = value == 0 ? least : std::max(std::ilogb(value), least);
    auto units = uint32_t(
        std::nearbyint(std::ldexp(std::abs(value), mantissaBits - exponent)));
    // Units of a normal number have the hidden bit, which adds to the exponent.
    uint32_t code =
        isUnsigned ? units - 1 + uint32_t(exponent + bias)
                   : units + (uint32_t(exponent + bias - 1) << mantissaBits);
    code = std::min(code, largest());
    bool negative = value < 0 && !(unsignedZero && code == 0);
    return code | (negative ? 1u << (exponentBits + mantissaBits) : 0);
  }
};

const SmallFloat *smallFloat(int32_t type) {
  static constexpr SmallFloat half = {5, 10, 15, SmallFloat::Ieee},
                              bfloat = {8, 7, 127, SmallFloat::Ieee},
                              e4m3fn = {4, 3, 7, SmallFloat::Last},
                              e4m3fnuz = {4, 3, 8, SmallFloat::None, true},
                              e5m2 = {5, 2, 15, SmallFloat::Ieee},
                              e5m2fnuz = {5, 2, 16, SmallFloat::None, true},
                              e2m1 = {2, 1, 1, SmallFloat::None},
                              e8m0 = {8, 0, 127, SmallFloat::Last, false, true};
  switch (type) {
  case HONE_TYPE_FLOAT16:
    return &half;
  case HONE_TYPE_BFLOAT16:
    return &bfloat;
  case HONE_TYPE_FLOAT8E4M3FN:
    return &e4m3fn;
  case HONE_TYPE_FLOAT8E4M3FNUZ:
    return &e4m3fnuz;
  case HONE_TYPE_FLOAT8E5M2:
    return &e5m2;
  case HONE_TYPE_FLOAT8E5M2FNUZ:
    return &e5m2fnuz;
  case HONE_TYPE_FLOAT4E2M1:
    return &e2m1;
  case HONE_TYPE_FLOAT8E8M0:
    return &e8m0;
  default:
    return nullptr;
  }
}

bool isSigned(int32_t type) {
  switch (type) {
  case HONE_TYPE_INT2:
  case HONE_TYPE_INT4:
  case HONE_TYPE_INT8:
  case HONE_TYPE_INT16:
  case HONE_TYPE_INT32:
  case HONE_TYPE_INT64:
    return true;
  default:
    return false;
  }
}

template <typename T> T load(const void *data, int64_t index) {
  T value;
  memcpy(&value, static_cast<const char *>(data) + index * int64_t(sizeof(T)),
         sizeof(T));
  return value;
}

/// The bits of an element of at most 64 bits.
uint64_t bitsAt(const hone_tensor &tensor, int64_t index) {
  int bits = hone_type_bits(tensor.type);
  if (bits < 8) {
    int perByte = 8 / bits;
    return load<uint8_t>(tensor.data, index / perByte) >>
               (index % perByte * bits) &
           ((1u << bits) - 1);
  }
  uint64_t value = 0;
  memcpy(&value, static_cast<const char *>(tensor.data) + index * (bits / 8),
         size_t(bits / 8));
  return value;
}

template <typename T> std::string shortest(T value) {
  char text[64];
  return std::string(text, std::to_chars(text, std::end(text), value).ptr);
}

std::string rounded(Number value, int digits) {
  char text[64];
  snprintf(text, sizeof(text), "%.*Lg", digits, value);
  return text;
}

/// `digits`: the most that a float has.
std::string numberText(int32_t type, Number value, int digits) {
  if (const SmallFloat *format = smallFloat(type))
    return rounded(value, std::min(digits, format->mantissaBits > 7   ? 5
                                           : format->mantissaBits > 3 ? 4
                                                                      : 3));
  if (isFloat(type)) {
    bool isDouble = type == HONE_TYPE_DOUBLE || type == HONE_TYPE_COMPLEX128;
    std::string text =
        isDouble ? shortest(double(value)) : shortest(float(value));
    return text.size() > size_t(digits) ? rounded(value, digits) : text;
  }
  return value < 0 ? std::to_string(int64_t(value))
                   : std::to_string(uint64_t(value));
}

/// Lays out a tensor in nested brackets.
class Table {
public:
  explicit Table(const hone_tensor &tensor)
      : tensor(tensor), all(elementCount(tensor) <= kMostShown) {}

  std::string text() {
    if (elementCount(tensor) == 0)
      return "[]";
    collect(0, 0, [&](int64_t element) {
      width = std::max(width, textAt(tensor, element, kDigits).size());
    });
    put(0, 0);
    return result;
  }

private:
  static constexpr int64_t kMostShown = 1000;
  static constexpr size_t kLineWidth = 100;
  static constexpr int kDigits = 6;

  /// The indices of a dimension that are shown, with -1 for those left out: the
  /// first and last three in the last dimensions, the first in those before.
  std::vector<int64_t> indices(int32_t dim) const {
    int64_t size = tensor.dims[dim];
    bool isInner = dim + 3 >= tensor.rank;
    int64_t first = isInner ? 3 : 1, last = isInner ? 3 : 0;
    std::vector<int64_t> indices;
    for (int64_t i = 0; i < size; ++i) {
      if (!all && i == first && size > first + last) {
        indices.push_back(-1);
        i = size - last;
        if (last == 0)
          break;
      }
      indices.push_back(i);
    }
    return indices;
  }
  template <typename Visit>
  void collect(int32_t dim, int64_t base, Visit visit) {
    if (dim == tensor.rank)
      return visit(base);
    for (int64_t i : indices(dim))
      if (i >= 0)
        collect(dim + 1, base * tensor.dims[dim] + i, visit);
  }
  void put(int32_t dim, int64_t base) {
    if (dim == tensor.rank) {
      std::string text = textAt(tensor, base, kDigits);
      result += std::string(width - text.size(), ' ') + text;
      return;
    }
    bool isRow = dim + 1 == tensor.rank;
    std::string indent(size_t(dim) + 1, ' ');
    result += '[';
    size_t lineStart = result.size();
    const char *separator = "";
    for (int64_t i : indices(dim)) {
      result += separator;
      if (isRow && result.size() - lineStart + width > kLineWidth) {
        result.back() = '\n';
        lineStart = result.size();
        result += indent;
      } else if (!isRow && *separator) {
        result.back() = '\n';
        result += indent;
      }
      separator = " ";
      if (i < 0)
        result += "...";
      else
        put(dim + 1, base * tensor.dims[dim] + i);
    }
    result += ']';
  }

  const hone_tensor &tensor;
  bool all;
  size_t width = 0;
  std::string result;
};

} // namespace

bool hone::run::isComplex(int32_t type) {
  return type == HONE_TYPE_COMPLEX64 || type == HONE_TYPE_COMPLEX128;
}

bool hone::run::isFloat(int32_t type) {
  return type == HONE_TYPE_FLOAT || type == HONE_TYPE_DOUBLE ||
         isComplex(type) || smallFloat(type);
}

Number hone::run::realAt(const hone_tensor &tensor, int64_t index) {
  switch (tensor.type) {
  case HONE_TYPE_FLOAT:
    return load<float>(tensor.data, index);
  case HONE_TYPE_DOUBLE:
    return load<double>(tensor.data, index);
  case HONE_TYPE_COMPLEX64:
    return load<float>(tensor.data, 2 * index);
  case HONE_TYPE_COMPLEX128:
    return load<double>(tensor.data, 2 * index);
  default:
    break;
  }
  uint64_t bits = bitsAt(tensor, index);
  if (const SmallFloat *format = smallFloat(tensor.type))
    return format->decode(uint32_t(bits));
  int unused = 64 - hone_type_bits(tensor.type);
  return isSigned(tensor.type) ? Number(int64_t(bits << unused) >> unused)
                               : Number(bits);
}

Number hone::run::imaginaryAt(const hone_tensor &tensor, int64_t index) {
  return tensor.type == HONE_TYPE_COMPLEX64
             ? load<float>(tensor.data, 2 * index + 1)
         : tensor.type == HONE_TYPE_COMPLEX128
             ? load<double>(tensor.data, 2 * index + 1)
             : 0;
}

void hone::run::setReal(Array &array, int64_t index, Number value) {
  auto store = [&](auto element) {
    memcpy(&array.data[size_t(index) * sizeof(element)], &element,
           sizeof(element));
  };
  if (array.type == HONE_TYPE_FLOAT)
    return store(float(value));
  if (array.type == HONE_TYPE_DOUBLE)
    return store(double(value));
  const SmallFloat *format = smallFloat(array.type);
  uint64_t bits = format      ? format->encode(value)
                  : value < 0 ? uint64_t(int64_t(value))
                              : uint64_t(value);
  int width = hone_type_bits(array.type);
  if (width >= 8) {
    memcpy(&array.data[size_t(index) * size_t(width / 8)], &bits,
           size_t(width / 8));
    return;
  }
  int perByte = 8 / width, shift = int(index % perByte) * width;
  uint32_t mask = ((1u << width) - 1) << shift;
  char &byte = array.data[size_t(index / perByte)];
  byte = char((uint8_t(byte) & ~mask) | (uint32_t(bits << shift) & mask));
}

bool hone::run::rangeOf(int32_t type, Number &low, Number &high) {
  if (type == HONE_TYPE_STRING || isComplex(type))
    return false;
  if (const SmallFloat *format = smallFloat(type)) {
    high = format->decode(format->largest());
    low = format->isUnsigned ? format->decode(0) : -high;
  } else if (isFloat(type)) {
    high = type == HONE_TYPE_FLOAT ? std::numeric_limits<float>::max()
                                   : std::numeric_limits<double>::max();
    low = -high;
  } else {
    int bits = type == HONE_TYPE_BOOL ? 1 : hone_type_bits(type);
    low = isSigned(type) ? -std::ldexp(Number(1), bits - 1) : 0;
    high = std::ldexp(Number(1), isSigned(type) ? bits - 1 : bits) - 1;
  }
  return true;
}

std::string hone::run::textAt(const hone_tensor &tensor, int64_t index,
                              int digits) {
  if (tensor.type == HONE_TYPE_STRING) {
    constexpr size_t kLongest = 60;
    auto text = load<hone_string>(tensor.data, index);
    std::string result = "\"";
    putPrintable(
        text.data, std::min(text.size, kLongest),
        [&](const char *piece, size_t size) { result.append(piece, size); });
    return result + (text.size > kLongest ? "...\"" : "\"");
  }
  if (tensor.type == HONE_TYPE_BOOL)
    return realAt(tensor, index) != 0 ? "true" : "false";
  std::string text = numberText(tensor.type, realAt(tensor, index), digits);
  if (!isComplex(tensor.type))
    return text;
  std::string imaginary =
      numberText(tensor.type, imaginaryAt(tensor, index), digits);
  return text + (imaginary[0] == '-' ? "" : "+") + imaginary + "i";
}

std::string hone::run::tableOf(const hone_tensor &tensor) {
  return Table(tensor).text();
}

std::string hone::run::positionText(const hone_tensor &tensor, int64_t index) {
  std::string text;
  for (int32_t d = tensor.rank; d-- > 0;) {
    text = std::to_string(index % tensor.dims[d]) + (text.empty() ? "" : ",") +
           text;
    index /= tensor.dims[d];
  }
  return text.empty() ? "" : "[" + text + "]";
}
