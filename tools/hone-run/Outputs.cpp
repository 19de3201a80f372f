// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The tensors that a model's outputs consist of.
#include "tools/hone-run/Outputs.h"

using namespace hone::run;

static void append(const hone_value &value, const OutputTensor &whole,
                   std::vector<OutputTensor> &tensors) {
  auto part = [&](const std::string &name) {
    OutputTensor part = whole;
    part.part += (part.part.empty() ? "" : ".") + name;
    part.name += "." + name;
    return part;
  };
  auto add = [&](OutputTensor tensor, const hone_tensor &data) {
    tensor.tensor = &data;
    tensors.push_back(std::move(tensor));
  };
  switch (value.kind) {
  case HONE_KIND_TENSOR:
    return add(whole, value.as.tensor);
  case HONE_KIND_SEQUENCE:
    for (int64_t i = 0; i < value.as.sequence->count; ++i)
      append(value.as.sequence->elements[i], part(std::to_string(i)), tensors);
    return;
  case HONE_KIND_OPTIONAL:
    if (value.as.optional.value)
      append(*value.as.optional.value, whole, tensors);
    return;
  case HONE_KIND_MAP:
    add(part("keys"), *value.as.map.keys);
    return add(part("values"), *value.as.map.values);
  default:
    return;
  }
}

std::vector<OutputTensor> hone::run::tensorsOf(const hone_value &value,
                                               int32_t output,
                                               const std::string &name) {
  std::vector<OutputTensor> tensors;
  append(value, {output, "", name, nullptr}, tensors);
  return tensors;
}

std::vector<OutputTensor> hone::run::tensorsOf(const Model &model) {
  std::vector<OutputTensor> tensors;
  for (int32_t i = 0; i < model.descriptor().output_count; ++i)
    append(model.output(i),
           {i, "", model.descriptor().outputs[i].name, nullptr}, tensors);
  return tensors;
}
