/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Two models through their typed headers, which hone_add_model makes. */
#include "digits.h"
#include "digits_inside.h"

#include <stdio.h>

static int best(const float *probabilities) {
  int best = 0;
  for (int i = 1; i < 10; ++i)
    if (probabilities[i] > probabilities[best])
      best = i;
  return best;
}

int main(void) {
  /* A handwritten zero, 8x8 pixels of 0 to 16. */
  float pixels[64] = {0, 0, 5,  13, 9,  1,  0, 0, 0, 0, 13, 15, 10, 15, 5, 0,
                      0, 3, 15, 2,  0,  11, 8, 0, 0, 4, 12, 0,  0,  8,  8, 0,
                      0, 5, 8,  0,  0,  9,  8, 0, 0, 4, 11, 0,  1,  12, 7, 0,
                      0, 2, 14, 5,  10, 12, 0, 0, 0, 0, 6,  13, 10, 0,  0, 0};
  float beside[10], inside[10];
  char why[256] = "";
  hone_session *first = digits_create(1, why, sizeof why);
  hone_session *second = digits_inside_create(1, why, sizeof why);
  if (!first || !second || digits_run(first, pixels, beside) ||
      digits_inside_run(second, pixels, inside)) {
    fprintf(stderr, "failed: %s\n", why);
    return 1;
  }
  printf("beside the program: %d, inside: %d\n", best(beside), best(inside));
  digits_destroy(first);
  digits_inside_destroy(second);
  return 0;
}
