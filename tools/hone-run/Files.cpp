// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Files that are read as far as they go, or written as a whole or not at all,
// and standard output.
#include "tools/hone-run/Files.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/stat.h>
#include <unistd.h>

using namespace hone::run;

namespace {

/// The temporary file, for removeUnfinished.
char unfinished[PATH_MAX];
volatile bool isUnfinished = false;

[[noreturn]] void failWrite(const std::string &path) {
  std::string reason = strerror(errno);
  removeUnfinished();
  throw Failure{74, "cannot write '" + path + "': " + reason};
}

void write(FILE *file, const std::string &path,
           const std::vector<std::string_view> &pieces) {
  if (!file)
    failWrite(path);
  bool written = true;
  for (std::string_view piece : pieces)
    written =
        written && fwrite(piece.data(), 1, piece.size(), file) == piece.size();
  if (fclose(file) != 0 || !written)
    failWrite(path);
}

} // namespace

FileSource::FileSource(const std::string &path)
    : path(path), file(fopen(path.c_str(), "rb"), fclose) {
  if (!file)
    throw Failure{1, path + ": " + strerror(errno)};
}

size_t FileSource::read(char *to, size_t size) {
  size_t count = fread(to, 1, size, file.get());
  if (count < size && ferror(file.get()))
    throw Failure{1, path + ": " + strerror(errno)};
  return count;
}

std::optional<uint64_t> FileSource::left() {
  struct stat status;
  if (fstat(fileno(file.get()), &status) != 0 || !S_ISREG(status.st_mode))
    return std::nullopt;
  return uint64_t(std::max<int64_t>(status.st_size - ftell(file.get()), 0));
}

bool hone::run::readBytes(ByteSource &source, size_t size, Bytes &bytes) {
  constexpr size_t kLeastPiece = size_t(16) << 20;
  std::optional<uint64_t> left = source.left();
  if (left && *left < size)
    return false;
  while (bytes.size() < size) {
    size_t before = bytes.size();
    size_t piece =
        std::min(size - before, left ? size : std::max(before, kLeastPiece));
    bytes.resize(before + piece);
    if (source.read(&bytes[before], piece) != piece)
      return false;
  }
  return true;
}

void hone::run::writeFile(const std::string &path,
                          const std::vector<std::string_view> &pieces) {
  struct stat status;
  std::string place = path;
  if (stat(path.c_str(), &status) == 0) {
    if (!S_ISREG(status.st_mode))
      return write(fopen(path.c_str(), "wb"), path, pieces);
    char real[PATH_MAX];
    if (realpath(path.c_str(), real))
      place = real;
  }
  std::string beside = place.substr(0, place.rfind('/') + 1) + ".hone-" +
                       std::to_string(getpid()) + ".tmp";
  if (beside.size() >= sizeof(unfinished)) {
    errno = ENAMETOOLONG;
    failWrite(path);
  }
  strcpy(unfinished, beside.c_str());
  isUnfinished = true;
  write(fopen(unfinished, "wb"), path, pieces);
  if (rename(unfinished, place.c_str()) != 0)
    failWrite(path);
  isUnfinished = false;
}

void hone::run::flushOutput() {
  if (fflush(stdout) != 0 || ferror(stdout))
    throw Failure{74, "cannot write to standard output"};
}

void hone::run::removeUnfinished() {
  if (isUnfinished)
    unlink(unfinished);
  isUnfinished = false;
}
