// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tensors to and from NumPy's .npy files. Existing readers support neither
// strings nor bfloat16's two opaque bytes, and trust the header.
#ifndef HONE_TOOLS_RUN_NPY_H
#define HONE_TOOLS_RUN_NPY_H

#include "tools/hone-run/Array.h"
#include "tools/hone-run/Files.h"

namespace hone::run {

/// Reads a file as a tensor of the model's type `type`; types unknown to npy
/// are read from unsigned integers of their width. Throws Failure.
Array readNpy(const std::string &path, int32_t type);

/// The same from bytes; `name` is for messages.
Array readNpy(ByteSource &source, const std::string &name, int32_t type);

/// Writes a temporary file in the same folder and renames it. Throws Failure.
void writeNpy(const std::string &path, const hone_tensor &tensor);

} // namespace hone::run

#endif // HONE_TOOLS_RUN_NPY_H
