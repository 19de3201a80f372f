// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Facts about element types and values.
#include "runtime/core/Types.h"

namespace {

struct TypeFacts {
  const char *name;
  int32_t bits;
};

constexpr TypeFacts types[HONE_TYPE_COUNT] = {
    {"?", 0},
    {"float", 32},
    {"uint8", 8},
    {"int8", 8},
    {"uint16", 16},
    {"int16", 16},
    {"int32", 32},
    {"int64", 64},
    {"string", 128},
    {"bool", 8},
    {"float16", 16},
    {"double", 64},
    {"uint32", 32},
    {"uint64", 64},
    {"complex64", 64},
    {"complex128", 128},
    {"bfloat16", 16},
    {"float8e4m3fn", 8},
    {"float8e4m3fnuz", 8},
    {"float8e5m2", 8},
    {"float8e5m2fnuz", 8},
    {"uint4", 4},
    {"int4", 4},
    {"float4e2m1", 4},
    {"float8e8m0", 8},
    {"uint2", 2},
    {"int2", 2},
};

const TypeFacts &factsOf(int32_t type) {
  return types[type > 0 && type < HONE_TYPE_COUNT ? type : 0];
}

} // namespace

int32_t hone::typeBits(int32_t type) { return factsOf(type).bits; }

const char *hone::typeName(int32_t type) { return factsOf(type).name; }

const char *hone::kindName(int32_t kind) {
  switch (kind) {
  case HONE_KIND_TENSOR:
    return "a tensor";
  case HONE_KIND_SEQUENCE:
    return "a sequence";
  case HONE_KIND_OPTIONAL:
    return "an optional";
  case HONE_KIND_MAP:
    return "a map";
  default:
    return "nothing";
  }
}

int64_t hone::elementCount(int32_t rank, const int64_t *dims) {
  int64_t count = 1;
  bool empty = false, overflow = false;
  for (int32_t i = 0; i < rank; ++i) {
    if (dims[i] < 0)
      return -1;
    if (dims[i] == 0)
      empty = true;
    else if (__builtin_mul_overflow(count, dims[i], &count))
      overflow = true;
  }
  return empty ? 0 : overflow ? -1 : count;
}

int64_t hone::packedBytes(int64_t bits, int32_t rank, const int64_t *dims) {
  int64_t count = elementCount(rank, dims), total;
  if (count < 0 || __builtin_mul_overflow(count, bits, &total))
    return -1;
  return total / 8 + (total % 8 != 0);
}

int64_t hone::tensorBytes(int32_t type, int32_t rank, const int64_t *dims) {
  int64_t bits = typeBits(type);
  return bits == 0 ? -1 : packedBytes(bits, rank, dims);
}
