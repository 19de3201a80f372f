// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the archive of libstdc++ takes from a glibc newer than 2.28, so that the
// extension module runs wherever compiled models do.
#include <cstdint>
#include <unistd.h>

extern "C" {

/// glibc's since 2.32: false makes reference counts atomic.
__attribute__((visibility("hidden"))) extern char __libc_single_threaded;
char __libc_single_threaded = 0;

/// glibc's since 2.36, for std::random_device.
__attribute__((visibility("hidden"))) uint32_t arc4random() {
  uint32_t value = 0;
  if (getentropy(&value, sizeof(value)) != 0)
    __builtin_trap();
  return value;
}
}
