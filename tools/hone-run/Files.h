// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Files that are written as a whole or not at all, and standard output.
#ifndef HONE_TOOLS_RUN_FILES_H
#define HONE_TOOLS_RUN_FILES_H

#include <string>
#include <string_view>
#include <vector>

namespace hone::run {

/// A failure to tell the user of, with the exit code it leads to.
struct Failure {
  int code;
  std::string message;
};

/// Writes the pieces beside the file's place and renames; links are followed,
/// and what is no regular file is written to as it is. Throws Failure.
void writeFile(const std::string &path,
               const std::vector<std::string_view> &pieces);

/// Ends what is printed: a full disk or a closed pipe must not look like
/// success. Throws Failure.
void flushOutput();

/// Removes a file that is being written; may be called from a signal handler.
void removeUnfinished();

} // namespace hone::run

#endif // HONE_TOOLS_RUN_FILES_H
