/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Prints what a compiled model takes: inputs MODEL.so. */
#include "hone/runtime.h"

#include <stdio.h>

int main(int argc, char **argv) {
  char why[256];
  hone_library *library;
  if (argc != 2) {
    fprintf(stderr, "usage: inputs MODEL.so\n");
    return 2;
  }
  if (hone_library_open(argv[1], NULL, &library, why, sizeof why)) {
    fprintf(stderr, "%s\n", why);
    return 1;
  }
  const hone_descriptor *model = hone_library_descriptor(library);
  for (int i = 0; i < model->input_count; ++i)
    printf("%s: %s of rank %d\n", model->inputs[i].name,
           hone_type_name(model->inputs[i].type), (int)model->inputs[i].rank);
  hone_library_close(library);
  return 0;
}
