// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The file of a model, of any format.
#include "compiler/Import/ModelFile.h"
#include "compiler/Import/ForeignFile.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/FileSystem.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace llvm;

static Error unreadable(StringRef path, const Twine &why) {
  return createStringError(path + ": cannot be read: " + why);
}

static const char *describe(mode_t mode) {
  return S_ISDIR(mode)    ? "it is a folder"
         : S_ISFIFO(mode) ? "it is a pipe; write it to a file first"
                          : "it is not a regular file";
}

Expected<std::unique_ptr<MemoryBuffer>> hone::openModelFile(StringRef path,
                                                            bool isText) {
  // Opening a pipe would wait for a writer.
  int file = open(path.str().c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0)
    return unreadable(path, std::strerror(errno));
  scope_exit closing([&] { close(file); });
  struct stat found;
  if (fstat(file, &found))
    return unreadable(path, std::strerror(errno));
  if (S_ISDIR(found.st_mode))
    if (std::string known = describeForeignFolder(path); !known.empty())
      return createStringError(path + ": " + known);
  if (!S_ISREG(found.st_mode))
    return unreadable(path, describe(found.st_mode));
  auto buffer = MemoryBuffer::getOpenFile(sys::fs::convertFDToNativeFile(file),
                                          path, found.st_size,
                                          /*RequiresNullTerminator=*/isText);
  if (!buffer)
    return unreadable(path, buffer.getError().message());
  return std::move(*buffer);
}
