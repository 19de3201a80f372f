// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The C header of a model.
#ifndef HONE_COMPILER_DRIVER_HEADER_H
#define HONE_COMPILER_DRIVER_HEADER_H

#include "compiler/Target/ModelInfo.h"

namespace hone {

/// A self-contained header: typed functions over the descriptor.
std::string makeHeader(const ModelInfo &info);

} // namespace hone

#endif // HONE_COMPILER_DRIVER_HEADER_H
