// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Links objects, weights and the runtime core to a shared library.
#ifndef HONE_COMPILER_TARGET_CPU_LINK_H
#define HONE_COMPILER_TARGET_CPU_LINK_H

#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace hone {

struct LinkJob {
  std::vector<std::string> objects; ///< files
  std::string output;
  std::string symbol;       ///< the only one that is exported
  std::string directory;    ///< for files that the linker needs
  bool relocatable = false; ///< one object of all, instead of a library
};

/// One link at a time runs in a process.
llvm::Error link(const LinkJob &job);

} // namespace hone

#endif // HONE_COMPILER_TARGET_CPU_LINK_H
