// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Links objects, weights and the runtime core into one artefact.
#ifndef HONE_COMPILER_TARGET_CPU_LINK_H
#define HONE_COMPILER_TARGET_CPU_LINK_H

#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace hone {

struct LinkJob {
  std::vector<std::string> objects; ///< files
  std::string output;
  std::string symbol;    ///< the only symbol that others see; must exist
  std::string soname;    ///< the name by which programs linked to it need it
  std::string directory; ///< for files that the linker needs
  enum class Form {
    Library, ///< shared, with the runtime core inside
    Object,  ///< relocatable; the core is linked later, and may be shared
    Archive, ///< for static linking: one object that has the core inside
    Plain,   ///< shared, without the core: for the compiler itself
  } form = Form::Library;
};

/// Links run one at a time in a process. The error has a code if a file cannot
/// be written, otherwise it is the inconvertible one.
llvm::Error link(const LinkJob &job);

/// What tells a linked library from all others: the checksum of its seal.
llvm::Expected<uint64_t> checksumOf(const std::string &library);

} // namespace hone

#endif // HONE_COMPILER_TARGET_CPU_LINK_H
