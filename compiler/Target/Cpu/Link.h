// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Links objects, weights and the runtime core to one artefact.
#ifndef HONE_COMPILER_TARGET_CPU_LINK_H
#define HONE_COMPILER_TARGET_CPU_LINK_H

#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace hone {

struct LinkJob {
  std::vector<std::string> objects; ///< files
  std::string output;
  std::string symbol;    ///< the only one that others see
  std::string soname;    ///< by which a program that is linked to it needs it
  std::string directory; ///< for files that the linker needs
  enum class Form {
    Library, ///< shared, with the runtime core inside
    Object,  ///< relocatable; the core is linked later, and may be shared
    Archive, ///< for static linking: one object that has the core inside
  } form = Form::Library;
};

/// One link at a time runs in a process. The error has a code where a file
/// cannot be written, else it is the inconvertible one.
llvm::Error link(const LinkJob &job);

} // namespace hone

#endif // HONE_COMPILER_TARGET_CPU_LINK_H
