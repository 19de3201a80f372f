// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Files that are read as far as they go, or written as a whole or not at all,
// and standard output.
#ifndef HONE_TOOLS_RUN_FILES_H
#define HONE_TOOLS_RUN_FILES_H

#include "tools/hone-run/Array.h"

#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hone::run {

/// A failure to report to the user, with its exit code.
struct Failure {
  int code;
  std::string message;
};

/// Bytes from front to back. Throws Failure.
class ByteSource {
public:
  virtual ~ByteSource() = default;
  /// Returns less than `size` at the end only.
  virtual size_t read(char *to, size_t size) = 0;
  /// At least as many bytes as are left; nothing if that is not known.
  virtual std::optional<uint64_t> left() = 0;
};

class FileSource : public ByteSource {
public:
  explicit FileSource(const std::string &path);
  size_t read(char *to, size_t size) override;
  std::optional<uint64_t> left() override;

private:
  std::string path;
  std::unique_ptr<FILE, int (*)(FILE *)> file;
};

/// Reads `size` bytes, and allocates no more than there are. False: there are
/// fewer.
bool readBytes(ByteSource &source, size_t size, Bytes &bytes);

/// Writes the pieces to a temporary file in the same folder and renames it;
/// links are followed, and anything but a regular file is written directly.
/// Throws Failure.
void writeFile(const std::string &path,
               const std::vector<std::string_view> &pieces);

/// Ends what is printed: a full disk or a closed pipe must not look like
/// success. Throws Failure.
void flushOutput();

/// Removes a file that is being written; may be called from a signal handler.
void removeUnfinished();

} // namespace hone::run

#endif // HONE_TOOLS_RUN_FILES_H
