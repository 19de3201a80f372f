// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tensors and other values, with their memory.
#include "tools/hone-run/Array.h"
#include "hone/runtime.h"

using namespace hone::run;

hone_tensor Array::tensor() {
  hone_tensor tensor = {data.data(), dims.data(), int32_t(dims.size()), type};
  // An empty tensor's data pointer is never dereferenced, but must not be null.
  static int64_t nothing;
  if (data.empty())
    tensor.data = &nothing;
  if (dims.empty())
    tensor.dims = &nothing;
  return tensor;
}

hone_value Array::value() {
  hone_value value = {};
  value.kind = HONE_KIND_TENSOR;
  value.as.tensor = tensor();
  return value;
}

void Array::setStrings(std::deque<std::string> texts) {
  strings = std::move(texts);
  std::vector<hone_string> views;
  for (const std::string &text : strings)
    views.push_back({text.data(), text.size()});
  const char *bytes = reinterpret_cast<const char *>(views.data());
  data.assign(bytes, bytes + views.size() * sizeof(hone_string));
}

Array &ValueStore::add(Array array) {
  arrays.push_back(std::move(array));
  return arrays.back();
}

hone_value ValueStore::sequence(std::vector<hone_value> values) {
  elements.push_back(std::move(values));
  sequences.push_back(
      {elements.back().data(), int64_t(elements.back().size()), nullptr});
  hone_value value = {};
  value.kind = HONE_KIND_SEQUENCE;
  value.as.sequence = &sequences.back();
  return value;
}

hone_value ValueStore::map(Array keys, Array values) {
  tensors.push_back(add(std::move(keys)).tensor());
  tensors.push_back(add(std::move(values)).tensor());
  hone_value value = {};
  value.kind = HONE_KIND_MAP;
  value.as.map = {&tensors[tensors.size() - 2], &tensors.back()};
  return value;
}

std::string hone::run::describe(const hone_tensor &tensor) {
  std::string text = hone_type_name(tensor.type);
  text += '[';
  for (int32_t i = 0; i < tensor.rank; ++i)
    text += (i ? "," : "") + std::to_string(tensor.dims[i]);
  return text + ']';
}

int64_t hone::run::elementCount(const hone_tensor &tensor) {
  int64_t count = 1;
  for (int32_t i = 0; i < tensor.rank; ++i)
    count *= tensor.dims[i];
  return count;
}
