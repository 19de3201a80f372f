// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Files that exist completely or not at all.
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
  std::string path;     ///< with links followed, even if it does not exist yet
  bool discard = false; ///< to /dev/null
};

/// Follows links like other compilers, and accepts /dev/null; other devices,
/// pipes and sockets are refused with invalid_argument, as is one of the files
/// `inputs`, folders with is_a_directory.
llvm::Expected<OutputPlace> findPlace(llvm::StringRef output,
                                      llvm::ArrayRef<std::string> inputs);

/// A folder that is removed with this object, including its content.
class TemporaryFolder {
public:
  TemporaryFolder() = default;
  TemporaryFolder(const TemporaryFolder &) = delete;
  TemporaryFolder &operator=(const TemporaryFolder &) = delete;
  ~TemporaryFolder();

  /// Creates it beside the file of `place`, so that its files can be renamed to
  /// it. `announce` is called with its path before it exists.
  llvm::Error create(const OutputPlace &place,
                     llvm::function_ref<void(llvm::StringRef)> announce);
  void remove();
  std::string file(const llvm::Twine &name) const;
  const std::string &path() const { return folder; }

private:
  std::string folder;
};

llvm::Error writeFile(llvm::StringRef path, llvm::StringRef data);
/// Moves a finished file into place.
llvm::Error publish(llvm::StringRef from, const OutputPlace &place);

} // namespace hone

#endif // HONE_COMPILER_DRIVER_FILES_H
