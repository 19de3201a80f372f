/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Runs the model of scale.mlir through its header, which is included before. */
#include <stdio.h>

int main(void) {
  char message[256];
  hone_session *session = scale_create(1, message, sizeof message);
  if (!session) {
    puts(message);
    return 1;
  }
  float x[16], y[16];
  for (int i = 0; i < 16; ++i)
    x[i] = 1;
  int32_t status = scale_run(session, 2, x, y);
  printf("%d:", (int)status);
  for (int i = 8; i < 16; ++i)
    printf(" %g", (double)y[i]);
  printf("%s\n", scale_message(session));
  scale_destroy(session);
  return status;
}
