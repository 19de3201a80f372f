/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Deploying without Hone: two compiled models are linked into this program like
 * any library, and hone/abi.h is all it includes. Models that share a program
 * are compiled with --symbol, so that their names differ. */
#include "hone/abi.h"

#include <stdio.h>

const hone_descriptor *digits_a(void);
const hone_descriptor *digits_b(void);

/* Runs one digit; the class with the highest probability, or -1. */
static int classify(const hone_descriptor *model, float *pixels) {
  const hone_core_api *api = model->api;
  hone_session *session;
  char message[256];
  if (api->session_create(model, NULL, &session, message, sizeof message)) {
    fprintf(stderr, "%s\n", message);
    return -1;
  }

  const int64_t image_dims[] = {1, 1, 8, 8}, result_dims[] = {1, 10};
  float probabilities[10];
  hone_value image = {.kind = HONE_KIND_TENSOR};
  image.as.tensor = (hone_tensor){pixels, image_dims, 4, HONE_TYPE_FLOAT};
  hone_value result = {.kind = HONE_KIND_TENSOR};
  result.as.tensor =
      (hone_tensor){probabilities, result_dims, 2, HONE_TYPE_FLOAT};

  int best = -1;
  if (api->run(session, &image, 1, &result, 1)) {
    fprintf(stderr, "%s\n", api->message(session));
  } else {
    best = 0;
    for (int i = 1; i < 10; ++i)
      if (probabilities[i] > probabilities[best])
        best = i;
  }
  api->session_destroy(session);
  return best;
}

int main(void) {
  /* A handwritten zero, 8x8 pixels of 0 to 16. */
  float pixels[64] = {0, 0, 5,  13, 9,  1,  0, 0, 0, 0, 13, 15, 10, 15, 5, 0,
                      0, 3, 15, 2,  0,  11, 8, 0, 0, 4, 12, 0,  0,  8,  8, 0,
                      0, 5, 8,  0,  0,  9,  8, 0, 0, 4, 11, 0,  1,  12, 7, 0,
                      0, 2, 14, 5,  10, 12, 0, 0, 0, 0, 6,  13, 10, 0,  0, 0};
  int a = classify(digits_a(), pixels), b = classify(digits_b(), pixels);
  printf("the digit is %d, says one model; %d, says the other\n", a, b);
  return a == b && a >= 0 ? 0 : 1;
}
