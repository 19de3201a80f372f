// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Names and sizes of ONNX element types.
#include "compiler/Import/Onnx/Reader/Model.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

using namespace hone::onnx;

namespace {
struct Entry {
  const char *name;
  unsigned bits;
};
constexpr Entry entries[] = {
    {"undefined", 0},      {"float", 32},     {"uint8", 8},
    {"int8", 8},           {"uint16", 16},    {"int16", 16},
    {"int32", 32},         {"int64", 64},     {"string", 0},
    {"bool", 8},           {"float16", 16},   {"double", 64},
    {"uint32", 32},        {"uint64", 64},    {"complex64", 64},
    {"complex128", 128},   {"bfloat16", 16},  {"float8e4m3fn", 8},
    {"float8e4m3fnuz", 8}, {"float8e5m2", 8}, {"float8e5m2fnuz", 8},
    {"uint4", 4},          {"int4", 4},       {"float4e2m1", 4},
    {"float8e8m0", 8},     {"uint2", 2},      {"int2", 2},
    {"float6e2m3", 6},     {"float6e3m2", 6},
};
} // namespace

static const Entry *entryOf(ElementType type) {
  auto number = static_cast<int32_t>(type);
  if (number < 0 || number >= static_cast<int32_t>(std::size(entries)))
    return nullptr;
  return &entries[number];
}

std::string hone::onnx::elementTypeName(ElementType type) {
  if (const Entry *entry = entryOf(type))
    return entry->name;
  return "type " + std::to_string(static_cast<int32_t>(type));
}

std::optional<ElementType> hone::onnx::elementTypeNamed(llvm::StringRef name) {
  for (auto [number, entry] : llvm::enumerate(entries))
    if (number && name == entry.name)
      return static_cast<ElementType>(number);
  return std::nullopt;
}

unsigned hone::onnx::elementBits(ElementType type) {
  const Entry *entry = entryOf(type);
  return entry ? entry->bits : 0;
}

int64_t hone::onnx::packedBytes(ElementType type, int64_t count) {
  int64_t bits;
  if (llvm::MulOverflow<int64_t>(count, elementBits(type), bits) ||
      bits > INT64_MAX - 7)
    return -1;
  return (bits + 7) / 8;
}

int64_t hone::onnx::elementCount(llvm::ArrayRef<int64_t> dims) {
  int64_t count = 1;
  bool empty = false;
  for (int64_t dim : dims) {
    if (dim < 0)
      return -1;
    if (dim == 0)
      empty = true;
    else if (llvm::MulOverflow(count, dim, count))
      return -1;
  }
  return empty ? 0 : count;
}
