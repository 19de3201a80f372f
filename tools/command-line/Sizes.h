// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sizes of free dimensions as the command line gives them.
#ifndef HONE_TOOLS_COMMANDLINE_SIZES_H
#define HONE_TOOLS_COMMANDLINE_SIZES_H

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace hone {

struct GivenSizes {
  /// Free dimensions by name.
  std::vector<std::pair<std::string, int64_t>> dims;
  /// All dimensions of inputs.
  std::vector<std::pair<std::string, std::vector<int64_t>>> shapes;
};

} // namespace hone

#endif // HONE_TOOLS_COMMANDLINE_SIZES_H
