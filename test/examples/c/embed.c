/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The compiler and the runtime inside a C program: compiles a model, loads what
 * came out, and runs it on a digit of 8x8 pixels.
 * usage: embed MODEL.onnx OUT.so */
#include "hone/compiler.h"
#include "hone/runtime.h"

#include <stdio.h>
#include <string.h>

static void print(void *user, const char *message) {
  (void)user;
  fprintf(stderr, "%s\n", message);
}

static int compile(const char *model, const char *output) {
  hone_compiler *compiler = hone_compiler_create();
  if (!compiler)
    return HONE_COMPILE_INTERNAL;
  hone_compiler_on_message(compiler, print, NULL);
  int status = hone_compiler_set(compiler, "cpu", "native");
  if (status == HONE_COMPILE_OK)
    status = hone_compile_file(compiler, model, output);
  hone_compiler_destroy(compiler);
  return status;
}

static int classify(hone_runner *runner, float *pixels) {
  const int64_t dims[] = {1, 1, 8, 8};
  hone_value image = {.kind = HONE_KIND_TENSOR};
  image.as.tensor = (hone_tensor){pixels, dims, 4, HONE_TYPE_FLOAT};
  if (hone_runner_set_input(runner, "image", &image) ||
      hone_runner_run(runner)) {
    fprintf(stderr, "%s\n", hone_runner_message(runner));
    return -1;
  }
  const float *probabilities =
      hone_runner_output(runner, "probabilities")->as.tensor.data;
  int best = 0;
  for (int i = 1; i < 10; ++i)
    if (probabilities[i] > probabilities[best])
      best = i;
  printf("the digit is %d, probability %.2f\n", best, probabilities[best]);
  return best;
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: embed MODEL.onnx OUT.so\n");
    return 2;
  }
  int status = compile(argv[1], argv[2]);
  if (status)
    return status;

  /* A handwritten zero, pixels of 0 to 16. */
  float pixels[64] = {0, 0, 5,  13, 9,  1,  0, 0, 0, 0, 13, 15, 10, 15, 5, 0,
                      0, 3, 15, 2,  0,  11, 8, 0, 0, 4, 12, 0,  0,  8,  8, 0,
                      0, 5, 8,  0,  0,  9,  8, 0, 0, 4, 11, 0,  1,  12, 7, 0,
                      0, 2, 14, 5,  10, 12, 0, 0, 0, 0, 6,  13, 10, 0,  0, 0};
  char why[256];
  hone_library *library;
  hone_runner *runner = NULL;
  int best = -1;
  if (hone_library_open(argv[2], NULL, &library, why, sizeof why) ||
      hone_runner_create(library, NULL, &runner, why, sizeof why))
    fprintf(stderr, "%s\n", why);
  else
    best = classify(runner, pixels);
  hone_runner_destroy(runner);
  hone_library_close(library);
  return best < 0 ? 1 : 0;
}
