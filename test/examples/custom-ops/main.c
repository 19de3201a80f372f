/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Runs the model that was compiled with the project, and prints a row. */
#include "fused.h"
#include <stdio.h>

int main(void) {
  float x[16], gate[16], y[16];
  for (int i = 0; i < 16; ++i) {
    x[i] = 0.5f;
    gate[i] = (float)(i - 8);
  }
  char why[256] = "";
  hone_session *session = fused_create(1, why, sizeof why);
  if (!session || fused_run(session, 1, x, gate, y)) {
    fprintf(stderr, "failed: %s\n", why);
    return 1;
  }
  printf("y: %.4f ... %.4f\n", y[0], y[15]);
  fused_destroy(session);
  return 0;
}
