/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Gives a model the operators that it was compiled without: without them, then
 * with them. */
#include "outside.h"
#include <hone/custom.h>
#include <hone/runtime.h>
#include <stdio.h>

static void run(const hone_custom_table *operators) {
  float x[16], gate[16];
  for (int i = 0; i < 16; ++i) {
    x[i] = 0.5f;
    gate[i] = (float)(i - 8);
  }
  const int64_t dims[] = {1, 16};
  hone_value first = {.kind = HONE_KIND_TENSOR}, second = first;
  first.as.tensor = (hone_tensor){x, dims, 2, HONE_TYPE_FLOAT};
  second.as.tensor = (hone_tensor){gate, dims, 2, HONE_TYPE_FLOAT};
  hone_session_options options = {.size = sizeof options,
                                  .operators = operators};
  char why[256] = "";
  hone_library *library = NULL;
  hone_runner *runner = NULL;
  if (hone_library_wrap(outside, &library, why, sizeof why) ||
      hone_runner_create(library, &options, &runner, why, sizeof why)) {
    printf("error: %s\n", why);
  } else if (hone_runner_set_input(runner, "x", &first) ||
             hone_runner_set_input(runner, "gate", &second) ||
             hone_runner_run(runner)) {
    printf("error: %s\n", hone_runner_message(runner));
  } else {
    const float *y = hone_runner_output(runner, "y")->as.tensor.data;
    printf("y: %.4f ... %.4f\n", y[0], y[15]);
  }
  hone_runner_destroy(runner);
  hone_library_close(library);
}

int main(void) {
  run(NULL);
  run(&hone_custom_operators);
  return 0;
}
