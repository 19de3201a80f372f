// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The tensors that a model's outputs consist of.
#ifndef HONE_TOOLS_RUN_OUTPUTS_H
#define HONE_TOOLS_RUN_OUTPUTS_H

#include "tools/hone-run/Model.h"

namespace hone::run {

/// An output, or a part of it.
struct OutputTensor {
  int32_t output;
  std::string part; ///< as in GivenFile
  std::string name; ///< of the output, with ".PART" if it is one
  const hone_tensor *tensor;
};

/// Of a value of this name, in order. An absent optional has none.
std::vector<OutputTensor> tensorsOf(const hone_value &value, int32_t output,
                                    const std::string &name);
/// Of all outputs of the last run.
std::vector<OutputTensor> tensorsOf(const Model &model);

} // namespace hone::run

#endif // HONE_TOOLS_RUN_OUTPUTS_H
