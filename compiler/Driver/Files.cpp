// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Files that are there whole or not at all.
#include "compiler/Driver/Files.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include <unistd.h>

using namespace llvm;
using namespace hone;

TemporaryFolder::~TemporaryFolder() {
  if (!folder.empty())
    sys::fs::remove_directories(folder);
}

/// How the names of a process's folders begin.
static SmallString<128> folderPrefix(StringRef output, int process) {
  SmallString<128> prefix = sys::path::parent_path(output);
  if (prefix.empty())
    prefix = ".";
  sys::path::append(prefix, "." + sys::path::filename(output) + ".tmp-" +
                                Twine(process) + "-");
  return prefix;
}

void hone::removeTemporaryFolders(StringRef output, int process) {
  SmallString<128> prefix = folderPrefix(output, process);
  std::error_code error;
  std::vector<std::string> found;
  for (sys::fs::directory_iterator entry(sys::path::parent_path(prefix), error),
       end;
       !error && entry != end; entry.increment(error))
    if (StringRef(entry->path()).starts_with(prefix))
      found.push_back(entry->path());
  for (const std::string &folder : found)
    sys::fs::remove_directories(folder);
}

Error TemporaryFolder::create(StringRef output) {
  SmallString<128> absolute = folderPrefix(output, getpid()), made;
  if (sys::fs::is_directory(output))
    return createFileError(output,
                           std::make_error_code(std::errc::is_a_directory));
  if (std::error_code error = sys::fs::make_absolute(absolute))
    return createFileError(output, error);
  // A name of its own for each compile: several may write to one folder.
  for (int attempt = 0; attempt < 100; ++attempt) {
    sys::fs::createUniquePath(absolute + "%%%%%%%%", made,
                              /*MakeAbsolute=*/false);
    std::error_code error =
        sys::fs::create_directory(made, /*IgnoreExisting=*/false);
    if (!error) {
      folder = made.str().str();
      return Error::success();
    }
    if (error != std::errc::file_exists)
      return createFileError(output, error);
  }
  return createFileError(output, std::make_error_code(std::errc::file_exists));
}

std::string TemporaryFolder::file(const Twine &name) const {
  SmallString<128> path(folder);
  sys::path::append(path, name);
  return path.str().str();
}

Error hone::writeFile(StringRef path, StringRef data) {
  std::error_code error;
  raw_fd_ostream stream(path, error);
  if (error)
    return createFileError(path, error);
  stream << data;
  stream.close();
  if (stream.has_error()) {
    error = stream.error();
    stream.clear_error();
    return createFileError(path, error);
  }
  return Error::success();
}

Error hone::writeFileAtomically(StringRef path, StringRef data) {
  TemporaryFolder folder;
  if (Error error = folder.create(path))
    return error;
  std::string file = folder.file("out");
  if (Error error = writeFile(file, data))
    return error;
  return publish(file, path);
}

Error hone::publish(StringRef from, StringRef to) {
  if (std::error_code error = sys::fs::rename(from, to))
    return createFileError(to, error);
  return Error::success();
}
