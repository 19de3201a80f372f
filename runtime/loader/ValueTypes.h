// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The types of inputs and outputs as text: for tools, which have the standard
// library.
#ifndef HONE_RUNTIME_LOADER_VALUETYPES_H
#define HONE_RUNTIME_LOADER_VALUETYPES_H

#include "hone/abi.h"
#include <string>
#include <utility>

namespace hone {

/// "tensor", "sequence", ...
inline const char *valueKindName(int32_t kind) {
  switch (kind) {
  case HONE_KIND_TENSOR:
    return "tensor";
  case HONE_KIND_SEQUENCE:
    return "sequence";
  case HONE_KIND_OPTIONAL:
    return "optional";
  case HONE_KIND_MAP:
    return "map";
  default:
    return "none";
  }
}

/// "sequence(map(string, float))": what a value of `kind`, with elements of
/// `elementKind`, is made of tensors, or of keys and tensors.
inline std::string valueTypeText(std::string tensor, int32_t kind,
                                 int32_t elementKind, const std::string &key) {
  std::string text = std::move(tensor);
  if (kind == HONE_KIND_MAP || elementKind == HONE_KIND_MAP)
    text = "map(" + key + ", " + text + ")";
  if (elementKind == HONE_KIND_SEQUENCE)
    text = "sequence(" + text + ")";
  if (kind == HONE_KIND_SEQUENCE || kind == HONE_KIND_OPTIONAL)
    text = std::string(valueKindName(kind)) + "(" + text + ")";
  return text;
}

} // namespace hone

#endif // HONE_RUNTIME_LOADER_VALUETYPES_H
