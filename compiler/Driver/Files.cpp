// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Files that exist completely or not at all.
#include "compiler/Driver/Files.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

using namespace llvm;
using namespace hone;

TemporaryFolder::~TemporaryFolder() { remove(); }

void TemporaryFolder::remove() {
  if (!folder.empty())
    sys::fs::remove_directories(folder);
  folder.clear();
}

/// Reports what is wrong with the output itself.
static Error misplaced(StringRef output, const Twine &problem) {
  return createStringError(std::make_error_code(std::errc::invalid_argument),
                           output + ": " + problem);
}

/// The file at the end of a chain of links, even if it does not exist yet.
static Expected<std::string> followLinks(StringRef output) {
  SmallString<256> path(output);
  for (int links = 0; links < 40; ++links) {
    char target[4096];
    ssize_t length = readlink(path.c_str(), target, sizeof(target));
    if (length < 0)
      return path.str().str();
    StringRef name(target, length);
    if (sys::path::is_absolute(name)) {
      path = name;
    } else {
      sys::path::remove_filename(path);
      sys::path::append(path, name);
    }
  }
  return createFileError(
      output, std::make_error_code(std::errc::too_many_symbolic_link_levels));
}

Expected<OutputPlace> hone::findPlace(StringRef output,
                                      ArrayRef<std::string> inputs) {
  struct stat found;
  if (stat(output.str().c_str(), &found) == 0) {
    if (S_ISDIR(found.st_mode))
      return createFileError(output,
                             std::make_error_code(std::errc::is_a_directory));
    if (S_ISCHR(found.st_mode) && found.st_rdev == makedev(1, 3))
      return OutputPlace{"", true};
    if (!S_ISREG(found.st_mode))
      return misplaced(output,
                       "is not a regular file, and only those are written; "
                       "use '-o -' to print text");
    for (const std::string &input : inputs) {
      struct stat other;
      if (stat(input.c_str(), &other) == 0 && other.st_dev == found.st_dev &&
          other.st_ino == found.st_ino)
        return misplaced(output, "is a file of the model itself ('" + input +
                                     "'), which would be lost");
    }
  }
  Expected<std::string> path = followLinks(output);
  if (!path)
    return path.takeError();
  return OutputPlace{*path, false};
}

Error TemporaryFolder::create(const OutputPlace &place,
                              function_ref<void(StringRef)> announce) {
  SmallString<128> absolute, made;
  if (place.discard)
    sys::path::system_temp_directory(/*ErasedOnReboot=*/true, absolute);
  else
    absolute = sys::path::parent_path(place.path);
  if (std::error_code error = sys::fs::make_absolute(absolute))
    return createFileError(place.path, error);
  sys::path::append(absolute, "." + sys::path::filename(place.path) + ".tmp-");
  // A unique name for each compilation: several may write to one folder.
  for (int attempt = 0; attempt < 100; ++attempt) {
    sys::fs::createUniquePath(absolute + "%%%%%%%%%%%%", made,
                              /*MakeAbsolute=*/false);
    announce(made);
    std::error_code error =
        sys::fs::create_directory(made, /*IgnoreExisting=*/false);
    if (!error) {
      folder = made.str().str();
      return Error::success();
    }
    if (error != std::errc::file_exists)
      return createFileError(place.discard ? StringRef(made) : place.path,
                             error);
  }
  return createFileError(place.path,
                         std::make_error_code(std::errc::file_exists));
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

Error hone::publish(StringRef from, const OutputPlace &place) {
  if (place.discard)
    return Error::success();
  if (std::error_code error = sys::fs::rename(from, place.path))
    return createFileError(place.path, error);
  return Error::success();
}
