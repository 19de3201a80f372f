// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Random tensors, the same for a seed on every machine.
#include "tools/hone-run/Random.h"
#include "hone/runtime.h"

#include <cmath>
#include <cstring>

using namespace hone::run;

namespace {

/// SplitMix64: the same numbers on every machine.
struct Random {
  uint64_t state;
  uint64_t next() {
    uint64_t z = state += 0x9E3779B97F4A7C15ull;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ z >> 27) * 0x94D049BB133111EBull;
    return z ^ z >> 31;
  }
  /// In [-1, 1).
  double real() { return double(int64_t(next()) >> 11) * 0x1p-52; }
};

template <typename T, typename Make> void fill(Array &array, Make make) {
  for (size_t i = 0; i + sizeof(T) <= array.data.size(); i += sizeof(T)) {
    T value = make();
    memcpy(&array.data[i], &value, sizeof(T));
  }
}

} // namespace

void hone::run::fillRandom(Array &array, uint64_t seed) {
  Random random{seed};
  auto bit = [&] { return random.next() >> 63; };
  switch (array.type) {
  case HONE_TYPE_FLOAT:
  case HONE_TYPE_COMPLEX64:
    return fill<float>(array, [&] { return float(random.real()); });
  case HONE_TYPE_DOUBLE:
  case HONE_TYPE_COMPLEX128:
    return fill<double>(array, [&] { return random.real(); });
  case HONE_TYPE_FLOAT16: // exponents -4 to -1
    return fill<uint16_t>(array, [&] {
      uint64_t r = random.next();
      return uint16_t((r & 0x8000) | (0x2c00 + (r & 0xfff)));
    });
  case HONE_TYPE_BFLOAT16:
    return fill<uint16_t>(array, [&] {
      uint64_t r = random.next();
      return uint16_t((r & 0x8000) | (0x3d80 + (r & 0x1ff)));
    });
  case HONE_TYPE_FLOAT8E4M3FN:
  case HONE_TYPE_FLOAT8E4M3FNUZ:
  case HONE_TYPE_FLOAT8E5M2:
  case HONE_TYPE_FLOAT8E5M2FNUZ:
    return fill<uint8_t>(array, [&] {
      uint64_t r = random.next();
      return uint8_t((r & 0x80) | (0x20 + (r & 0x1f)));
    });
  case HONE_TYPE_FLOAT8E8M0:
    return fill<uint8_t>(array, [&] { return uint8_t(127 - bit()); });
  case HONE_TYPE_UINT4:
  case HONE_TYPE_INT4:
  case HONE_TYPE_FLOAT4E2M1:
    return fill<uint8_t>(array, [&] { return uint8_t(random.next() & 0x11); });
  case HONE_TYPE_UINT2:
  case HONE_TYPE_INT2:
    return fill<uint8_t>(array, [&] { return uint8_t(random.next() & 0x55); });
  case HONE_TYPE_STRING:
    return fill<hone_string>(array,
                             [&] { return hone_string{bit() ? "b" : "a", 1}; });
  default:
    break;
  }
  switch (hone_type_bits(array.type)) {
  case 8:
    return fill<uint8_t>(array, [&] { return uint8_t(bit()); });
  case 16:
    return fill<uint16_t>(array, [&] { return uint16_t(bit()); });
  case 32:
    return fill<uint32_t>(array, [&] { return uint32_t(bit()); });
  case 64:
    return fill<uint64_t>(array, [&] { return uint64_t(bit()); });
  default:
    return;
  }
}

void hone::run::fillRandom(Array &array, uint64_t seed, const Range &range) {
  Random random{seed};
  int64_t count = elementCount(array.tensor());
  for (int64_t i = 0; i < count; ++i) {
    Number part;
    if (isFloat(array.type)) {
      part = (range.high - range.low) * Number(random.real() + 1) / 2;
    } else {
      uint64_t span = uint64_t(range.high - range.low); // inclusive
      part = Number(span == UINT64_MAX ? random.next()
                                       : random.next() % (span + 1));
    }
    setReal(array, i, range.low + part);
  }
}

std::string hone::run::misfitOf(const Range &range, int32_t type) {
  Number low, high;
  if (!rangeOf(type, low, high))
    return std::string("has no numbers in order, but ") + hone_type_name(type);
  if (!isFloat(type) && (range.low != std::floor(range.low) ||
                         range.high != std::floor(range.high)))
    return std::string("has whole numbers: ") + hone_type_name(type);
  if (range.low >= low && range.high <= high)
    return "";
  char text[96];
  snprintf(text, sizeof(text), "holds %.20Lg to %.20Lg: %s", low, high,
           hone_type_name(type));
  return text;
}
