// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A file in memory, for tests that write thousands of them.
#ifndef HONE_TEST_UNIT_RUNTIME_MEMORYFILE_H
#define HONE_TEST_UNIT_RUNTIME_MEMORYFILE_H

#include <cstdlib>
#include <string>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

class MemoryFile {
public:
  MemoryFile() : descriptor(memfd_create("test", MFD_CLOEXEC)) {}
  ~MemoryFile() { close(descriptor); }
  MemoryFile(const MemoryFile &) = delete;

  std::string path() const {
    return "/proc/self/fd/" + std::to_string(descriptor);
  }
  std::string content() const {
    struct stat status;
    fstat(descriptor, &status);
    std::string bytes(size_t(status.st_size), 0);
    return pread(descriptor, bytes.data(), bytes.size(), 0) < 0 ? "" : bytes;
  }
  void overwrite(const std::string &bytes) {
    if (ftruncate(descriptor, off_t(bytes.size())) != 0 ||
        pwrite(descriptor, bytes.data(), bytes.size(), 0) < 0)
      abort();
  }

private:
  int descriptor;
};

#endif // HONE_TEST_UNIT_RUNTIME_MEMORYFILE_H
