// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Locates the programs of an installation, which are in one folder.
#include "tools/hone/Beside.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <unistd.h>

bool hone::findBeside(const char *name, char (&path)[PATH_MAX]) {
  size_t room = sizeof(path) - strlen(name) - 1;
  ssize_t length = readlink("/proc/self/exe", path, room);
  if (length < 0) {
    fprintf(stderr, "error: /proc/self/exe: %s\n", strerror(errno));
    return false;
  }
  path[length] = 0;
  strcpy(strrchr(path, '/') + 1, name);
  return true;
}
