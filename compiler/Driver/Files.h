// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Files that are there whole or not at all.
#ifndef HONE_COMPILER_DRIVER_FILES_H
#define HONE_COMPILER_DRIVER_FILES_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>

namespace hone {

/// A folder that disappears with this object and all that is in it.
class TemporaryFolder {
public:
  TemporaryFolder() = default;
  TemporaryFolder(const TemporaryFolder &) = delete;
  TemporaryFolder &operator=(const TemporaryFolder &) = delete;
  ~TemporaryFolder();

  /// Makes it beside `output`, so that what is made there can be renamed to it.
  llvm::Error create(llvm::StringRef output);
  std::string file(const llvm::Twine &name) const;
  const std::string &path() const { return folder; }

private:
  std::string folder;
};

/// Removes what a process that was ended by a signal left beside `output`.
void removeTemporaryFolders(llvm::StringRef output, int process);

llvm::Error writeFile(llvm::StringRef path, llvm::StringRef data);
/// Writes beside the place and renames.
llvm::Error writeFileAtomically(llvm::StringRef path, llvm::StringRef data);
/// Puts a finished file in its place, with the permissions that a new file
/// would have had.
llvm::Error publish(llvm::StringRef from, llvm::StringRef to);

} // namespace hone

#endif // HONE_COMPILER_DRIVER_FILES_H
