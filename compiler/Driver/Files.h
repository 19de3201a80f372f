// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Files that are there whole or not at all.
#ifndef HONE_COMPILER_DRIVER_FILES_H
#define HONE_COMPILER_DRIVER_FILES_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>

namespace hone {

/// Where an output goes.
struct OutputPlace {
  std::string path;     ///< links are followed: the file that will be there
  bool discard = false; ///< to /dev/null
};

/// Links are followed as other compilers do, /dev/null is taken; other devices,
/// pipes and sockets are refused with invalid_argument, as is one of the files
/// `inputs`, folders with is_a_directory.
llvm::Expected<OutputPlace> findPlace(llvm::StringRef output,
                                      llvm::ArrayRef<std::string> inputs);

/// A folder that disappears with this object and all that is in it.
class TemporaryFolder {
public:
  TemporaryFolder() = default;
  TemporaryFolder(const TemporaryFolder &) = delete;
  TemporaryFolder &operator=(const TemporaryFolder &) = delete;
  ~TemporaryFolder();

  /// Makes it beside the file of `place`, so that what is made there can be
  /// renamed to it. `announce` hears of its path before it is there.
  llvm::Error create(const OutputPlace &place,
                     llvm::function_ref<void(llvm::StringRef)> announce);
  std::string file(const llvm::Twine &name) const;
  const std::string &path() const { return folder; }

private:
  std::string folder;
};

llvm::Error writeFile(llvm::StringRef path, llvm::StringRef data);
/// Puts a finished file in its place.
llvm::Error publish(llvm::StringRef from, const OutputPlace &place);

} // namespace hone

#endif // HONE_COMPILER_DRIVER_FILES_H
