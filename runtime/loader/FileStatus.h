// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The system's status of a file. glibc has had fstat and stat as functions only
// since 2.33; on x86-64 the system itself fills the same structure.
#ifndef HONE_RUNTIME_LOADER_FILESTATUS_H
#define HONE_RUNTIME_LOADER_FILESTATUS_H

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace hone {

/// False with a reason in errno.
inline bool fileStatus(int file, struct stat &status) {
  return syscall(SYS_fstat, file, &status) == 0;
}
inline bool fileStatus(const char *path, struct stat &status) {
  return syscall(SYS_stat, path, &status) == 0;
}

} // namespace hone

#endif // HONE_RUNTIME_LOADER_FILESTATUS_H
