// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Files that are written as a whole or not at all, and standard output.
#ifndef HONE_TOOLS_RUN_FILES_H
#define HONE_TOOLS_RUN_FILES_H

#include <string>
#include <string_view>
#include <vector>

namespace hone::run {

/// A failure to report to the user, with its exit code.
struct Failure {
  int code;
  std::string message;
};

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
