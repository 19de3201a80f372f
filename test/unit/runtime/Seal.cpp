// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Seals a library that was written by hand: seal LIBRARY.
#include "runtime/loader/Seal.h"

#include <fcntl.h>
#include <stdio.h>

int main(int argc, char **argv) {
  char reason[256];
  hone::Text text(reason, sizeof(reason));
  int file = argc == 2 ? open(argv[1], O_RDWR) : -1;
  if (file >= 0 && hone::makeSeal(file, 0, 0, text) == HONE_OK)
    return 0;
  fprintf(stderr, "seal: %s\n", file < 0 ? "cannot open the library" : reason);
  return 1;
}
