// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tensors to and from NumPy's .npy files. Packaged readers know neither strings
// nor bfloat16's two opaque bytes, and trust the header.
#ifndef HONE_TOOLS_RUN_NPY_H
#define HONE_TOOLS_RUN_NPY_H

#include "hone/abi.h"

#include <deque>
#include <string>
#include <vector>

namespace hone::run {

/// A failure to tell the user of, with the exit code it leads to.
struct Failure {
  int code;
  std::string message;
};

/// A tensor with its memory.
struct Array {
  int32_t type = 0;
  std::vector<int64_t> dims;
  std::vector<char> data;
  std::deque<std::string> strings; ///< what hone_strings in data point at

  hone_value value();
};

/// Reads a file as a tensor of the model's type `type`; types that npy does not
/// know are taken from unsigned integers of their width. Throws Failure.
Array readNpy(const std::string &path, int32_t type);

/// Writes the file beside its place and renames it. Throws Failure.
void writeNpy(const std::string &path, const hone_tensor &tensor);

/// "float[2,384]"
std::string describe(const hone_tensor &tensor);

/// Removes a file that is being written; may be called from a signal handler.
void removeUnfinished();

} // namespace hone::run

#endif // HONE_TOOLS_RUN_NPY_H
